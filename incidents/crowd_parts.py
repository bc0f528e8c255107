"""Which parts of a crowd changed since a turn: written with the change itself, read by what is derived from a crowd.

A part is `SECONDS` of happened time. Whoever holds what was derived at a turn derives anew what changed after it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from incidents.bulk import insert
from incidents.model import Occurrence
from incidents.tables import CrowdPartRow, micros

PART = CrowdPartRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it

SECONDS = 10
LENGTH = SECONDS * 1_000_000
"""How long a part is, in microseconds."""
WHOLE = -1
"""The part that stands for the incident itself: no stretch begins then."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of an incident: turns of two origins have nothing to do with each other."""

    origin: int
    number: int


def keep(connection: sa.Connection, incident: str, alerts: Iterable[Occurrence]) -> None:
    """Note that these alerts joined or changed, each as it was and as it is. The caller holds the incident's row."""
    parts = sorted({part_of(micros(alert.starts_at)) for alert in alerts})
    if not parts:
        return
    last = newest(connection, incident)
    if last is None:
        keep_afresh(connection, incident)
        return
    statement = insert(connection, PART)
    rows = [{"incident_id": incident, "part": p, "turn": last.number + 1, "origin": last.origin} for p in parts]
    keys = list(PART.primary_key.columns)
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_={"turn": statement.excluded.turn}), rows
    )


def keep_afresh(connection: sa.Connection, incident: str) -> None:
    """Note that any of an incident's alerts may have changed, or left."""
    connection.execute(sa.delete(PART).where(PART.c.incident_id == incident))
    row = {"incident_id": incident, "part": WHOLE, "turn": 0, "origin": secrets.randbits(62)}
    connection.execute(sa.insert(PART), [row])


def newest(connection: sa.Connection, incident: str) -> Turn | None:
    """The last turn of an incident; None where none was ever noted."""
    last = sa.select(sa.func.max(PART.c.turn), sa.func.max(PART.c.origin)).where(PART.c.incident_id == incident)
    number, origin = connection.execute(last).one()
    return None if number is None else Turn(origin, number)


def changed_after(connection: sa.Connection, incident: str, number: int) -> set[int]:
    """The parts that changed after a turn of the same origin, as their beginnings in microseconds."""
    query = sa.select(PART.c.part).where(PART.c.incident_id == incident, PART.c.turn > number)
    return set(connection.execute(query).scalars())


def part_of(start: int) -> int:
    """The part in which an alert began, from and in microseconds since 1970."""
    return start - start % LENGTH
