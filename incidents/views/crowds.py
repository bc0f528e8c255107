"""Crowds: an incident of more alerts than marks can stand for, as counts by bin and as counted lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import cast

import sqlalchemy as sa

from incidents import counting, remains
from incidents.counting import COUNT
from incidents.entries import OCCURRENCE
from incidents.instants import EPOCH
from incidents.lanes import lane_of
from incidents.model import Lane, Occurrence, Severity
from incidents.redaction import redact
from incidents.sums import MINUTE, Sums
from incidents.tables import instant
from incidents.views.view import Bin, Density, Line, Trace

MARKS = 5000
"""Most alerts that are drawn and listed one by one."""
BINS = 90
"""About how many bins a window is cut into."""
STEPS = (10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 604_800)


def bin_seconds(since: datetime, until: datetime) -> int:
    """The round step that cuts a window into about `BINS` bins, in seconds."""
    wanted = (until - since).total_seconds() / BINS
    return next((step for step in STEPS if step >= wanted), STEPS[-1])


def density(
    connection: sa.Connection, incident: str, since: datetime, until: datetime, *, as_of: datetime | None = None
) -> Density:
    """How many of an incident's alerts began in each bin of a window, by lane and severity."""
    seconds = bin_seconds(since, until)
    if remains.has_sums(connection, incident):
        seconds = max(seconds, MINUTE)
    found: Counter[tuple[datetime, Lane, Severity]] = Counter()
    for part in counting.bins(connection, incident, since, until, seconds=seconds, as_of=as_of):
        found[part.at, part.lane, part.severity] += part.count
    bins = [Bin(lane, severity, at, count) for (at, lane, severity), count in found.items()]
    return Density(seconds, tuple(sorted(bins, key=lambda b: (b.at, b.lane, -b.severity.rank))), found.total())


def with_kept(
    density_: Density | None, kept: Sums, alerts: Iterable[Occurrence], since: datetime, until: datetime
) -> Density:
    """The counts of a window with those of which sums alone are kept: by the minute at the finest.

    `alerts` are those that are drawn one by one and counted nowhere yet.
    """
    seconds = max(density_.seconds if density_ else bin_seconds(since, until), MINUTE)
    found: Counter[tuple[datetime, Lane, Severity]] = Counter()
    for part in density_.bins if density_ else ():
        found[part.at, part.lane, part.severity] += part.count
    starts = [(one.starts_at, lane_of(one), one.severity, 1) for one in alerts]
    starts += [
        (EPOCH + timedelta(minutes=minute), cast("Lane", lane), Severity.of_rank(rank), count)
        for (minute, lane, rank), count in kept.minutes.items()
    ]
    for at, lane, severity, count in starts:
        if since <= at <= until:
            number = int((at - EPOCH).total_seconds()) // seconds
            found[EPOCH + timedelta(seconds=number * seconds), lane, severity] += count
    bins = [Bin(lane, severity, at, count) for (at, lane, severity), count in found.items()]
    return Density(seconds, tuple(sorted(bins, key=lambda b: (b.at, b.lane, -b.severity.rank))), found.total())


def runs(connection: sa.Connection, incident: str, as_of: datetime | None) -> list[Line]:
    """The alerts of a crowded incident as counted lines: unbroken runs of one name, in the order they began.

    Alternating names make runs of one; then a line stands for what began in one stretch of time in one lane.
    """
    counted = _runs(_in_order(connection, incident, as_of))
    if len(counted) > MARKS:
        counted = _stretches(_in_order(connection, incident, as_of), _stretch(connection, incident, as_of))
    ended = as_of is None
    return [_line(one, ended=ended) for one in sorted(counted, key=lambda one: (one.since, one.first))]


@dataclass(slots=True)
class _Run:
    """What alerts that stand together come to; instants in microseconds."""

    n: int
    names: set[str]
    since: int
    until: int
    recorded_at: int
    severity: int
    lane: Lane
    source: str
    first: str
    ended: int

    def add(self, other: _Run) -> None:
        self.n += other.n
        self.names |= other.names
        self.since, self.until = min(self.since, other.since), max(self.until, other.until)
        self.recorded_at = min(self.recorded_at, other.recorded_at)
        self.severity = max(self.severity, other.severity)
        self.lane, self.source = min(self.lane, other.lane), min(self.source, other.source)
        self.first = min(self.first, other.first)
        self.ended += other.ended


_Row = tuple[str, str, Lane, int, str, int, int | None, int]
"""Id, name, lane, severity, source, start, end, recorded: what lines are counted from, in microseconds."""
_AT_ONCE = 5000
"""Alerts that are summed together: of a run of a million no list is made."""


