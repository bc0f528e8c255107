"""Crowds: an incident of more alerts than marks can stand for, as counts by bin and as counted lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa

from incidents import counting, remains
from incidents.entries import OCCURRENCE
from incidents.instants import EPOCH
from incidents.lanes import lane_of
from incidents.model import Lane, Occurrence, Severity
from incidents.redaction import redact
from incidents.sums import MINUTE, Sums
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
    members = _crowd(connection, incident, as_of)
    rows = connection.execute(_counted(members, members.c.run, members.c.name).limit(MARKS + 1)).all()
    if len(rows) > MARKS:
        first, last = rows[0].since, rows[-1].until
        total = connection.execute(sa.select(sa.func.max(members.c.starts_at))).scalar() or last
        width = max(60, int((total - first).total_seconds()) // BINS // 10) * 1_000_000
        start = sa.type_coerce(members.c.starts_at, sa.BigInteger)
        rows = connection.execute(_counted(members, start - start % width, members.c.lane)).all()
    return [_run_line(row, ended=as_of is None) for row in rows]


def _crowd(connection: sa.Connection, incident: str, as_of: datetime | None) -> sa.Subquery:
    """A crowd's alerts, each with the number of the unbroken run of its name that it belongs to."""
    in_order = (OCCURRENCE.c.starts_at, OCCURRENCE.c.id)
    nth = sa.func.row_number().over(order_by=in_order)
    nth_of_name = sa.func.row_number().over(partition_by=OCCURRENCE.c.name, order_by=in_order)
    columns = (
        OCCURRENCE.c[name]
        for name in ("id", "name", "lane", "severity", "source", "starts_at", "ends_at", "recorded_at")
    )
    query = sa.select(*columns, (nth - nth_of_name).label("run")).where(
        OCCURRENCE.c.id.in_(counting.members_at(connection, incident, as_of))
    )
    if as_of is not None:
        query = query.where(OCCURRENCE.c.recorded_at <= as_of)
    return query.subquery()


def _counted(members: sa.Subquery, *by: sa.ColumnElement[Any]) -> Any:  # noqa: ANN401  # a Select of many columns
    since = sa.func.min(members.c.starts_at)
    return (
        sa.select(
            sa.func.count().label("n"),
            sa.func.count(members.c.name.distinct()).label("names"),
            sa.func.min(members.c.name).label("name"),
            since.label("since"),
            sa.func.max(members.c.starts_at).label("until"),
            sa.func.min(members.c.recorded_at).label("recorded_at"),
            sa.func.max(members.c.severity).label("severity"),
            sa.func.min(members.c.lane).label("lane"),
            sa.func.min(members.c.source).label("source"),
            sa.func.min(members.c.id).label("first"),
            sa.func.count(members.c.ends_at).label("ended"),
        )
        .group_by(*by)
        .order_by(since, sa.func.min(members.c.id))
    )


def _run_line(row: Any, *, ended: bool) -> Line:  # noqa: ANN401  # a row of `_counted`
    name = redact(row.name)
    many = f"{row.n:,} × {name}" if row.n > 1 else name
    if row.names > 1:
        many = f"{row.n:,} alerts of {row.names:,} names, {name} among them"
    over = f", {row.ended:,} ended" if row.ended and ended else ""
    return Line(
        id=f"r{row.first}",
        happened_at=row.since,
        happened_until=row.until if row.until > row.since else None,
        recorded_at=row.recorded_at,
        lane=row.lane,
        kind="alert",
        text=f"{many}{over}",
        actor=f"source:{row.source}",
        severity=Severity.of_rank(row.severity),
        trace=Trace(),
        count=row.n,
    )
