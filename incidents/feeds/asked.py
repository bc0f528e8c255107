"""What feeds were asked, and when they did not answer: the negative evidence of a window.

An answer holds for one interval. A feed that was asked and found nothing is evidence; one that was not asked, or did
not answer, is a gap. Answers that could not be read are none, until a better adapter reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from incidents.adapters import adapters
from incidents.config import Config
from incidents.deliveries import STAMP
from incidents.entries import OCCURRENCE
from incidents.feeds.polls import ASKED, PATIENCE, POLL, WHOLE
from incidents.lanes import reading_lane
from incidents.model import Lane, Source
from incidents.statements import READING
from incidents.views.view import Coverage, Gap

FAILED_PATIENCE = 1.5
"""How many intervals may pass between two answers when an asking between them failed."""
OUTSIDE: tuple[Lane, ...] = ("weather", "warnings", "grid", "providers")
"""The lanes of the outside world, which feeds speak of."""

OTHER: Lane = "warnings"
"""Where the silence of a feed is drawn of which it is not known what it speaks of."""
_LONGEST_SECONDS = 86_400

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Run:
    """Askings of one request that went alike. `reason` is None for answers that could be read."""

    first_at: datetime
    last_at: datetime
    every: timedelta
    reason: str | None = None


@dataclass(slots=True)
class Record:
    """What is known of the askings of one request around a window."""

    site: str | None = None
    runs: list[Run] = field(default_factory=list)
    began_at: datetime | None = None
    """When it was asked for the first time; where that was before the window, some time before it."""
    goes_on: bool = False
    """Whether it is still asked: what is not asked any more owes no answer."""


def silences(record: Record, since: datetime, until: datetime) -> list[tuple[datetime, datetime, str | None]]:
    """The stretches of [since, until] without an answer that held, each with the reason that was given, if one was.

    A silence begins with the first failed asking, else one interval after the last answer. What was before the first
    asking is no silence: nobody asked.
    """
    runs = sorted(record.runs, key=lambda run: run.first_at)
    good = [run for run in runs if run.reason is None]
    found: list[tuple[datetime, datetime, str | None]] = []
    if not good or good[0].first_at > since:
        found += _before_first(record, runs, good, until)
    for n, run in enumerate(good):
        following = good[n + 1] if n + 1 < len(good) else None
        if following is None and not record.goes_on:
            break
        found += _after(run, following, runs, until)
    cut = [(max(a, since), min(b, until), reason) for a, b, reason in found]
    return [(a, b, reason) for a, b, reason in cut if a < b]


def _before_first(
    record: Record, runs: Sequence[Run], good: Sequence[Run], until: datetime
) -> list[tuple[datetime, datetime, str | None]]:
    ends = good[0].first_at if good else until
    failed = next((run for run in runs if run.reason is not None and run.first_at < ends), None)
    if failed is not None:
        begins = failed.first_at if failed.first_at == record.began_at else record.began_at or failed.first_at
        ends = ends if good or record.goes_on else failed.last_at
        return [(begins, ends, failed.reason)]
    if record.began_at is not None and record.began_at < ends and (good or record.goes_on):
        return [(record.began_at, ends, None)]
    return []


def _after(
    run: Run, following: Run | None, runs: Sequence[Run], until: datetime
) -> list[tuple[datetime, datetime, str | None]]:
    ends = following.first_at if following else until
    failed = next((r for r in runs if r.reason is not None and run.last_at < r.first_at < ends), None)
    patience = PATIENCE if failed is None else FAILED_PATIENCE
    if ends - run.last_at <= run.every * patience:
        return []
    begins = run.last_at + run.every
    return [(min(begins, failed.first_at) if failed else begins, ends, failed.reason if failed else None)]


def without(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What is left of these stretches when others are taken out of them."""
    left = list(spans)
    for begins, ends in holes:
        cut: list[Span] = []
        for a, b in left:
            cut += [(x, y) for x, y in ((a, min(b, begins)), (max(a, ends), b)) if x < y]
        left = cut
    return left


def polled(connection: sa.Connection, config: Config) -> set[str]:
    """The sources that were ever asked, or are about to be."""
    return {source.name for source in config.sources if is_feed(source) and _is_polled(connection, source.name)}


