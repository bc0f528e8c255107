"""Disasters of the Global Disaster Alert and Coordination System: its RSS feed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from xml.etree.ElementTree import Element

from incidents.formats import hazards, monitors, payload, quakes, xml_documents
from incidents.model import Area, Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "GDACS disasters"
READS = ("gdacs",)
LANES = ("warnings",)
EVERY = timedelta(minutes=15)
CREDIT = Credit(
    "Global Disaster Alert and Coordination System, GDACS (European Commission and United Nations)",
    "reuse with acknowledgement of the source",
    "https://www.gdacs.org/About/termofuse.aspx",
)
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "gdacs"
adapter = "gdacs"
every = "15m"
""",
        },
    ],
    "facts": [
        ["What is asked", "one feed of the disasters of the world in the last days"],
        ["Limits", "not published; the feed is made anew every six minutes"],
        ["Terms", "free reuse with acknowledgement; estimates for humanitarian response, made by models"],
        ["History", "the feed holds some weeks"],
        ["Severity", "the alert level: red, orange, green"],
        [
            "Place",
            "a point; for earthquakes an estimate of where they were felt, for all others no area is in it",
        ],
    ],
}
_ADDRESS = "https://www.gdacs.org/xml/rss.xml"
_EVENTS = {
    "TC": "Tropical cyclone",
    "EQ": "Earthquake",
    "FL": "Flood",
    "VO": "Volcano",
    "WF": "Forest fire",
    "DR": "Drought",
    "TS": "Tsunami",
}
_LEVELS = {"red": Severity.CRITICAL, "orange": Severity.ERROR, "green": Severity.INFO}
_DEPTH = re.compile(r"depth[^0-9]{0,12}(\d{1,3}(?:\.\d{1,6})?) ?km", re.IGNORECASE | re.ASCII)


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - the feed is asked whole
    """The feed of the world."""
    return [Request(source.url or _ADDRESS)]


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each disaster of the feed."""
    root = xml_documents.parse(delivery.body)
    if xml_documents.local(root) != "rss":
        raise UnrecognisedError(f"not GDACS's feed, but <{xml_documents.local(root)[:40]}>")
    return monitors.several(xml_documents.every(root, "item"), lambda item: _event(item, delivery), "item")


def _event(item: object, delivery: Delivery) -> Event:
    assert isinstance(item, Element)
    guid = xml_documents.text(item, "guid")
    kind = xml_documents.text(item, "eventtype") or (guid or "")[:2]
    title, level = xml_documents.text(item, "title"), xml_documents.text(item, "alertlevel") or ""
    said_at = xml_documents.text(item, "datemodified") or xml_documents.text(item, "pubDate")
    started = monitors.instant(xml_documents.text(item, "fromdate"), "fromdate", delivery)
    until = monitors.instant(xml_documents.text(item, "todate"), "todate", delivery)
    over = xml_documents.text(item, "iscurrent") == "false"
    shaking = kind == "EQ"
    if shaking and started:
        until = monitors.shifted(started, timedelta(minutes=1))
    return hazards.event_of(
        delivery,
        key=guid or xml_documents.text(item, "link"),
        event=_EVENTS.get(kind, kind),
        title=payload.title_of(title) or "",
        over=over and not shaking,
        said_at=monitors.instant(said_at, "pubDate", delivery),
        starts_at=started,
        # The last day that was looked at is no end while the disaster is current.
        ends_at=until if over or shaking else None,
        patience=timedelta(days=3),
        area=_area(item, shaking=shaking),
        severity=_LEVELS.get(level.casefold(), Severity.UNKNOWN),
        test=xml_documents.text(item, "temporary") == "true",
        labels={
            "alert_level": level,
            "country": xml_documents.text(item, "country"),
            "magnitude": xml_documents.text(item, "severity"),
            "population": xml_documents.text(item, "population"),
            "glide": xml_documents.text(item, "glide"),
            "bounds": xml_documents.text(item, "bbox"),
        },
        url=xml_documents.text(item, "link"),
        text=xml_documents.text(item, "description"),
    )


def _area(item: Element, *, shaking: bool) -> Area | None:
    latitude, longitude = (payload.number_of(xml_documents.text(item, "Point", name)) for name in ("lat", "long"))
    if latitude is None or longitude is None:
        pair = (xml_documents.text(item, "point") or "").split()[:2]
        latitude, longitude = (payload.number_of(one) for one in [*pair, None, None][:2])
    if latitude is None and longitude is None:
        return None
    place = payload.place_of({"latitude": latitude, "longitude": longitude})
    return hazards.area_of(circle=(*place, _felt_km(item) if shaking else 0.0))


def _felt_km(item: Element) -> float:
    magnitude = next((payload.number_of(one.get("value")) for one in xml_documents.children(item, "severity")), None)
    depth = _DEPTH.search(f"{xml_documents.text(item, 'description')} {xml_documents.text(item, 'severity')}")
    known = magnitude is not None and -5 <= magnitude <= 10
    return quakes.felt_radius_km(magnitude or 0.0, float(depth[1]) if depth else 10.0) if known else 0.0
