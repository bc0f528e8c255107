"""The condition of the record, as its operator watches it: what waits, what could not be read, who was heard when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from incidents.deliveries import DELIVERY, STAMP, UNREAD
from incidents.proofs.repeats import REFUSAL
from incidents.receipts import ID_SHIFT
from incidents.tables import IncidentRow, instant

INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
MOST_COUNTED = 100_000
"""Beyond so many, what waits is not counted: the count would cost more than it tells."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries that wait to be read for the first time; `count` stops at MOST_COUNTED."""

    count: int = 0
    oldest_at: datetime | None = None
    """When the one that has waited longest was received."""

    def age_seconds(self, now: datetime) -> float:
        """How long the oldest has waited."""
        return max(0.0, (now - self.oldest_at).total_seconds()) if self.oldest_at else 0.0


def backlog(connection: sa.Connection, *, again: bool = False) -> Backlog:
    """What waits to be read; with `again`, what waits to be read anew by a better adapter."""
    waiting = sa.select(UNREAD.c.delivery_id).where(UNREAD.c.again.is_(again))
    some = waiting.limit(MOST_COUNTED).subquery()
    count = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    first = connection.execute(waiting.order_by(UNREAD.c.delivery_id).limit(1)).scalar()
    return Backlog(count, None if first is None else instant(first >> ID_SHIFT))


def quarantined(connection: sa.Connection) -> dict[str, int]:
    """How many deliveries of each source could not be read."""
    query = sa.select(STAMP.c.source, sa.func.count()).where(STAMP.c.state == "quarantined")
    rows = connection.execute(query.group_by(STAMP.c.source)).all()
    return {row[0]: row[1] for row in rows}


def last_received(connection: sa.Connection, sources: Iterable[str]) -> dict[str, datetime]:
    """When each source was last heard; those that never were are left out."""
    found = {}
    for source in sources:
        query = sa.select(sa.func.max(DELIVERY.c.id)).where(DELIVERY.c.source == source)
        if (last := connection.execute(query).scalar()) is not None:
            found[source] = instant(last >> ID_SHIFT)
    return found


def refused(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """What was turned away at the door, by source and reason, over all days that are kept."""
    query = sa.select(REFUSAL.c.source, REFUSAL.c.reason, sa.func.sum(REFUSAL.c.count))
    rows = connection.execute(query.group_by(REFUSAL.c.source, REFUSAL.c.reason))
    return {(source, reason): int(count) for source, reason, count in rows}


def incidents_by_status(connection: sa.Connection) -> dict[str, int]:
    """How many incidents are in each status; merged ones are counted under the status they had."""
    query = sa.select(INCIDENT.c.status, sa.func.count()).group_by(INCIDENT.c.status)
    return {row[0]: row[1] for row in connection.execute(query).all()}