def is_feed(source: Source) -> bool:
    """Whether its adapter asks, so that nobody need send."""
    adapter = adapters().get(source.adapter)
    return adapter is not None and adapter.requests is not None


def _is_polled(connection: sa.Connection, source: str) -> bool:
    about_to_be = sa.select(POLL.c.source).where(POLL.c.source == source).limit(1)
    asked = sa.select(ASKED.c.source).where(ASKED.c.source == source).limit(1)
    return any(connection.execute(query).first() is not None for query in (about_to_be, asked))


def gaps_of(connection: sa.Connection, source: Source, lane: Lane, since: datetime, until: datetime) -> list[Gap]:
    """Where a polled source did not answer in a window, each stretch once for each site that it was asked for."""
    records = _records(connection, source.name, since, until)
    return _gaps(records, _filled(connection, source.name, since, until), source.name, lane, (since, until))


def _gaps(
    records: Iterable[Record],
    filled: Mapping[str | None, Sequence[Span]],
    source: str,
    lane: Lane,
    window: Span,
) -> list[Gap]:
    by_site: dict[str | None, list[Gap]] = defaultdict(list)
    for record in records:
        holes = [*filled.get(None, ()), *filled.get(record.site, ())]
        for a, b, reason in silences(record, *window):
            by_site[record.site] += [
                Gap(lane, source, x, y, site=record.site, reason=reason) for x, y in without([(a, b)], holes)
            ]
    return [gap for found in by_site.values() for gap in joined(found)]


