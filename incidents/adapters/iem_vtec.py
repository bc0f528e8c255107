"""Past warnings of the US National Weather Service: the archive of the Iowa Environmental Mesonet.

Two documents tell of a warning: outlines as GeoJSON (`/geojson/sbw.geojson`), and a table of all zones as CSV
(`watchwarn.py?accept=csv`). The table's `utc_issue` and `utc_expire` are the last state; what was first said, and so
what was known then, stands in `utc_prodissue` and `utc_init_expire`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidents import instants
from incidents.formats import mesonet, zones
from incidents.model import Credit, Delivery, Request, Site, Source, Statement

VERSION = 1
TITLE = "Iowa Environmental Mesonet (past US warnings)"
READS = ("iem",)
LANES = ("warnings",)
EVERY = timedelta(minutes=5)
CREDIT = Credit(
    "Iowa Environmental Mesonet, Iowa State University; warnings by NOAA/National Weather Service",
    "public domain, attribution appreciated",
    "https://mesonet.agron.iastate.edu/disclaimer.php",
)
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "iem"
adapter = "iem_vtec"
every = "5m"
""",
            "note": "Each site needs its `zones`, such as `CAC067` and `CAZ017`. For what is on now use"
            " `nws_alerts`: this one is for the past.",
        },
    ],
    "facts": [
        ["What is asked", "for the past two documents of the sites' states; at each turn the outlines that are on now"],
        ["Limits", "one request a second; up to a year at a time"],
        ["Terms", "public domain; attribution is appreciated"],
        ["History", "most types from 2005 to 2008 on, tornado and severe thunderstorm outlines from 1986"],
        ["Hindsight", "each warning is told as it was first issued, and again as it ended"],
        ["Severity", "by the product: warning, watch and advisory, statement. The archive keeps no CAP words"],
    ],
}
_OUTLINES = "https://mesonet.agron.iastate.edu/geojson/sbw.geojson"
_TABLE = "https://mesonet.agron.iastate.edu/cgi-bin/request/gis/watchwarn.py?accept=csv&location_group=states"


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The outlines that are on in the sites' states."""
    states = ",".join(zones.states_of(zone for site in sites for zone in site.zones))
    return [Request(source.url or f"{_OUTLINES}?states={states}")] if source.url or states else []


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:  # noqa: ARG001 - the archive has one address
    """The table and the outlines of the sites' states in a window."""
    states = ",".join(zones.states_of(zone for site in sites for zone in site.zones))
    window = f"sts={instants.text(since)[:16]}Z&ets={instants.text(until)[:16]}Z&states={states}"
    return [Request(f"{_TABLE}&{window}"), Request(f"{_OUTLINES}?{window}")] if states else []


def normalise(delivery: Delivery) -> list[Statement]:
    """The warnings of a table or of a collection of outlines."""
    is_json = delivery.body.lstrip()[:1] in {b"{", b"["}
    return mesonet.outlines_of(delivery) if is_json else mesonet.table_of(delivery)
