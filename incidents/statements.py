"""Statements as the log holds them: which stand, and the cache that is folded from them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents import fold, records
from incidents.bulk import chunks, insert_many
from incidents.entries import OCCURRENCE
from incidents.grouping import Change
from incidents.linker import reach
from incidents.model import Said
from incidents.tables import EventRow, ReadingRow, SightingRow, SupersessionRow

EVENT = EventRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
READING = ReadingRow.__table__  # type: ignore[attr-defined]
SIGHTING = SightingRow.__table__  # type: ignore[attr-defined]
SUPERSESSION = SupersessionRow.__table__  # type: ignore[attr-defined]


def holds(as_of: datetime | None = None) -> sa.ColumnElement[bool]:
    """That an event stands: the delivery it came with says it when read again, or another one repeated it.

    As of an earlier moment it stood until the better reading was recorded.
    """
    superseded = sa.exists().where(SUPERSESSION.c.event_id == EVENT.c.id)
    if as_of is not None:
        superseded = superseded.where(SUPERSESSION.c.recorded_at <= as_of)
    return ~superseded | sa.exists().where(SIGHTING.c.event_id == EVENT.c.id)


def statements_of(connection: sa.Connection, subject: str) -> list[Said]:
    """Every statement of a subject that holds, in no particular order."""
    query = sa.select(EVENT).where(EVENT.c.subject == subject, holds())
    return [records.said_of(row) for row in connection.execute(query)]


def occurrences_of(connection: sa.Connection, events: Sequence[Any]) -> dict[int, str]:
    """The occurrence that each of these rows of EventRow's columns is folded into, by event.

    What does not stand any more, since its delivery was read better, is put down to its subject.
    """
    several = sa.select(OCCURRENCE.c.subject).group_by(OCCURRENCE.c.subject).having(sa.func.count() > 1)
    subjects = sorted({row.subject for row in events})
    folded: dict[tuple[str, str], str] = {}
    for part in chunks(subjects):
        for subject in connection.execute(several.where(OCCURRENCE.c.subject.in_(part))).scalars().all():
            for run in fold.runs(statements_of(connection, subject)):
                folded |= {(subject, said.digest): run.occurrence.id for said in run.statements}
    return {row.id: folded.get((row.subject, row.digest), row.subject) for row in events}


def write_occurrences(connection: sa.Connection, changed: Sequence[Change]) -> None:
    """Write folds of occurrences into the cache."""
    insert_many(connection, OCCURRENCE, [records.occurrence_row(c.now, c.lane) for c in changed if c.was is None])
    moved = [
        {f"_{k}" if k == "id" else k: v for k, v in records.occurrence_row(c.now, c.lane).items()}
        for c in changed
        if c.was is not None
    ]
    if moved:
        connection.execute(sa.update(OCCURRENCE).where(OCCURRENCE.c.id == sa.bindparam("_id")), moved)
    reach.write(connection, ((c.was, c.now) for c in changed))