def joined(gaps: Iterable[Gap]) -> list[Gap]:
    """Gaps of one source with those that touch made one, in the order of time."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda g: (g.since, g.until)):
        if found and gap.since <= found[-1].until:
            last = found.pop()
            found.append(
                Gap(
                    last.lane,
                    last.source,
                    last.since,
                    max(last.until, gap.until),
                    site=last.site if last.site == gap.site else None,
                    reason=last.reason or gap.reason,
                )
            )
        else:
            found.append(gap)
    return found


def _records(connection: sa.Connection, source: str, since: datetime, until: datetime) -> list[Record]:
    """The runs of each request of a source that may tell something of a window."""
    on = {row.request: row for row in connection.execute(sa.select(POLL).where(POLL.c.source == source))}
    longest = max((row.every_seconds for row in on.values()), default=_LONGEST_SECONDS)
    slack = timedelta(seconds=longest) * PATIENCE
    query = (
        sa.select(ASKED, STAMP.c.state.label("state"), STAMP.c.reason.label("unread"))
        .outerjoin(STAMP, STAMP.c.delivery_id == ASKED.c.delivery_id)
        .where(
            ASKED.c.source == source,
            ASKED.c.since.is_(None),
            ASKED.c.last_at >= since - slack,
            ASKED.c.first_at <= until + slack,
        )
    )
    kept: dict[str, Record] = {name: Record(row.site, goes_on=True) for name, row in on.items()}
    for row in connection.execute(query):
        record = kept.setdefault(row.request, Record(row.site))
        record.runs.append(Run(row.first_at, row.last_at, timedelta(seconds=row.every_seconds), failure_of(row)))
    for request, record in kept.items():
        first = min((run.first_at for run in record.runs), default=None)
        # Who was asked before the window was: how long before does not matter.
        record.began_at = first if first and first <= since else began_at(connection, source, request)
    return list(kept.values())


def began_at(connection: sa.Connection, source: str, request: str) -> datetime | None:
    """When a request was asked for the first time."""
    query = sa.select(ASKED.c.first_at).where(
        ASKED.c.source == source, ASKED.c.request == request, ASKED.c.since.is_(None)
    )
    found: datetime | None = connection.execute(query.order_by(ASKED.c.id).limit(1)).scalar()
    return found


def failure_of(row: Any) -> str | None:  # noqa: ANN401  # a row of `asked` or `poll` with its stamp's `state` and `unread`
    """Why an asking brought nothing; None where it brought an answer that could be read."""
    if row.state == "quarantined":
        return f"its answer could not be read: {row.unread or 'no reason given'}"[:500]
    if getattr(row, "outcome", None) == "failed":
        return row.reason or "no reason given"
    return None


def _filled(connection: sa.Connection, source: str, since: datetime, until: datetime) -> dict[str | None, list[Span]]:
    """The windows of the past that were asked for afterwards, and answered in full, by site."""
    query = sa.select(ASKED.c.site, ASKED.c.since, ASKED.c.until).where(
        ASKED.c.source == source,
        ASKED.c.request == WHOLE,
        ASKED.c.outcome == "answered",
        ASKED.c.since <= until,
        ASKED.c.until >= since,
    )
    found: dict[str | None, list[Span]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.site].append((row.since, row.until))
    return found


# --- coverage -------------------------------------------------------------------------------------------------------


def coverage(
    connection: sa.Connection, config: Config, since: datetime, until: datetime, sites: Collection[str]
) -> tuple[Coverage, ...]:
    """What each kind of feed knows of a window at these sites: asked throughout, asked in part, down, or not asked.

    A lane that only senders speak of, who speak when something happens, has no row: their silence says nothing.
    """
    asked = polled(connection, config)
    spoken = lanes_spoken(connection)
    heard = set().union(*spoken.values()) | ({"weather"} if _has_reading(connection) else set())
    by_lane: dict[Lane | None, list[Source]] = defaultdict(list)
    for source in config.sources:
        if source.name in asked:
            for lane in lanes_of(connection, source, spoken) or (None,):
                by_lane[lane].append(source)
    rows: list[Coverage] = []
    for lane in (*OUTSIDE, None):
        rows += [_covered(connection, source, lane, (since, until), sites) for source in by_lane[lane]]
        if lane and not by_lane[lane] and lane not in heard:
            rows.append(Coverage(lane, None, unasked=((since, until),)))
    return tuple(rows)


def _covered(
    connection: sa.Connection, source: Source, lane: Lane | None, window: Span, sites: Collection[str]
) -> Coverage:
    records = [r for r in _records(connection, source.name, *window) if r.site is None or r.site in sites]
    filled = _filled(connection, source.name, *window)
    holes = [span for site, spans in filled.items() if site is None or site in sites for span in spans]
    first = min((r.began_at for r in records if r.began_at is not None), default=window[1])
    unasked = without([(window[0], min(first, window[1]))] if first > window[0] else [], holes)
    gaps = joined(_gaps(records, filled, source.name, lane or OTHER, window))
    return Coverage(lane, source.name, tuple(gaps), tuple(unasked))


def lanes_spoken(connection: sa.Connection) -> dict[str, set[str]]:
    """The lanes in which each source has spoken of the outside world, its readings left out."""
    found: dict[str, set[str]] = defaultdict(set)
    # With the kinds named, the index on them is used: alerts may be many.
    outside = OCCURRENCE.c.kind.in_(("hazard", "provider_incident", "change"))
    for row in connection.execute(sa.select(OCCURRENCE.c.source, OCCURRENCE.c.lane).where(outside).distinct()):
        found[row.source].add(row.lane)
    return found


def lanes_of(connection: sa.Connection, source: Source, spoken: Mapping[str, Collection[str]]) -> tuple[Lane, ...]:
    """The lanes that a feed speaks of: those that its adapter declares, and those it has spoken in."""
    adapter = adapters().get(source.adapter)
    declared = adapter.lanes if adapter else ()
    lanes = {*declared, *cast("Collection[Lane]", spoken.get(source.name, ()))}
    if not declared and _has_measured(connection, source.name):
        query = sa.select(READING.c.variable).where(READING.c.source == source.name).limit(1)
        lanes |= {reading_lane(variable) for variable in connection.execute(query).scalars()}
    return tuple(sorted(lanes))


def _has_measured(connection: sa.Connection, source: str) -> bool:
    # Stamps have an index on their source, readings have none.
    query = sa.select(STAMP.c.delivery_id).where(
        STAMP.c.source == source, STAMP.c.state == "read", STAMP.c.readings > 0
    )
    return connection.execute(query.limit(1)).first() is not None


def _has_reading(connection: sa.Connection) -> bool:
    return connection.execute(sa.select(READING.c.id).limit(1)).first() is not None
