"""Tropical cyclones of the US National Hurricane Center: CurrentStorms.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents.formats import hazards, monitors, payload
from incidents.model import Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "National Hurricane Center storms"
READS = ("nhc",)
LANES = ("warnings",)
EVERY = timedelta(minutes=30)
CREDIT = Credit("NOAA/National Hurricane Center", "public domain", "https://www.nhc.noaa.gov")
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "hurricanes"
adapter = "nhc_storms"
every = "30m"
""",
        },
    ],
    "facts": [
        ["What is asked", "one short document of the storms of the Atlantic and the eastern and central Pacific"],
        ["Limits", "not published; advisories come every six hours, every three near land"],
        ["Terms", "public domain"],
        ["History", "none: the document holds the present storms"],
        ["Place", "the centre; as radius a round 200 km from tropical storm strength on, for the document gives none"],
        ["Updates", "one occurrence for each storm, its label `advisory` says by which one"],
        ["End", "a storm leaves the document without a word: twelve hours after its last advisory"],
    ],
}
_ADDRESS = "https://www.nhc.noaa.gov/CurrentStorms.json"
_CLASSES = {
    "HU": "Hurricane",
    "MH": "Major hurricane",
    "TS": "Tropical storm",
    "STS": "Subtropical storm",
    "TD": "Tropical depression",
    "STD": "Subtropical depression",
    "PTC": "Post-tropical cyclone",
    "PC": "Potential tropical cyclone",
}
_GALE_KM = 200.0
_M_S_PER_KNOT = 1852 / 3600
_STORM_KT, _HURRICANE_KT, _MAJOR_KT = 34, 64, 96


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - the document is asked whole
    """The document of present storms."""
    return [Request(source.url or _ADDRESS)]


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each storm, as of its last advisory."""
    storms = monitors.object_in(delivery, "CurrentStorms.json").get("activeStorms")
    if not isinstance(storms, list):
        raise UnrecognisedError("not CurrentStorms.json: no activeStorms")
    return monitors.several(storms, lambda one: _event(payload.object_of(one), delivery), "storm")


def _event(storm: Mapping[str, Any], delivery: Delivery) -> Event:
    place = payload.place_of({"latitude": storm.get("latitudeNumeric"), "longitude": storm.get("longitudeNumeric")})
    knots = payload.number_at(storm, "intensity", 0, 250) if monitors.is_said(storm.get("intensity")) else None
    word = _CLASSES.get(payload.title_of(storm.get("classification"), 10) or "", "Tropical cyclone")
    advisory = payload.object_of(storm.get("publicAdvisory"))
    gale = knots is not None and knots >= _STORM_KT
    return hazards.event_of(
        delivery,
        key=storm.get("id"),
        event=word,
        title=f"{word} {payload.title_of(storm.get('name')) or ''}".strip(),
        said_at=monitors.instant(storm.get("lastUpdate"), "lastUpdate", delivery),
        patience=timedelta(hours=12),
        area=hazards.area_of(circle=(*place, _GALE_KM if gale else 0.0)),
        severity=_severity(knots),
        labels={
            "advisory": advisory.get("advNum"),
            "classification": storm.get("classification"),
            "wind_m_s": f"{knots * _M_S_PER_KNOT:.0f}" if knots is not None else None,
            "pressure_hpa": storm.get("pressure"),
            "movement_degrees": storm.get("movementDir"),
            "radius": "200 km, a round figure for gales: the feed gives none" if gale else None,
        },
        url=advisory.get("url"),
    )


def _severity(knots: float | None) -> Severity:
    """By the classes of wind: depression, storm, hurricane, major hurricane."""
    if knots is None:
        return Severity.UNKNOWN
    steps = ((_MAJOR_KT, Severity.CRITICAL), (_HURRICANE_KT, Severity.ERROR), (_STORM_KT, Severity.WARNING))
    return next((severity for least, severity in steps if knots >= least), Severity.INFO)
