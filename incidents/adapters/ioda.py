"""IODA: outages of the internet in a country, a region or a network, as its event API finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import addresses, monitors, payload
from incidents.model import Area, Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "IODA internet outages"
READS = ("ioda",)
LANES = ("warnings",)
EVERY = timedelta(minutes=10)
CREDIT = Credit(
    "IODA, Georgia Institute of Technology", "free with attribution", "https://ioda.inetintel.cc.gatech.edu"
)
SETUP = {
    "snippets": [
        {
            "title": "IODA",
            "language": "toml",
            "text": """\
[[sources]]
name = "ioda"
adapter = "ioda"

# and in the table of a site: zones = ["ioda:country/GB", "ioda:asn/64500"]
""",
            "note": "Asked for are the places that sites name: a country, a region by IODA's number, a network by ASN.",
        },
    ],
    "facts": [
        [
            "Asked",
            "`/v2/outages/events` of `https://api.ioda.inetintel.cc.gatech.edu` for the last day, every 10 minutes",
        ],
        ["Key", "none"],
        ["Limits", "none published; one request for each kind of place"],
        ["Becomes", "a hazard with the zone `ioda:country/GB`"],
        ["Precision", "a region is a state or province: never evidence about one building"],
        ["Time", "Unix seconds; what reaches to within half an hour of the poll counts as still on"],
    ],
}
_URL = "https://api.ioda.inetintel.cc.gatech.edu/v2/outages/events"
_WINDOW = "from={epoch-24h}&until={epoch+1h}"
_ZONE = "ioda:"
_STILL_ON = timedelta(minutes=30)
_KINDS = ("continent", "country", "region", "asn", "geoasn", "county")


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The last day of all places that sites name, a request for each kind of place."""
    if source.url:
        return [Request(source.url)]
    places: dict[str, list[str]] = {}
    for zone in sorted({zone for site in sites for zone in site.zones if zone.startswith(_ZONE)}):
        kind, _, code = zone.removeprefix(_ZONE).partition("/")
        if kind in _KINDS and code.isascii() and code.isalnum():
            places.setdefault(kind, []).append(code)
    return [
        Request(f"{_URL}?entityType={kind}&entityCode={','.join(codes)}&{_WINDOW}") for kind, codes in places.items()
    ]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:
    """The same of a window."""
    return [Request(addresses.between(one.url, since, until)) for one in requests(source, sites)]


def normalise(delivery: Delivery) -> list[Statement]:
    """A hazard for each event, perhaps none."""
    answer = monitors.object_in(delivery, "an answer of IODA")
    if not isinstance(answer.get("data"), list):
        raise UnrecognisedError(f"IODA refuses: {payload.title_of(answer.get('error')) or 'data is missing'}")
    return monitors.several(answer["data"], lambda one: _outage(payload.object_of(one), delivery), "event")


def _outage(event: Mapping[str, Any], delivery: Delivery) -> Event:
    starts_at = monitors.instant(event.get("start"), "start", delivery)
    lasts, place = payload.number_of(event.get("duration")), payload.title_of(event.get("location"), 100)
    if starts_at is None or place is None or lasts is None or not 0 <= lasts < 10**8:
        raise UnrecognisedError("location, start or duration is missing")
    ends_at = starts_at + timedelta(seconds=lasts)
    over = ends_at < delivery.received_at - _STILL_ON
    source = monitors.word(event.get("datasource"), default="all sources")
    name = monitors.word(event.get("location_name"), default=place)
    said = monitors.event_of(
        delivery,
        key=f"{source}/{place}/{int(starts_at.timestamp())}",
        title=f"Internet outage: {name} ({source})",
        over=over,
        kind="hazard",
        severity=Severity.WARNING,
        starts_at=starts_at,
        ends_at=ends_at if over else None,
        labels={"place": place, "datasource": source, "method": event.get("method"), "score": event.get("score")},
        url=f"https://ioda.inetintel.cc.gatech.edu/{place}" if " " not in place else None,
    )
    return replace(said, event="Internet outage", area=Area(zones=(f"{_ZONE}{place}",)))
