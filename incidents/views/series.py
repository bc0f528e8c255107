"""Series: the readings near a site and of its grid area, as known at a moment; and whom to name beneath them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents.adapters import credit_of
from incidents.config import Config
from incidents.geography import outlines
from incidents.model import Occurrence, Site
from incidents.statements import READING
from incidents.views.view import Point, Series

READINGS = 50_000
"""Most readings near a site that one view looks at, the newest first."""
NEAR_KM = 50.0
"""How far a station may lie from a site to stand for its weather."""
WEATHER = {"temperature_c": "dry_bulb_c", "wet_bulb_c": "wet_bulb_c", "dew_point_c": "dew_point_c"}
"""Variables that the weather lane draws, with the design limit that each is held against."""


def credits_of(config: Config, shown: Iterable[Occurrence], readings: Iterable[Series]) -> tuple[str, ...]:
    """Whom to name beneath what shows these: each once, in the order of the alphabet."""
    named = {s.credit for s in readings if s.credit}
    named |= {line for name in {o.source for o in shown} if (line := source_credit(config, name))}
    return tuple(sorted(named))


def source_credit(config: Config, name: str) -> str | None:
    """The line that names whoever publishes what a source says; None where nobody asks for one."""
    source = config.source(name)
    return credit_of(source.adapter) if source else None


def series(
    connection: sa.Connection,
    site: Site,
    since: datetime,
    until: datetime,
    *,
    as_of: datetime,
    config: Config | None = None,
) -> list[Series]:
    """The weather at a site as known at a moment: for each variable the nearest station, one series for each basis."""
    reach = NEAR_KM / max(1.0, 111.0 * math.cos(math.radians(site.latitude)))
    near = sa.select(READING).where(
        READING.c.variable.in_(tuple(WEATHER)),
        READING.c.at.between(since - timedelta(hours=1), until + timedelta(hours=1)),
        READING.c.recorded_at <= as_of,
        READING.c.latitude.between(site.latitude - 1, site.latitude + 1),
        READING.c.longitude.between(site.longitude - reach, site.longitude + reach),
    )
    by_station: dict[tuple[str, str], dict[tuple[str, datetime], Any]] = defaultdict(dict)
    distances: dict[tuple[str, str], float] = {}
    for row in connection.execute(near.order_by(READING.c.recorded_at.desc(), READING.c.id.desc()).limit(READINGS)):
        distance = outlines.distance_km(site.latitude, site.longitude, row.latitude, row.longitude)
        if distance <= NEAR_KM:
            station = row.variable, station_of(row)
            distances[station] = distance
            by_station[station].setdefault((row.basis, row.at), row)
    found = []
    for variable, limit in WEATHER.items():
        stations = sorted((distances[key], key) for key in by_station if key[0] == variable)
        if not stations:
            continue
        distance, key = stations[0]
        rows = by_station[key]
        for basis in sorted({b for b, _ in rows}):
            points = sorted((row.at, row.value) for (b, _), row in rows.items() if b == basis)
            of_basis = [row for (b, _), row in rows.items() if b == basis]
            credit = next((row.credit for row in of_basis if row.credit), None)
            if credit is None and config is not None:
                credit = source_credit(config, of_basis[0].source)
            found.append(
                Series(
                    variable=variable,
                    site=site.name,
                    points=tuple(Point(at, value) for at, value in points),
                    basis=basis,
                    station=key[1],
                    limit=site.limits.get(limit),
                    limit_name=limit if limit in site.limits else None,
                    distance_km=round(distance, 1),
                    credit=credit,
                )
            )
    return found


def station_of(row: Any) -> str:  # noqa: ANN401  # a row of ReadingRow's columns
    """What a reading of a point is told apart by: its station, else its place."""
    return str(row.station or f"{row.latitude:.2f}, {row.longitude:.2f}")


def grid_series(
    connection: sa.Connection, config: Config, site: Site, since: datetime, until: datetime, *, as_of: datetime
) -> list[Series]:
    """The grid area of a site as known at a moment: a series for each variable, source and basis."""
    if not site.grid_area:
        return []
    told = sa.select(READING).where(
        READING.c.grid_area == site.grid_area,
        READING.c.at.between(since - timedelta(hours=1), until + timedelta(hours=1)),
        READING.c.recorded_at <= as_of,
    )
    found: dict[tuple[str, str, str], dict[datetime, Any]] = defaultdict(dict)
    for row in connection.execute(told.order_by(READING.c.recorded_at.desc(), READING.c.id.desc()).limit(READINGS)):
        found[row.variable, row.source, row.basis].setdefault(row.at, row)
    return [
        Series(
            variable=variable,
            site=site.name,
            points=tuple(Point(at, row.value) for at, row in sorted(rows.items())),
            basis=basis,
            station=site.grid_area,
            credit=next((row.credit for row in rows.values() if row.credit), None) or source_credit(config, source),
        )
        for (variable, source, basis), rows in sorted(found.items())
    ]
