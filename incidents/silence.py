"""What was not heard: stretches in which a source that should speak did not, and why a lane is empty."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa

from incidents.config import Config
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY, STAMP
from incidents.entries import OCCURRENCE
from incidents.ingest import READING
from incidents.instants import LATEST
from incidents.model import Lane, Site, Source
from incidents.store import first_id
from incidents.view import Gap

PATIENCE = 2.5
"""How many of its intervals a source may be silent before it counts as a gap."""

EMPTY = {
    "weather": ("no reading within 50 km", "not asked: no source of readings"),
    "warnings": ("no warning linked", "not asked: no source of warnings"),
    "grid": ("no notice linked", "not asked: no source of grid notices"),
    "providers": ("no post linked", "not asked: no source of provider incidents"),
    "changes": ("no change recorded", "not asked: no source of changes"),
    "site": ("no alert on power or cooling", ""),
    "hardware": ("no alert on hosts or racks", ""),
    "network": ("no alert on paths", ""),
    "platform": ("no alert on services", ""),
    "people": ("nothing entered yet", ""),
}
"""What an empty lane says: when some source speaks of it, and when none ever has."""


def silence_of(connection: sa.Connection, config: Config, heard: Iterable[str]) -> dict[str, str]:
    """What each lane that is not in `heard` says of itself."""
    spoken = _lanes_spoken(connection) if config.sources else set()
    return {
        lane: said if not unasked or lane in spoken else unasked
        for lane, (said, unasked) in EMPTY.items()
        if lane not in set(heard)
    }


def _lanes_spoken(connection: sa.Connection) -> set[str]:
    outside = sa.select(OCCURRENCE.c.lane).where(OCCURRENCE.c.kind != "alert").distinct()
    lanes = set(connection.execute(outside).scalars())
    if connection.execute(sa.select(READING.c.id).limit(1)).first():
        lanes.add("weather")
    return lanes


def source_gaps(connection: sa.Connection, config: Config, since: datetime, until: datetime) -> tuple[Gap, ...]:
    """Where sources with an interval were silent for more than `PATIENCE` of them, cut to the window."""
    found = []
    for source in config.sources:
        if source.every_seconds:
            found += _gaps(connection, source, since, until)
    return tuple(sorted(found, key=lambda gap: (gap.since, gap.source)))


def gaps_at(connection: sa.Connection, gaps: Iterable[Gap], sites: Sequence[Site]) -> tuple[Gap, ...]:
    """The gaps that matter at these sites: a source of readings concerns only the places that it has measured."""
    return tuple(gap for gap in gaps if gap.lane != "weather" or _measures(connection, gap.source, sites))


def _measures(connection: sa.Connection, source: str, sites: Sequence[Site]) -> bool:
    near = [
        READING.c.latitude.between(site.latitude - 0.5, site.latitude + 0.5)
        & READING.c.longitude.between(site.longitude - 0.7, site.longitude + 0.7)
        for site in sites
    ]
    query = sa.select(READING.c.id).where(READING.c.source == source, sa.or_(sa.false(), *near)).limit(1)
    return connection.execute(query).first() is not None


def _gaps(connection: sa.Connection, source: Source, since: datetime, until: datetime) -> list[Gap]:
    assert source.every_seconds
    every = timedelta(seconds=source.every_seconds)
    low, high = first_id(since - every * PATIENCE), first_id(until + every * PATIENCE)
    heard = list(
        connection.execute(
            sa.select(DELIVERY.c.received_at)
            # A page of HTML in place of a feed is no answer: what was quarantined does not end a silence.
            .join(STAMP, (STAMP.c.delivery_id == DELIVERY.c.id) & (STAMP.c.state == "read"))
            .where(DELIVERY.c.source == source.name, DELIVERY.c.id.between(low, high))
            .order_by(DELIVERY.c.id)
        ).scalars()
    )
    if not heard and not _ever_before(connection, source, low):
        since = max(since, _applied_at(connection, source))
    lane = lane_of_source(connection, source)
    return [
        Gap(lane, source.name, max(a, since), min(b, until))
        for a, b in quiet_stretches(heard, every, since, until)
        if max(a, since) < min(b, until)
    ]


def quiet_stretches(
    heard: Sequence[datetime], every: timedelta, since: datetime, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Stretches of [since, until] without a word for more than `PATIENCE` intervals; each begins one interval late.

    What was said holds for one interval, so the silence begins an interval after the last word.
    """
    points = [since - every, *heard, until + every]
    if heard:
        points[0] = min(points[0], heard[0]) if heard[0] <= since else points[0]
    return [(a + every, b) for a, b in itertools.pairwise(points) if b - a > every * PATIENCE]


def _applied_at(connection: sa.Connection, source: Source) -> datetime:
    """Since when a source is configured: from then on it should have spoken."""
    found: datetime | None = connection.execute(
        sa.select(CONFIGURED.c.applied_at).where(CONFIGURED.c.kind == "source", CONFIGURED.c.name == source.name)
    ).scalar()
    return found or LATEST


def _ever_before(connection: sa.Connection, source: Source, low: int) -> bool:
    return (
        connection.execute(
            sa.select(DELIVERY.c.id).where(DELIVERY.c.source == source.name, DELIVERY.c.id < low).limit(1)
        ).first()
        is not None
    )


def lane_of_source(connection: sa.Connection, source: Source) -> Lane:
    """The lane that a source's silence is drawn in: weather for readings, else the lane it speaks of."""
    if connection.execute(sa.select(READING.c.id).where(READING.c.source == source.name).limit(1)).first():
        return "weather"
    lane = connection.execute(sa.select(OCCURRENCE.c.lane).where(OCCURRENCE.c.source == source.name).limit(1)).scalar()
    return cast("Lane", lane or "platform")
