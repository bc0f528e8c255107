"""The World Meteorological Organization's collection of official warnings: the list of its page SWIC 3.0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents import instants
from incidents.formats import hazards, monitors, payload
from incidents.model import Area, Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "WMO Severe Weather Information Centre"
READS = ("swic",)
LANES = ("warnings",)
EVERY = timedelta(minutes=15)
CREDIT = Credit(
    "World Meteorological Organization, Severe Weather Information Centre, and the issuing service",
    "the issuing service's own",
    "https://severeweather.wmo.int",
)
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "wmo"
adapter = "wmo_swic"
every = "15m"
""",
            "note": "Its list has no coordinates: a warning is placed by its country alone. A site that has"
            " `country:IN` among its `zones` sees India's warnings as context. Where a national feed"
            " can be had, use that.",
        },
    ],
    "facts": [
        ["What is asked", "one list of all warnings of the world, some thousands"],
        ["Limits", "not published; the list is made anew every few minutes, so ask no more than every 15"],
        ["Terms", "each service's own; name it and the WMO"],
        ["History", "none: the list holds what is on"],
        ["Severity", "each country's own scale: what one calls extreme is another's routine"],
        ["Time zone", "times have no zone and are UTC"],
    ],
}
_ADDRESS = "https://severeweather.wmo.int/json/wmo_all.json"
_DOCUMENTS = "https://severeweather.wmo.int/v2/cap-alerts/"
# Reading these backwards would keep only trivia.
_SEVERITIES = {4: "Extreme", 3: "Severe", 2: "Moderate", 1: "Minor"}
_URGENCIES = {4: "Immediate", 3: "Expected", 2: "Future", 1: "Past"}
_CERTAINTIES = {4: "Observed", 3: "Likely", 2: "Possible", 1: "Unlikely"}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - the list is asked whole
    """The list of the whole world: it cannot be asked for a place."""
    return [Request(source.url or _ADDRESS)]


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each warning of the list."""
    items = monitors.object_in(delivery, "SWIC's list").get("items")
    if not isinstance(items, list):
        raise UnrecognisedError("not SWIC's list: no items")
    return monitors.several(items, lambda one: _event(payload.object_of(one), delivery), "item")


def _event(item: Mapping[str, Any], delivery: Delivery) -> Event:
    sent, effective, onset, expires = (
        instants.parse(item.get(name)) for name in ("sent", "effective", "onset", "expires")
    )
    path = payload.title_of(monitors.first(item, "url", "capURL")) or ""
    severity, urgency, certainty = (
        table.get(payload.count_of(item.get(name)), "Unknown")
        for name, table in (("s", _SEVERITIES), ("u", _URGENCIES), ("c", _CERTAINTIES))
    )
    places = [payload.title_of(item.get("areaDesc"), 200) or ""]
    country = path[:2].upper() if path[2:3] == "-" and path[:2].isalpha() and path[:2].isascii() else None
    return hazards.event_of(
        delivery,
        key=item.get("id"),
        event=item.get("event"),
        places=[place for place in places if place],
        said_at=sent,
        starts_at=onset or effective,
        ends_at=expires,
        area=Area(zones=(f"country:{country}",)) if country else None,
        severity=hazards.severity_of(severity) if severity != "Unknown" else Severity.UNKNOWN,
        labels={
            "severity": severity,
            "urgency": urgency,
            "certainty": certainty,
            "area": item.get("areaDesc"),
            "country": country,
            "headline": item.get("headline"),
        },
        url=payload.url_of(_DOCUMENTS + path) if path else None,
        text=item.get("headline"),
    )
