"""What is left of what retention dropped: sums and outlines in entries, and marks of what must not come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents import sums
from incidents.bulk import chunks, insert, listed
from incidents.model import Occurrence
from incidents.records import entry_of
from incidents.redaction import recorded
from incidents.sums import ALERTS_DROPPED, LINKED_DROPPED, Sums
from incidents.tables import DroppedDeliveryRow, DroppedSubjectRow, EntryRow, EventRow, SightingRow

ENTRY = EntryRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
SUBJECT = DroppedSubjectRow.__table__  # type: ignore[attr-defined]
DELIVERED = DroppedDeliveryRow.__table__  # type: ignore[attr-defined]
EVENT = EventRow.__table__  # type: ignore[attr-defined]
SIGHTING = SightingRow.__table__  # type: ignore[attr-defined]


# --- what entries keep ----------------------------------------------------------------------------------------------


def sums_kept(connection: sa.Connection, incident: str) -> Sums:
    """The sums of all alerts of an incident whose statements were dropped; of none, where none were."""
    query = sa.select(ENTRY).where(ENTRY.c.incident_id == incident, ENTRY.c.kind == ALERTS_DROPPED)
    return sums.together([sums.sums_of(entry_of(row)) for row in connection.execute(query.order_by(ENTRY.c.id))])


def has_sums(connection: sa.Connection, incident: str) -> bool:
    """Whether statements on its alerts were dropped."""
    query = sa.select(ENTRY.c.id).where(ENTRY.c.incident_id == incident, ENTRY.c.kind == ALERTS_DROPPED)
    return connection.execute(query.limit(1)).first() is not None


def outlines(connection: sa.Connection, names: Iterable[str]) -> dict[str, Occurrence]:
    """What is kept of linked occurrences whose statements were dropped, by id."""
    found = {}
    for part in chunks(sorted(set(names))):
        query = sa.select(ENTRY.c.params).where(ENTRY.c.occurrence_id.in_(part), ENTRY.c.kind == LINKED_DROPPED)
        for params in connection.execute(query.order_by(ENTRY.c.id)).scalars():
            seen = recorded(sums.outlined(params["outline"]))
            found[seen.id] = seen
    return found


# --- what must not come back ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dropped:
    """Marks as they concern some deliveries and subjects: up to when what was said of each was dropped."""

    subjects: Mapping[str, datetime]
    deliveries: Mapping[int, datetime]
    """Those of which no statement stands any more."""
    readings: Mapping[int, datetime]

    def holds_back(self, subject: str, delivery: int, said_at: datetime) -> bool:
        """Whether a statement that is not recorded was dropped, or is another reading's words for one that was."""
        until = self.subjects.get(subject) or self.deliveries.get(delivery)
        return until is not None and said_at <= until


def marks(connection: sa.Connection, subjects: Iterable[str], again: Sequence[int]) -> Dropped:
    """The marks that concern what is said of these subjects, and the deliveries that are read again."""
    asked = listed(connection, list(subjects))
    of_these = sa.select(SUBJECT).select_from(asked.join(SUBJECT, SUBJECT.c.subject == asked.c.a))
    found: dict[str, datetime] = {row.subject: row.said_until for row in connection.execute(of_these)}
    standing = sa.or_(
        sa.exists().where(EVENT.c.delivery_id == DELIVERED.c.delivery_id),
        sa.exists().where(SIGHTING.c.delivery_id == DELIVERED.c.delivery_id),
    ).label("standing")
    wholly: dict[int, datetime] = {}
    readings: dict[int, datetime] = {}
    for numbers in chunks(sorted(again)):
        query = sa.select(DELIVERED, standing).where(DELIVERED.c.delivery_id.in_(numbers))
        for row in connection.execute(query):
            if row.kind == "reading":
                readings[row.delivery_id] = row.until
            elif not row.standing:
                wholly[row.delivery_id] = row.until
    return Dropped(found, wholly, readings)


def mark_statements(connection: sa.Connection, events: Sequence[int]) -> None:
    """Remember what these events are of and what they came with, before they are dropped."""
    subjects: dict[str, datetime] = {}
    delivered: dict[int, datetime] = {}
    for part in chunks(list(events)):
        columns = (EVENT.c.subject, EVENT.c.delivery_id, EVENT.c.said_at)
        for row in connection.execute(sa.select(*columns).where(EVENT.c.id.in_(part))):
            _later(subjects, row.subject, row.said_at)
            _later(delivered, row.delivery_id, row.said_at)
        repeats = sa.select(SIGHTING.c.delivery_id, EVENT.c.said_at).join(EVENT, EVENT.c.id == SIGHTING.c.event_id)
        for row in connection.execute(repeats.where(EVENT.c.id.in_(part))):
            _later(delivered, row.delivery_id, row.said_at)
    _mark(connection, SUBJECT, [{"subject": name, "said_until": at} for name, at in sorted(subjects.items())])
    mark_deliveries(connection, "statement", delivered)


def mark_deliveries(connection: sa.Connection, kind: str, delivered: Mapping[int, datetime]) -> None:
    """Remember that these deliveries said or measured more than stands of them, up to these instants."""
    rows = [{"delivery_id": name, "kind": kind, "until": at} for name, at in sorted(delivered.items())]
    _mark(connection, DELIVERED, rows)


def forget_deliveries(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Forget the marks of deliveries that are dropped themselves; `which` is asked of `DELIVERED`."""
    connection.execute(sa.delete(DELIVERED).where(which))


def _later(found: dict[Any, datetime], name: Any, at: datetime) -> None:  # noqa: ANN401  # a subject or a delivery
    found[name] = max(at, found.get(name, at))


def _mark(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write marks, or move those that are there to the later instant."""
    if not rows:
        return
    statement = insert(connection, table)
    name = list(rows[0])[-1]
    later = sa.case((statement.excluded[name] > table.c[name], statement.excluded[name]), else_=table.c[name])
    keys = list(table.primary_key.columns)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={name: later}), rows)


def steps_of(kept: Sums) -> Counter[tuple[int, str, int]]:
    """How many alerts are counted in sums by minute (in microseconds since 1970), lane and rank of severity."""
    return Counter(
        {(minute * sums.MINUTE * 1_000_000, lane, rank): count for (minute, lane, rank), count in kept.minutes.items()}
    )
