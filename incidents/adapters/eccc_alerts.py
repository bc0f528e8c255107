"""Alerts of Environment and Climate Change Canada: GeoJSON of the layer Current-Alerts of its GeoMet service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents.formats import hazards, monitors, payload
from incidents.model import Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Environment Canada alerts"
READS = ("eccc",)
LANES = ("warnings",)
EVERY = timedelta(minutes=5)
CREDIT = Credit(
    "Contains information licensed under the Data Server End-use Licence of Environment and Climate Change Canada",
    "Environment and Climate Change Canada Data Servers End-use Licence",
    "https://eccc-msc.github.io/open-data/licence/readme_en/",
)
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "environment-canada"
adapter = "eccc_alerts"
every = "5m"
""",
        },
    ],
    "facts": [
        ["What is asked", "for each site in Canada the alerts within two degrees around it"],
        ["Limits", "not published; the service asks for moderate use"],
        ["Terms", "the end-use licence; name it and Environment and Climate Change Canada"],
        ["History", "none: the layer holds what is on"],
        ["Severity", "the risk colour (red, orange, yellow, grey), else the type of alert"],
        [
            "Updates",
            "one occurrence for each alert and region; without ids the next of its sort continues it",
        ],
        ["End", "status `ended`; until then the expiry of the message, which later ones move"],
    ],
}
_ADDRESS = (
    "https://geo.weather.gc.ca/geomet?SERVICE=WFS&VERSION=2.0.0&REQUEST=GetFeature&TYPENAMES=Current-Alerts"
    "&outputFormat=application/json&BBOX="
)
_COLOURS = {"red": Severity.CRITICAL, "orange": Severity.ERROR, "yellow": Severity.WARNING, "grey": Severity.INFO}
_TYPES = {
    "warning": Severity.ERROR,
    "watch": Severity.WARNING,
    "advisory": Severity.WARNING,
    "statement": Severity.INFO,
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """One document for each site in Canada, of what lies around it."""
    if source.url:
        return [Request(source.url)]
    canadian = [site for site in sites if 41.6 <= site.latitude <= 84 and -141.1 <= site.longitude <= -52.5]
    return [Request(_ADDRESS + _box(site), site=site.name) for site in canadian]


def _box(site: Site) -> str:
    south, west = f"{site.latitude - 2:.2f}", f"{site.longitude - 2:.2f}"
    return f"{south},{west},{site.latitude + 2:.2f},{site.longitude + 2:.2f},EPSG:4326"


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each alert and forecast region."""
    features = monitors.object_in(delivery, "a collection of alerts").get("features")
    if not isinstance(features, list):
        raise UnrecognisedError("not a collection of alerts: no features")
    unread: list[str] = []
    statements = monitors.several(features, lambda one: _event(payload.object_of(one), delivery, unread), "alert")
    return statements + hazards.lost(unread)


def _event(feature: Mapping[str, Any], delivery: Delivery, unread: list[str]) -> Event:
    told = payload.object_of(feature.get("properties"))
    name, region = (payload.title_of(monitors.first(told, f"{part}_en", f"{part}_fr")) for part in _NAMED)
    if name is None:
        raise UnrecognisedError("no alert_name_en")
    status = (payload.title_of(told.get("status_en"), 40) or "").casefold()
    over = status == "ended"
    published = hazards.instant_of(told.get("publication_datetime"), "publication_datetime", delivery, unread)
    onset = hazards.instant_of(told.get("validity_datetime"), "validity_datetime", delivery, unread) or published
    colour, kind = (payload.title_of(told.get(part), 40) or "" for part in ("risk_colour_en", "alert_type"))
    return hazards.event_of(
        delivery,
        key=_key(feature, told, name, region),
        event=name[:1].upper() + name[1:],
        over=over,
        places=[region] if region else (),
        said_at=published,
        starts_at=hazards.start_of(onset, published, first=status in {"", "issued"}, over=over),
        holds_until=hazards.instant_of(told.get("expiration_datetime"), "expiration_datetime", delivery, unread),
        area=hazards.area_of(feature.get("geometry"), unread=unread),
        severity=_COLOURS.get(colour.casefold()) or _TYPES.get(kind.casefold(), Severity.UNKNOWN),
        labels={
            "type": kind,
            "code": told.get("alert_code"),
            "colour": colour,
            "impact": told.get("impact_en"),
            "confidence": told.get("confidence_en"),
            "status": status,
            "area": region,
            "province": told.get("province"),
            "headline (fr-CA)": told.get("alert_name_fr"),
        },
        text=monitors.first(told, "alert_text_en", "alert_text_fr"),
    )


_NAMED = ("alert_name", "feature_name")


def _key(feature: Mapping[str, Any], told: Mapping[str, Any], name: str, region: str | None) -> str | None:
    """The alert's own id without the minute of its publication at the end; the layer also comes without ids."""
    identifier = payload.key_of(monitors.first(told, "id", "identifier") or feature.get("id"))
    if identifier and len(identifier) == 30 and identifier.isdecimal():
        return identifier[:18]
    return identifier or monitors.key_from(told.get("alert_code") or name, region)
