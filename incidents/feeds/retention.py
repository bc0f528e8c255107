"""How long each asking is kept for itself: older runs are summed, so that what coverage says of them stays true.

Neighbouring runs that went alike and left no hole are one: nothing is lost but which delivery each brought. Only where
that leaves too many rows are runs summed that did not go alike; such a stretch counts as unanswered and says why: it
may have been calm, and nobody can tell any more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby, pairwise

import sqlalchemy as sa

from incidents.bulk import chunks
from incidents.deliveries import STAMP
from incidents.feeds import circuit
from incidents.feeds.polls import ASKED, PATIENCE
from incidents.store import Store

AT_ONCE = 1_000
"""Rows that are summed in one transaction: intake waits for it."""
YOUNGEST = timedelta(days=1)
"""What is younger is never summed, however many rows there are."""

IN_SUM = "not answered throughout; what was asked then is known in sum only"


@dataclass(frozen=True, slots=True)
class Kept:
    """A run of askings as its row holds it; `ids` are the rows that it stands for, its own first."""

    ids: tuple[int, ...]
    outcome: str
    first_at: datetime
    last_at: datetime
    count: int
    every_seconds: int
    delivery_id: int | None = None
    reason: str | None = None
    is_readable: bool = True
    """False while its answer is in quarantine, from where a better adapter may read it."""

    @property
    def is_good(self) -> bool:
        return self.outcome != "failed" and self.is_readable

    @property
    def patience(self) -> timedelta:
        """How long after its end the next run may begin without a hole between them."""
        every = timedelta(seconds=self.every_seconds)
        return (max(every, circuit.LONGEST_PAUSE) if self.outcome == "failed" else every) * PATIENCE


def alike(runs: Iterable[Kept]) -> list[Kept]:
    """Neighbours that went alike as one, in the order of time; stretches without an answer are the same as before."""
    found: list[Kept] = []
    for run in runs:
        if found and _goes_on(found[-1], run):
            found[-1] = _joined(found[-1], run)
        else:
            found.append(run)
    return found


def by(runs: Iterable[Kept], part: Callable[[Kept], Hashable]) -> list[Kept]:
    """One run for each part; where a part was not answered throughout, it was not answered."""
    found: list[Kept] = []
    for _, several in groupby(runs, part):
        members = list(several)
        whole = all(run.is_good for run in members) and all(_goes_on(a, b) for a, b in pairwise(members))
        one = members[0]
        for run in members[1:]:
            one = _joined(one, run)
        if len(members) > 1 and not whole:
            one = replace(one, outcome="failed", reason=IN_SUM, delivery_id=None)
        found.append(one)
    return found


def _goes_on(one: Kept, other: Kept) -> bool:
    if not (one.is_readable and other.is_readable) or one.every_seconds != other.every_seconds:
        return False
    same = (one.is_good and other.is_good) or (one.outcome, one.reason) == (other.outcome, other.reason)
    return same and other.first_at - one.last_at <= one.patience


def _joined(one: Kept, other: Kept) -> Kept:
    same = one.delivery_id == other.delivery_id
    return replace(
        one,
        ids=one.ids + other.ids,
        outcome=one.outcome if one.outcome == other.outcome else "answered",
        last_at=max(one.last_at, other.last_at),
        count=one.count + other.count,
        delivery_id=one.delivery_id if same else None,
    )


def keep_bounded(store: Store, now: datetime, *, days: int, rows: int) -> int:
    """Sum what is older than so many days, and more of it while there are more rows than that; how many rows went."""
    gone = _sum_older(store, now - timedelta(days=days), alike)
    for part in (_day, _all):
        if _count(store) <= rows:
            break
        gone += _sum_older(store, now - YOUNGEST, partial(_parted, part))
    return gone


def _parted(part: Callable[[Kept], Hashable], runs: Sequence[Kept]) -> list[Kept]:
    return by(alike(runs), part)


def _day(run: Kept) -> Hashable:
    return run.first_at.date()


def _all(_run: Kept) -> Hashable:
    return None


def _count(store: Store) -> int:
    with store.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).where(ASKED.c.since.is_(None))).scalar_one())


def _sum_older(store: Store, horizon: datetime, summed: Callable[[Sequence[Kept]], list[Kept]]) -> int:
    """Sum the runs of each request that ended before the horizon, a thousand rows at a time."""
    old = (ASKED.c.since.is_(None), ASKED.c.last_at < horizon)
    query = sa.select(ASKED.c.source, ASKED.c.request).where(*old).group_by(ASKED.c.source, ASKED.c.request)
    with store.reading() as connection:
        requests = connection.execute(query.having(sa.func.count() > 1)).all()
    return sum(_sum_one(store, (*old, *_is(row.source, row.request)), summed) for row in requests)


def _sum_one(
    store: Store, old: Sequence[sa.ColumnElement[bool]], summed: Callable[[Sequence[Kept]], list[Kept]]
) -> int:
    gone, after = 0, 0
    while True:
        with store.writing() as connection:
            store.lock(connection, ["polls"])
            runs = _runs(connection, (*old, ASKED.c.id > after))
            kept = summed(runs)
            _write(connection, kept)
        gone += len(runs) - len(kept)
        if len(runs) < AT_ONCE:
            return gone
        # The last one may go on in the next batch; where it is the only one, the batch has shrunk to it.
        after = kept[-1].ids[0] - 1 if len(kept) < AT_ONCE else kept[-1].ids[0]


def _is(source: str, request: str) -> tuple[sa.ColumnElement[bool], ...]:
    return ASKED.c.source == source, ASKED.c.request == request


def _runs(connection: sa.Connection, of_it: Sequence[sa.ColumnElement[bool]]) -> list[Kept]:
    query = sa.select(ASKED, ASKED.c.count.label("times"), STAMP.c.state).outerjoin(
        STAMP, STAMP.c.delivery_id == ASKED.c.delivery_id
    )
    return [
        Kept(
            (row.id,), row.outcome, row.first_at, row.last_at, row.times, row.every_seconds, row.delivery_id,
            row.reason, row.state != "quarantined",
        )
        for row in connection.execute(query.where(*of_it).order_by(ASKED.c.id).limit(AT_ONCE))
    ]  # fmt: skip


def _write(connection: sa.Connection, kept: Iterable[Kept]) -> None:
    for run in kept:
        if len(run.ids) == 1:
            continue
        # The first row stays, so that ids go on in the order of time.
        values = {
            name: getattr(run, name)
            for name in ("outcome", "last_at", "count", "every_seconds", "delivery_id", "reason")
        }
        connection.execute(sa.update(ASKED).where(ASKED.c.id == run.ids[0]).values(**values))
        for part in chunks(list(run.ids[1:])):
            connection.execute(sa.delete(ASKED).where(ASKED.c.id.in_(part)))
