"""Which report is written when, once for each slot however many processes serve one database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa

from incidents.bulk import insert
from incidents.tables import ReportRow

REPORT = ReportRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
LEASE = timedelta(minutes=15)
"""After so long, whoever claimed a slot and wrote nothing is taken for gone, and the slot is free again."""


@dataclass(frozen=True, slots=True)
class Written:
    """A slot of the schedule: what became of it."""

    slot: str
    claimed_at: datetime
    written_at: datetime | None
    name: str | None
    sha256: str | None
    failure: str | None


def is_free(connection: sa.Connection, slot: str, now: datetime) -> bool:
    """Whether a slot may be claimed: a look that keeps no writer waiting."""
    row = connection.execute(sa.select(REPORT.c.written_at, REPORT.c.claimed_at).where(REPORT.c.slot == slot)).first()
    return row is None or (row.written_at is None and row.claimed_at <= now - LEASE)


def known(connection: sa.Connection, slots: Sequence[str]) -> dict[str, bool]:
    """Those of these slots that were ever claimed, and whether they are written."""
    rows = connection.execute(sa.select(REPORT.c.slot, REPORT.c.written_at).where(REPORT.c.slot.in_(slots)))
    return {row.slot: row.written_at is not None for row in rows}


def claim(connection: sa.Connection, slot: str, now: datetime) -> bool:
    """Take a slot that nobody has written and nobody is writing; whether it is ours."""
    first = insert(connection, REPORT).values(slot=slot, claimed_at=now).on_conflict_do_nothing()
    # The count of rows of an INSERT is not told by every driver; what it returns is.
    if connection.execute(first.returning(REPORT.c.slot)).first():
        return True
    again = sa.update(REPORT).where(
        REPORT.c.slot == slot, REPORT.c.written_at.is_(None), REPORT.c.claimed_at <= now - LEASE
    )
    return connection.execute(again.values(claimed_at=now).returning(REPORT.c.slot)).first() is not None


def finish(connection: sa.Connection, slot: str, claimed_at: datetime, name: str, sha256: str) -> None:
    """Note that the file lies in its folder, unless somebody else has taken the slot over meanwhile."""
    mine = (REPORT.c.slot == slot) & (REPORT.c.claimed_at == claimed_at)
    told = {"written_at": claimed_at, "name": name, "sha256": sha256, "failure": None}
    connection.execute(sa.update(REPORT).where(mine).values(told))


def fail(connection: sa.Connection, slot: str, claimed_at: datetime, reason: str) -> None:
    """Note why nothing was written; the slot is tried again when its lease is over."""
    mine = (REPORT.c.slot == slot) & (REPORT.c.claimed_at == claimed_at)
    connection.execute(sa.update(REPORT).where(mine).values(failure=reason))


def listed(connection: sa.Connection, limit: int = 24) -> list[Written]:
    """The latest slots, the newest first."""
    rows = connection.execute(sa.select(REPORT).order_by(REPORT.c.claimed_at.desc(), REPORT.c.slot.desc()).limit(limit))
    return [Written(*cast("tuple[str, datetime, datetime | None, str, str, str]", tuple(row))) for row in rows]
