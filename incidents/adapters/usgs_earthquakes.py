"""Earthquakes of the US Geological Survey: its GeoJSON summary feeds, and the same of its FDSN event service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from incidents import instants
from incidents.formats import hazards, monitors, payload, quakes
from incidents.model import Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "USGS earthquakes"
READS = ("usgs",)
LANES = ("warnings",)
EVERY = timedelta(minutes=5)
CREDIT = Credit("U.S. Geological Survey, Earthquake Hazards Program", "public domain", "https://earthquake.usgs.gov")
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "earthquakes"
adapter = "usgs_earthquakes"
every = "5m"
""",
            "note": "Without `url` the feed of magnitude 2.5 and more of the last day is asked.",
        },
    ],
    "facts": [
        [
            "What is asked",
            "one summary of the world a turn; for the past what happened within 500 km of each site",
        ],
        ["Limits", "the feeds are made anew every minute; a query for the past returns 20,000 events at most"],
        ["Terms", "public domain; credit is asked for"],
        ["History", "decades"],
        ["Place", "the epicentre, and as radius an estimate of where it was felt; ShakeMap would know better"],
        ["End", "a minute after the origin time, by our convention"],
        ["Updates", "one occurrence for each id; a deleted event has no length"],
    ],
}
_ADDRESS = "https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/2.5_day.geojson"
_ARCHIVE = "https://earthquake.usgs.gov/fdsnws/event/1/query?format=geojson&minmagnitude=2.5&maxradiuskm=500&limit=2000"
_SEVERITIES = {
    "green": Severity.INFO,
    "yellow": Severity.WARNING,
    "orange": Severity.ERROR,
    "red": Severity.CRITICAL,
}
# An end that counts as assumed would stay where it was when the origin time is revised.
_SHAKING = timedelta(minutes=1)


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - the feed is asked whole
    """The summary of the last day."""
    return [Request(source.url or _ADDRESS)]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:  # noqa: ARG001 - the archive has one address
    """What happened around each site."""
    window = f"&starttime={instants.text(since)[:19]}&endtime={instants.text(until)[:19]}"
    return [
        Request(f"{_ARCHIVE}{window}&latitude={site.latitude}&longitude={site.longitude}", site=site.name)
        for site in sites
    ]


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each earthquake; quarry blasts and the like keep their own words."""
    message = monitors.object_in(delivery, "a collection of earthquakes")
    features = [message] if message.get("type") == "Feature" else message.get("features")
    if not isinstance(features, list):
        raise UnrecognisedError("not a collection of earthquakes: no features")
    return monitors.several(features, lambda one: _event(payload.object_of(one), delivery), "earthquake")


def _event(feature: Mapping[str, Any], delivery: Delivery) -> Event:
    told = payload.object_of(feature.get("properties"))
    started = _instant(told, "time")
    if started > delivery.received_at + timedelta(hours=1):
        raise UnrecognisedError("time is of the future")
    updated = _instant(told, "updated") if monitors.is_said(told.get("updated")) else started
    point = payload.list_of(payload.object_of(feature.get("geometry")).get("coordinates"))
    longitude, latitude, depth_km = (payload.number_of(one) for one in [*point[:3], *[None] * 3][:3])
    place = payload.place_of({"latitude": latitude, "longitude": longitude})
    magnitude = payload.number_at(told, "properties.mag", -5, 10) if monitors.is_said(told.get("mag")) else None
    deep = depth_km if depth_km is not None and -10 <= depth_km <= 1_000 else None
    radius_km = quakes.felt_radius_km(magnitude, max(deep if deep is not None else 10.0, 0.0)) if magnitude else 0.0
    word = payload.title_of(told.get("type"), 60) or "earthquake"
    over = payload.title_of(told.get("status"), 40) == "deleted"
    return hazards.event_of(
        delivery,
        key=feature.get("id"),
        event=word[:1].upper() + word[1:],
        title=payload.title_of(told.get("title")) or "",
        places=hazards.places_of(told.get("place")),
        said_at=max(updated, started),
        starts_at=started,
        ends_at=started if over else started + _SHAKING,
        area=hazards.area_of(circle=(*place, radius_km)),
        severity=_SEVERITIES.get(payload.title_of(told.get("alert"), 40) or "", Severity.UNKNOWN),
        labels={
            "magnitude": magnitude,
            "depth_km": deep,
            "felt_radius_km": f"{radius_km:g} ({quakes.BASIS})" if magnitude else None,
            "mmi": told.get("mmi"),
            "alert": told.get("alert"),
            "status": told.get("status"),
            "ids": (payload.text_of(told.get("ids")) or "").strip(","),
            "area": told.get("place"),
        },
        url=told.get("url"),
    )


def _instant(told: Mapping[str, Any], name: str) -> datetime:
    """Milliseconds since 1970, whatever their size: guessing the unit would put the year 9999 into 1978."""
    return instants.EPOCH + timedelta(milliseconds=payload.number_at(told, name, -6.3e13, 7.2e12))
