"""Recovery: gaps in which a monitor could not deliver, and whose turn it is to ask its Prometheus about them.

Every process says now and then up to when deliveries could be taken. Where nobody did for longer than `GAP` there is
a gap; one process claims it by a conditional update, as with the turns of feeds.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents.bulk import insert
from incidents.tables import RecoveryRow

RECOVERY = RecoveryRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

GAP = timedelta(seconds=90)
"""Above this something may have been dropped: senders repeat what they could not deliver for about as long."""
MARGIN = timedelta(minutes=10)
"""What is asked for begins earlier than the gap, so that what began with it is seen to begin."""
LONGEST = timedelta(days=1)
"""Of a gap that is asked for by itself; an older part is left to `barograph recover`."""
LEASE = timedelta(minutes=2)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)
LOOK_EVERY = timedelta(minutes=5)
LOOKED_BACK = timedelta(minutes=15)
"""How far back what failed may lie when it is seen to have failed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which a source could not deliver, claimed by who holds this."""

    source: str
    since: datetime
    until: datetime


def note_heard(connection: sa.Connection, names: Collection[str], now: datetime) -> None:
    """Deliveries of these sources can be taken now; where that was not so for too long, there is a gap."""
    known = {row.source: row for row in connection.execute(sa.select(RECOVERY).with_for_update())}
    for name in sorted(names):
        row = known.get(name)
        if row is None:
            made = {"source": name, "heard_until": now, "looked_at": now, "next_at": now, "failures": 0}
            connection.execute(insert(connection, RECOVERY).values(made).on_conflict_do_nothing())
            continue
        values: dict[str, object] = {"heard_until": max(now, row.heard_until)}
        if now - row.heard_until > GAP:
            values |= _gap(row.gap_since, row.heard_until, now) | {"next_at": now}
        connection.execute(sa.update(RECOVERY).where(RECOVERY.c.source == name).values(values))
    gone = sorted(known.keys() - set(names))
    if gone:
        connection.execute(sa.delete(RECOVERY).where(RECOVERY.c.source.in_(gone)))


def _gap(known_since: datetime | None, since: datetime, until: datetime) -> dict[str, object]:
    begun = max(min(known_since or since, since), until - LONGEST)
    return {"gap_since": begun, "gap_until": until}


def claim(connection: sa.Connection, names: Collection[str], now: datetime) -> Gap | None:
    """One gap that is nobody else's until the lease ends."""
    due = sa.select(RECOVERY).where(
        RECOVERY.c.gap_until.is_not(None), RECOVERY.c.next_at <= now, RECOVERY.c.source.in_(names)
    )
    for row in connection.execute(due.order_by(RECOVERY.c.next_at)).all():
        won = connection.execute(
            sa.update(RECOVERY)
            .where(RECOVERY.c.source == row.source, RECOVERY.c.next_at == row.next_at)
            .values(next_at=now + LEASE)
        ).rowcount
        if won:
            return Gap(row.source, row.gap_since, row.gap_until)
    return None


def waiting(connection: sa.Connection) -> list[Any]:
    """The rows of gaps that were not recovered yet."""
    query = sa.select(RECOVERY).where(RECOVERY.c.gap_until.is_not(None)).order_by(RECOVERY.c.source)
    return list(connection.execute(query))


def claim_look(connection: sa.Connection, names: Collection[str], now: datetime) -> str | None:
    """One source of which it is to be asked again whether notifications failed."""
    due = sa.select(RECOVERY.c.source).where(RECOVERY.c.looked_at <= now - LOOK_EVERY, RECOVERY.c.source.in_(names))
    for name in connection.execute(due).scalars().all():
        won = connection.execute(
            sa.update(RECOVERY)
            .where(RECOVERY.c.source == name, RECOVERY.c.looked_at <= now - LOOK_EVERY)
            .values(looked_at=now)
        ).rowcount
        if won:
            return str(name)
    return None


def note_failed_notifications(connection: sa.Connection, source: str, now: datetime) -> None:
    """Something was not delivered within the last minutes: they are a gap."""
    row = connection.execute(sa.select(RECOVERY).where(RECOVERY.c.source == source)).one_or_none()
    if row is not None:
        values = _gap(row.gap_since, now - LOOKED_BACK, now) | {"next_at": now}
        connection.execute(sa.update(RECOVERY).where(RECOVERY.c.source == source).values(values))


def finish(connection: sa.Connection, gap: Gap) -> None:
    """It was asked for; what has been added to it meanwhile stays."""
    done = {"failures": 0, "error": None}
    mine = sa.update(RECOVERY).where(RECOVERY.c.source == gap.source)
    connection.execute(mine.where(RECOVERY.c.gap_until == gap.until).values(gap_since=None, gap_until=None, **done))
    connection.execute(mine.where(RECOVERY.c.gap_until > gap.until).values(gap_since=gap.until, **done))


def fail(connection: sa.Connection, gap: Gap, reason: str, now: datetime) -> None:
    """It was not answered: it is asked for again, after longer and longer pauses."""
    row = connection.execute(sa.select(RECOVERY).where(RECOVERY.c.source == gap.source)).one_or_none()
    if row is not None:
        pause = min(FIRST_PAUSE * 2 ** min(row.failures, 10), LONGEST_PAUSE)
        values = {"failures": row.failures + 1, "error": reason[:500], "next_at": now + pause}
        connection.execute(sa.update(RECOVERY).where(RECOVERY.c.source == gap.source).values(values))