def _runs(rows: Iterator[_Row]) -> list[_Run]:
    """The unbroken runs of one name, at most one more than are listed."""
    found: list[_Run] = []
    for _, alike in groupby(rows, key=itemgetter(1)):
        run = _summed(list(islice(alike, _AT_ONCE)))
        while more := list(islice(alike, _AT_ONCE)):
            run.add(_summed(more))
        found.append(run)
        if len(found) > MARKS:
            break
    return found


def _stretches(rows: Iterator[_Row], width: int) -> list[_Run]:
    """What began in each stretch of so many microseconds, by lane."""
    found: dict[tuple[int, str], _Run] = {}
    for start, together in groupby(rows, key=lambda row: row[5] - row[5] % width):
        by_lane: dict[str, list[_Row]] = defaultdict(list)
        for row in together:
            by_lane[row[2]].append(row)
        found |= {(start, lane): _summed(own) for lane, own in by_lane.items()}
    return list(found.values())


def _summed(rows: Sequence[_Row]) -> _Run:
    ids, names, lanes, severities, sources, starts, ends, recorded = zip(*rows, strict=True)
    return _Run(
        n=len(rows), names=set(names), since=min(starts), until=max(starts), recorded_at=min(recorded),
        severity=max(severities), lane=min(lanes), source=min(sources), first=min(ids),
        ended=len(rows) - ends.count(None),
    )  # fmt: skip


def _stretch(connection: sa.Connection, incident: str, as_of: datetime | None) -> int:
    """How long a stretch is that one line stands for, in microseconds."""
    start = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    first, last = connection.execute(
        sa.select(sa.func.min(start), sa.func.max(start)).where(*_members(connection, incident, as_of))
    ).one()
    return max(60, (last - first) // 1_000_000 // BINS // 10) * 1_000_000


def _members(connection: sa.Connection, incident: str, as_of: datetime | None) -> tuple[sa.ColumnElement[bool], ...]:
    mine = OCCURRENCE.c.id.in_(counting.members_at(connection, incident, as_of))
    return (mine,) if as_of is None else (mine, OCCURRENCE.c.recorded_at <= as_of)


def _in_order(connection: sa.Connection, incident: str, as_of: datetime | None) -> Iterator[_Row]:
    """A crowd's alerts in the order in which they began."""
    wanted: tuple[sa.ColumnElement[bool], ...] | None = None
    if as_of is None:
        wanted = _whole_window(connection, incident)
    number = sa.BigInteger()
    columns = (
        OCCURRENCE.c.id, OCCURRENCE.c.name, OCCURRENCE.c.lane, OCCURRENCE.c.severity, OCCURRENCE.c.source,
        sa.type_coerce(OCCURRENCE.c.starts_at, number), sa.type_coerce(OCCURRENCE.c.ends_at, number),
        sa.type_coerce(OCCURRENCE.c.recorded_at, number),
    )  # fmt: skip
    query = sa.select(*columns).where(*(wanted or _members(connection, incident, as_of)))
    rows = connection.execute(query.order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id))
    for part in rows.partitions(_AT_ONCE):
        yield from part


def _whole_window(connection: sa.Connection, incident: str) -> tuple[sa.ColumnElement[bool], ...] | None:
    """That an alert began while those of an incident did, where that is true of no other alert.

    Then the index by start gives them in their order, and none is looked up by itself.
    """
    first, last, alerts = connection.execute(
        sa.select(sa.func.min(COUNT.c.minute), sa.func.max(COUNT.c.minute), sa.func.sum(COUNT.c.alerts)).where(
            COUNT.c.incident_id == incident, COUNT.c.alerts != 0
        )
    ).one()
    if not alerts or remains.has_sums(connection, incident):
        return None
    start = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    within = (OCCURRENCE.c.kind == "alert", start >= first, start < last + counting.MINUTE * 1_000_000)
    some = sa.select(sa.literal(1)).select_from(OCCURRENCE).where(*within).limit(int(alerts) + 1).subquery()
    there = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    # The members, alerts all of them, lie within it: where it holds as many, it holds no other.
    return within if there == alerts else None


def _line(run: _Run, *, ended: bool) -> Line:
    name = redact(min(run.names))
    many = f"{run.n:,} × {name}" if run.n > 1 else name
    if len(run.names) > 1:
        many = f"{run.n:,} alerts of {len(run.names):,} names, {name} among them"
    over = f", {run.ended:,} ended" if run.ended and ended else ""
    return Line(
        id=f"r{run.first}",
        happened_at=instant(run.since),
        happened_until=instant(run.until) if run.until > run.since else None,
        recorded_at=instant(run.recorded_at),
        lane=run.lane,
        kind="alert",
        text=f"{many}{over}",
        actor=f"source:{run.source}",
        severity=Severity.of_rank(run.severity),
        trace=Trace(),
        count=run.n,
    )
