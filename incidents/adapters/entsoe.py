"""ENTSO-E's Transparency Platform: the load of European bidding zones and control areas, document type A65."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import addresses, grid_readings, monitors, xml_documents
from incidents.model import Credit, Delivery, Reading, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "ENTSO-E load"
READS = ("entsoe",)
EVERY = timedelta(hours=1)
LANES = ("grid",)
CREDIT = Credit("ENTSO-E Transparency Platform", "CC BY 4.0", "https://transparency.entsoe.eu")
SETUP = {
    "snippets": [
        {
            "title": "ENTSO-E",
            "language": "toml",
            "text": """\
[[sources]]
name = "entsoe"
adapter = "entsoe"
secret_file = "/etc/barograph/entsoe.token"

# and in the table of a site: grid_area = "10YDK-2--------M" # the area's EIC code
""",
        },
    ],
    "facts": [
        ["Asked", "`https://web-api.tp.entsoe.eu/api`, document A65 (load), process A16 (realised), once an hour"],
        ["Key", "a security token, free on request"],
        ["Limits", "400 requests a minute by address and token, then ten minutes of 429; a year in one request"],
        ["Becomes", "readings `grid_demand_mw`; day-ahead documents `grid_demand_forecast_mw`"],
        ["Area", "the site's `grid_area` is an EIC code of 16 characters"],
        [
            "Time",
            "UTC; a mean stands at the end of its interval; curve A03 leaves repeated values out, they are put in",
        ],
        ["No data", "an acknowledgement with code 999: nothing is read, and it is no fault"],
    ],
}
_URL = "https://web-api.tp.entsoe.eu/api"
_AREA = re.compile(r"10[YTX][A-Z0-9-]{13}")
_STEP = re.compile(r"PT(\d{1,4})([MH])")
_POINTS = 40_000


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The last two days of every area that a site names."""
    return _asked(source, sites, "{minute-48h}", "{minute+1h}")


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:
    """The load in a window, at most a year."""
    since = max(since, until - timedelta(days=365))
    return _asked(source, sites, addresses.spelt(since, "minute"), addresses.spelt(until, "minute"))


def _asked(source: Source, sites: Sequence[Site], since: str, until: str) -> list[Request]:
    fixed = "securityToken={key}&documentType=A65&processType=A16"
    return [
        Request(f"{source.url or _URL}?{fixed}&outBiddingZone_Domain={area}&periodStart={since}&periodEnd={until}")
        for area in grid_readings.areas_like(_AREA, sites)
    ]


def normalise(delivery: Delivery) -> list[Statement]:
    """A reading for each point of a load document."""
    root = xml_documents.parse(delivery.body)
    name, kind = xml_documents.local(root), xml_documents.text(root, "type")
    if name == "Acknowledgement_MarketDocument":
        if xml_documents.text(root, "Reason", "code") == "999":
            return []
        raise UnrecognisedError(f"ENTSO-E refuses: {(xml_documents.text(root, 'Reason', 'text') or 'no reason')[:300]}")
    if name != "GL_MarketDocument" or kind != "A65":
        raise UnrecognisedError(f"not a load document (A65): {name[:60]} of type {str(kind)[:20]}")
    process = xml_documents.text(root, "process.processType")
    found: list[Statement] = []
    for series in xml_documents.children(root, "TimeSeries"):
        for period in xml_documents.children(series, "Period"):
            found += _readings(series, period, process == "A16", delivery)
            if len(found) > _POINTS:
                raise UnrecognisedError(f"more than {_POINTS:,} points")
    return found


def _readings(series: Any, period: Any, realised: bool, delivery: Delivery) -> list[Reading]:  # noqa: ANN401 - Elements
    area = xml_documents.text(series, "outBiddingZone_Domain.mRID") or ""
    step = _STEP.fullmatch(xml_documents.text(period, "resolution") or "")
    ends = [monitors.moment(xml_documents.text(period, "timeInterval", name), delivery) for name in ("start", "end")]
    if not _AREA.fullmatch(area) or step is None or ends[0] is None or ends[1] is None or int(step[1]) == 0:
        raise UnrecognisedError("a series without area, resolution or interval")
    each = timedelta(minutes=int(step[1]) * (60 if step[2] == "H" else 1))
    count = min((ends[1] - ends[0]) // each, _POINTS)
    told = dict(_told(point) for point in xml_documents.children(period, "Point"))
    repeats = xml_documents.text(series, "curveType") == "A03"
    found, value = [], None
    variable = "grid_demand_mw" if realised else "grid_demand_forecast_mw"
    for place in range(1, count + 1):
        value = told.get(place, value if repeats else None)
        if value is not None:
            at, basis = ends[0] + each * place, "observed" if realised else "modelled"
            found.append(grid_readings.of_area(variable, area, at, value, delivery, credit=CREDIT.text, basis=basis))  # type: ignore[arg-type]  # the two words above
    return found


def _told(point: Any) -> tuple[int, str | None]:  # noqa: ANN401 - an Element
    place = xml_documents.text(point, "position") or ""
    return int(place) if place.isascii() and place.isdigit() and len(place) < 7 else 0, xml_documents.text(
        point, "quantity"
    )
