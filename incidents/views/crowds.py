"""Crowds: an incident of more alerts than marks can stand for, as counts by bin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa

from incidents import counting, remains
from incidents.instants import EPOCH
from incidents.lanes import lane_of
from incidents.model import Lane, Occurrence, Severity
from incidents.sums import MINUTE, Sums
from incidents.views.view import Bin, Density

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
