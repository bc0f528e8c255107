"""What was not heard: stretches in which a source that should speak did not, and why a lane is empty."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from incidents.config import Config
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY, STAMP
from incidents.entries import OCCURRENCE
from incidents.feeds.asked import Span, gaps_of
from incidents.feeds.coverage import OTHER, lanes_of, polled
from incidents.feeds.polls import PATIENCE
from incidents.feeds.scope import is_feed
from incidents.instants import LATEST
from incidents.model import Lane, Site, Source
from incidents.receipts import first_id
from incidents.statements import READING
from incidents.tables import TombstoneRow, instant
from incidents.views.view import Coverage, Gap

TOMBSTONE = TombstoneRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

_OUTSIDE = ("hazard", "provider_incident", "change")
_OF_LANES = {
    "weather": "reading",
    "warnings": "hazard",
    "grid": "hazard",
    "providers": "provider_incident",
    "changes": "change",
}
"""The class of statements that each lane of the outside world is made of."""

EMPTY = {
    "weather": ("no reading within 50 km; no feed asked here", "not asked: no source of readings"),
    "warnings": ("no warning linked; no feed asked here", "not asked: no source of warnings"),
    "grid": ("no notice linked; no feed asked here", "not asked: no source of grid notices"),
    "providers": ("no post linked; no feed asked here", "not asked: no source of provider incidents"),
    "changes": ("no change recorded", "not asked: no source of changes"),
    "site": ("no alert on power or cooling", ""),
    "hardware": ("no alert on hosts or racks", ""),
    "network": ("no alert on paths", ""),
    "platform": ("no alert on the platform", ""),
    "service": ("no alert on services", ""),
    "people": ("nothing entered yet", ""),
}
"""What an empty lane says where no feed is asked for the incident's sites: when some sender speaks of it, and when none
ever has. Senders speak when something happens, and nobody knows of which sites they would."""


ASKED = {
    "weather": "asked, no reading within 50 km",
    "warnings": "asked, no warning here",
    "grid": "asked, no notice here",
    "providers": "asked, no incident here",
}
"""What an empty lane says when its feeds were asked throughout."""


def silence_of(
    connection: sa.Connection,
    config: Config,
    heard: Iterable[str],
    coverage: Sequence[Coverage] = (),
    *,
    until: datetime | None = None,
    zone: str = "UTC",
    since: datetime | None = None,
) -> dict[str, str]:
    """What each lane that is not in `heard` says of itself; `coverage` ends at `until`, clock times are in `zone`.

    Of what was about the time between `since` and `until` and dropped for its age it says so: no calm, and no gap.
    """
    dropped = _dropped_lanes(connection, since, until, zone) if since and until else {}
    spoken = _lanes_spoken(connection) if config.sources else set()
    feeds: dict[str, list[Coverage]] = defaultdict(list)
    for row in coverage:
        if row.lane and row.source:
            feeds[row.lane].append(row)
    return {
        lane: dropped[lane]
        if lane in dropped
        else _of_feeds(lane, feeds[lane], until, zone)
        if feeds[lane]
        else said
        if not unasked or lane in spoken
        else unasked
        for lane, (said, unasked) in EMPTY.items()
        if lane not in set(heard)
    }


def _dropped_lanes(connection: sa.Connection, since: datetime, until: datetime, zone: str) -> dict[str, str]:
    """The lanes of which something that was about a window is no more."""
    met = sa.select(TOMBSTONE.c.kind, sa.func.max(TOMBSTONE.c.dropped_at)).where(
        sa.func.coalesce(TOMBSTONE.c.about_since, TOMBSTONE.c.first_at) <= until,
        sa.func.coalesce(TOMBSTONE.c.about_until, TOMBSTONE.c.last_at) >= since,
    )
    found = {row.kind: row[1] for row in connection.execute(met.group_by(TOMBSTONE.c.kind))}
    return {
        lane: f"dropped for its age on {found[kind].astimezone(ZoneInfo(zone)):%Y-%m-%d}; what was here is not known"
        for lane, kind in _OF_LANES.items()
        if kind in found
    }


def _of_feeds(lane: str, rows: Sequence[Coverage], until: datetime | None, zone: str) -> str:
    """What an empty lane says of its feeds: the last silence is told, for what was missed may have been the thing."""
    never = [row.source for row in rows if not row.heard]
    if never:
        return f"{len(never)} of {len(rows)} feeds never answered" if rows[1:] else f"{never[0]} has never answered"
    gaps = [gap for row in rows for gap in row.gaps]
    if gaps:
        last = max(gaps, key=lambda gap: (gap.until, gap.since))
        if last.state == "waiting":
            return f"{last.source} not asked yet since {_clock(last.since, zone)}"
        if last.until == until:
            return f"{last.source} down since {_clock(last.since, zone)}"
        return f"{last.source} did not answer {_clock(last.since, zone)}–{_clock(last.until, zone)}"
    if all(row.unasked for row in rows):
        return "not asked at the time"
    said = ASKED.get(lane, "asked, nothing found")
    return f"{said}; not all feeds asked" if any(row.unasked for row in rows) else said


def _clock(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M}"


def _lanes_spoken(connection: sa.Connection) -> set[str]:
    # Named one by one, so that the index by kind skips the alerts, which may be a million.
    outside = sa.select(OCCURRENCE.c.lane).where(OCCURRENCE.c.kind.in_(_OUTSIDE)).distinct()
    lanes = set(connection.execute(outside).scalars())
    if connection.execute(sa.select(READING.c.id).limit(1)).first():
        lanes.add("weather")
    # What was dropped was said once.
    gone = set(connection.execute(sa.select(TOMBSTONE.c.kind).distinct()).scalars())
    return lanes | {lane for lane, kind in _OF_LANES.items() if kind in gone}


def source_gaps(
    connection: sa.Connection, config: Config, since: datetime, until: datetime, *, as_of: datetime | None = None
) -> tuple[Gap, ...]:
    """Where sources with an interval were silent for more than `PATIENCE` of them, cut to the window."""
    found: list[Gap] = []
    asked = {source.name for source in polled(connection, config)}
    for source in config.sources:
        if source.name in asked:
            lane = lane_of_source(connection, source)
            found += gaps_of(connection, source, lane, since, until, sites=config.sites, as_of=as_of)
        elif source.every_seconds:
            found += _gaps(connection, source, since, until)
    return tuple(sorted(found, key=lambda gap: (gap.since, gap.source)))


def gaps_at(connection: sa.Connection, gaps: Iterable[Gap], sites: Sequence[Site]) -> tuple[Gap, ...]:
    """The gaps that matter at these sites: of feeds that tell of them, and of sources that have measured there."""
    names = {site.name for site in sites}
    return tuple(
        gap
        for gap in gaps
        if (gap.sites is not None and not gap.sites.isdisjoint(names))
        or (gap.sites is None and (gap.lane != "weather" or _measures(connection, gap.source, sites)))
    )


def _measures(connection: sa.Connection, source: str, sites: Sequence[Site]) -> bool:
    near = [
        READING.c.latitude.between(site.latitude - 0.5, site.latitude + 0.5)
        & READING.c.longitude.between(site.longitude - 0.7, site.longitude + 0.7)
        for site in sites
    ]
    own = sa.select(READING.c.id).where(READING.c.source == source).limit(1)
    if connection.execute(own.where(sa.or_(sa.false(), *near))).first() is not None:
        return True
    # Where all it measured was dropped nobody can tell where that was: its silence may matter anywhere.
    return _has_dropped_readings(connection, source) and connection.execute(own).first() is None


def _has_dropped_readings(connection: sa.Connection, source: str) -> bool:
    query = sa.select(TOMBSTONE.c.id).where(TOMBSTONE.c.kind == "reading", TOMBSTONE.c.source == source)
    return connection.execute(query.limit(1)).first() is not None


def _gaps(connection: sa.Connection, source: Source, since: datetime, until: datetime) -> list[Gap]:
    assert source.every_seconds
    every = timedelta(seconds=source.every_seconds)
    low, high = first_id(since - every * PATIENCE), first_id(until + every * PATIENCE)
    heard = [
        (at, at)
        for at in connection.execute(
            sa.select(DELIVERY.c.received_at)
            # A page of HTML in place of a feed is no answer: what was quarantined does not end a silence.
            .join(STAMP, (STAMP.c.delivery_id == DELIVERY.c.id) & (STAMP.c.state == "read"))
            .where(DELIVERY.c.source == source.name, DELIVERY.c.id.between(low, high))
            .order_by(DELIVERY.c.id)
        ).scalars()
    ]
    dropped = dropped_of(connection, source.name)
    heard += [(a, b) for a, b in dropped if a <= until + every * PATIENCE and b >= since - every * PATIENCE]
    before = any(a < since for a, _ in dropped) or _ever_before(connection, source, low)
    if not heard and not before:
        since = max(since, _applied_at(connection, source))
    lane = lane_of_source(connection, source)
    return [
        Gap(lane, source.name, max(a, since), min(b, until))
        for a, b in quiet_stretches(together(heard), every, since, until)
        if max(a, since) < min(b, until)
    ]


def dropped_of(connection: sa.Connection, source: str) -> list[Span]:
    """When a sender spoke without a silence, by what is kept of its deliveries that were dropped for their age.

    Where only their first and last moment is kept nobody can tell a silence between them: none is claimed.
    """
    query = sa.select(TOMBSTONE.c.first_at, TOMBSTONE.c.last_at, TOMBSTONE.c.heard).where(
        TOMBSTONE.c.kind == "delivery", TOMBSTONE.c.source == source
    )
    found: list[Span] = []
    for row in connection.execute(query):
        kept = row.heard is not None
        found += [(instant(a), instant(b)) for a, b in row.heard] if kept else [(row.first_at, row.last_at)]
    return together(found)


def together(spans: Iterable[Span]) -> list[Span]:
    """The stretches in order, those that overlap made one."""
    found: list[Span] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ends)
        else:
            found.append((begins, ends))
    return found


def quiet_stretches(heard: Sequence[Span], every: timedelta, since: datetime, until: datetime) -> list[Span]:
    """Stretches of [since, until] without a word for more than `PATIENCE` intervals; each begins one interval late.

    What was said holds for one interval, so the silence begins an interval after the last word. `heard` are stretches
    without a silence, in order and apart; one word is a stretch without length.
    """
    points = [(since - every, since - every), *heard, (until + every, until + every)]
    if heard and heard[0][0] <= since:
        del points[0]
    return [(a + every, b) for (_, a), (b, _) in itertools.pairwise(points) if b - a > every * PATIENCE]


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
    if is_feed(source):
        return next(iter(lanes_of(connection, source, _own_lanes(connection, source))), OTHER)
    if connection.execute(sa.select(READING.c.id).where(READING.c.source == source.name).limit(1)).first():
        return "weather"
    if _has_dropped_readings(connection, source.name):
        return "weather"
    lane = connection.execute(sa.select(OCCURRENCE.c.lane).where(OCCURRENCE.c.source == source.name).limit(1)).scalar()
    return cast("Lane", lane or "platform")


def _own_lanes(connection: sa.Connection, source: Source) -> dict[str, set[str]]:
    outside = OCCURRENCE.c.kind.in_(("hazard", "provider_incident", "change"))
    query = sa.select(OCCURRENCE.c.lane).where(outside, OCCURRENCE.c.source == source.name).limit(1)
    return {source.name: set(connection.execute(query).scalars())}
