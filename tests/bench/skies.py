"""A made-up sky to measure with: warnings with outlines and zones over ten years, hourly readings, sites."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import cos, pi, radians, sin

from incidents import fold
from incidents.model import Area, Event, Occurrence, Reading, Said, Severity, Site

UNTIL = datetime(2026, 7, 15, 20, tzinfo=UTC)
YEARS = 10
SITE = Site("iad", "Ashburn", 39.04, -77.49, zones=("XXC107", "XXZ505"), limits={"dry_bulb_c": 38.0})
HERE = 0.02
"""The share of warnings that cover the site: two hundred a year."""
_KINDS = (
    ("Severe Thunderstorm Warning", Severity.ERROR, 0.75, 12),
    ("Flash Flood Warning", Severity.ERROR, 4.0, 24),
    ("Heat Advisory", Severity.WARNING, 10.0, 40),
    ("Wind Advisory", Severity.WARNING, 12.0, 60),
    ("Winter Storm Warning", Severity.ERROR, 30.0, 60),
)
"""In the words of warning services: the event, its severity, the hours it lasts and the vertices of its outline."""


def warnings(count: int, seed: int = 7) -> Iterator[Occurrence]:
    """So many warnings over the years before `UNTIL`, the last five of them in force here at that hour."""
    chance = random.Random(seed)
    for number in range(count):
        event, severity, hours, vertices = chance.choice(_KINDS)
        began = UNTIL - timedelta(hours=chance.uniform(6, YEARS * 8766))
        here = chance.random() < HERE
        if number >= count - len(_KINDS):
            event, severity, hours, vertices = _KINDS[number - count + len(_KINDS)]
            began, here, hours = UNTIL - timedelta(minutes=20), True, max(hours, 2.0)
        yield warning(number, event, severity, began, began + timedelta(hours=hours), here=here, chance=chance,
                      vertices=vertices)  # fmt: skip


def warning(
    number: int, event: str, severity: Severity, began: datetime, ends: datetime, *, here: bool,
    chance: random.Random, vertices: int,
) -> Occurrence:  # fmt: skip
    """One warning as folded: an outline around the site or anywhere in the country, and the zones it names."""
    latitude = SITE.latitude if here else chance.uniform(26, 48)
    longitude = SITE.longitude if here else chance.uniform(-123, -70)
    zones = tuple(f"XXC{chance.randrange(3000):04d}" for _ in range(chance.randrange(3, 20)))
    said = Event(
        key=f"w{number}", kind="hazard", title=f"{event} {number}", event=event, severity=severity, starts_at=began,
        ends_at=ends, area=Area(_outline(latitude, longitude, chance.uniform(15, 60), vertices), zones=zones),
    )  # fmt: skip
    return fold.occurrence([Said(said, f"{number:064x}", "nws", began, began)])


def _outline(latitude: float, longitude: float, radius_km: float, vertices: int) -> dict[str, object]:
    high, wide = radius_km / 111, radius_km / 111 / cos(radians(latitude))
    ring = [
        [
            round(longitude + wide * cos(2 * pi * n / vertices), 3),
            round(latitude + high * sin(2 * pi * n / vertices), 3),
        ]
        for n in range(vertices)
    ]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def readings(hours: int) -> Iterator[Reading]:
    """Hourly temperatures at a station near the site, up to `UNTIL`: a year's and a day's wave, and noise."""
    chance = random.Random(11)
    for back in range(hours, -1, -1):
        at = UNTIL - timedelta(hours=back)
        season, day = cos(2 * pi * (at.timetuple().tm_yday - 200) / 365), cos(2 * pi * (at.hour - 20) / 24)
        value = 13 + 12 * season + 5 * day + chance.gauss(0, 3)
        yield Reading("temperature_c", at, round(value, 1), 38.95, -77.45, station="station")


def sites(count: int) -> tuple[Site, ...]:
    """So many sites over the country, the first of them ours."""
    chance = random.Random(13)
    return (
        SITE,
        *(
            Site(f"s{n}", f"Site {n}", chance.uniform(26, 48), chance.uniform(-123, -70), zones=(f"XXC{n:04d}",))
            for n in range(1, count)
        ),
    )
