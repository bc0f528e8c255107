"""Recording: what deliveries say goes into the logs once, and the occurrences it speaks of are folded on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from incidents import fold, records, remains
from incidents.bulk import chunks, insert, insert_many, listed
from incidents.entries import OCCURRENCE
from incidents.grouping import GROUP, Change
from incidents.lanes import lane_of
from incidents.linker import reach, reading_counts
from incidents.linker.extremes import counted_variables
from incidents.model import Event, Loss, Occurrence, Reading, Said
from incidents.spoken import digest, reading_digest
from incidents.statements import EVENT, READING, SIGHTING, SUPERSESSION, statements_of, write_occurrences

STATEMENTS_DROPPED = "statements that were dropped for their age"
READINGS_DROPPED = "readings that were dropped for their age"
"""What a delivery says that is not recorded a second time."""


@dataclass(slots=True)
class Heard:
    """One delivery as its adapter read it: statements, or the reason why there are none."""

    id: int
    source: str
    received_at: datetime
    adapter: str
    version: int
    again: bool
    more: bool = False
    """It says more than one transaction records: the rest follows."""
    older: bool = False
    """A newer version of the adapter has read it already: what this one says is not recorded."""
    events: list[Event] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    reason: str | None = None

    def leave_out(self, what: str) -> None:
        """Count one more of what is said and not recorded."""
        n = next((n for n, loss in enumerate(self.losses) if loss.what == what), None)
        if n is None:
            self.losses.append(Loss(1, what))
        else:
            self.losses[n] = replace(self.losses[n], count=self.losses[n].count + 1)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one transaction recorded."""

    changed: Sequence[Change]
    gone: Sequence[Occurrence]
    """Occurrences that nobody speaks of any more."""
    measured: Sequence[Mapping[str, Any]]
    """New readings of the variables that links are measured by, as rows."""


def record(connection: sa.Connection, heard: Sequence[Heard], now: datetime) -> Recorded:
    """Record what is new and fold it. Takes part in a transaction that holds the locks of the sources."""
    measured = _record_readings(heard, connection, now)
    said: dict[str, dict[str, tuple[Heard, Event]]] = defaultdict(dict)
    repeats: list[tuple[str, str, int]] = []
    for one in heard:
        for event in one.events:
            name, identity = fold.subject_id(one.source, event.key), digest(event)
            if identity in said[name]:
                repeats.append((name, identity, one.id))
            else:
                said[name][identity] = (one, event)
    cached = _cached(connection, list(said))
    known = _known(connection, [(name, identity) for name, events in said.items() for identity in events])
    dropped = remains.marks(connection, said, [h.id for h in heard if h.again])
    fresh, rows = _fresh(said, known, dropped, repeats, now)
    if rows:
        insert_many(connection, EVENT, rows)
    _see_again(connection, repeats)
    undone = _supersede([h for h in heard if h.again], connection, now)
    undone |= {name for name, identity, _ in repeats if known.get((name, identity))}
    changed, gone = _fold(connection, cached, fresh, undone)
    return Recorded(changed, gone, measured)


def _cached(connection: sa.Connection, subjects: list[str]) -> dict[str, Occurrence]:
    """The latest occurrence of each subject that has one."""
    asked = listed(connection, subjects)
    latest = sa.and_(OCCURRENCE.c.subject == asked.c.a, OCCURRENCE.c.followed.is_(False))
    query = sa.select(OCCURRENCE).select_from(asked.join(OCCURRENCE, latest))
    return {row.subject: records.occurrence_of(row) for row in connection.execute(query)}


def _known(connection: sa.Connection, said: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    """Which of these statements, by (subject, digest), are recorded, and whether each was superseded."""
    if not said:
        return {}
    superseded = sa.exists().where(SUPERSESSION.c.event_id == EVENT.c.id).label("superseded")
    query = _identified(connection, said, EVENT.c.subject, EVENT.c.digest, superseded)
    return {(row.subject, row.digest): bool(row.superseded) for row in connection.execute(query)}


def _identified(
    connection: sa.Connection, said: Sequence[tuple[str, str]], *columns: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """These columns of the statements that are recorded of these: of each what it speaks of, and its words' digest."""
    subjects, digests = zip(*said, strict=True)
    asked = listed(connection, subjects, digests)
    same = sa.and_(EVENT.c.subject == asked.c.a, EVENT.c.digest == asked.c.b)
    return sa.select(*columns).select_from(asked.join(EVENT, same))


def _fresh(
    said: Mapping[str, Mapping[str, tuple[Heard, Event]]],
    known: Mapping[tuple[str, str], bool],
    dropped: remains.Dropped,
    repeats: list[tuple[str, str, int]],
    now: datetime,
) -> tuple[dict[str, list[Said]], list[dict[str, Any]]]:
    fresh: dict[str, list[Said]] = {}
    rows = []
    for name, events in said.items():
        for identity, (one, event) in events.items():
            if (name, identity) in known:
                repeats.append((name, identity, one.id))
                continue
            said_at = event.said_at or one.received_at
            if dropped.holds_back(name, one.id, said_at):
                one.leave_out(STATEMENTS_DROPPED)
                continue
            after_drop = name in dropped.subjects
            recorded_at = now if one.again else one.received_at
            adapter = f"{one.adapter}@{one.version}"
            fresh.setdefault(name, []).append(
                Said(event, identity, one.source, said_at, recorded_at, adapter=adapter, after_drop=after_drop)
            )
            rows.append(
                {
                    "subject": name,
                    "digest": identity,
                    "source": one.source,
                    "said_at": said_at,
                    "recorded_at": recorded_at,
                    "delivery_id": one.id,
                    "adapter": adapter,
                    "statement": records.statement_text(event, said_at, after_drop=after_drop),
                }
            )
    return fresh, rows


def _see_again(connection: sa.Connection, repeats: Sequence[tuple[str, str, int]]) -> None:
    wanted: dict[tuple[str, str], set[int]] = defaultdict(set)
    for name, identity, delivery in repeats:
        wanted[name, identity].add(delivery)
    if not wanted:
        return
    there = _identified(connection, sorted(wanted), EVENT.c.id, EVENT.c.subject, EVENT.c.digest, EVENT.c.delivery_id)
    rows = [
        {"event_id": row.id, "delivery_id": delivery}
        for row in connection.execute(there)
        for delivery in wanted[row.subject, row.digest]
        if delivery != row.delivery_id
    ]
    if rows:
        connection.execute(insert(connection, SIGHTING).on_conflict_do_nothing(), rows)


def _supersede(again: Sequence[Heard], connection: sa.Connection, now: datetime) -> set[str]:
    """Mark what deliveries read again no longer say, unmark what they say again; the occurrences concerned."""
    undone: set[str] = set()
    for one in again:
        still = {(fold.subject_id(one.source, event.key), digest(event)) for event in one.events}
        spoken = sa.select(EVENT.c.id, EVENT.c.subject, EVENT.c.digest)
        for row in connection.execute(spoken.where(EVENT.c.delivery_id == one.id)).all():
            if (row.subject, row.digest) not in still:
                mark = insert(connection, SUPERSESSION).values(
                    event_id=row.id, recorded_at=now, adapter=f"{one.adapter}@{one.version}"
                )
                connection.execute(mark.on_conflict_do_nothing())
                undone.add(row.subject)
            elif connection.execute(sa.delete(SUPERSESSION).where(SUPERSESSION.c.event_id == row.id)).rowcount:
                undone.add(row.subject)
        repeated = spoken.join(SIGHTING, SIGHTING.c.event_id == EVENT.c.id).where(SIGHTING.c.delivery_id == one.id)
        for row in connection.execute(repeated).all():
            if (row.subject, row.digest) not in still:
                connection.execute(
                    sa.delete(SIGHTING).where(SIGHTING.c.event_id == row.id, SIGHTING.c.delivery_id == one.id)
                )
                undone.add(row.subject)
    return undone


def _record_readings(heard: Sequence[Heard], connection: sa.Connection, now: datetime) -> list[Mapping[str, Any]]:
    """Record readings that are not known yet, and count them; those that links are measured by."""
    rows = [
        {
            "digest": hashlib.sha256(f"{one.source}\0{reading_digest(r)}".encode()).hexdigest(),
            "source": one.source,
            "variable": r.variable,
            "at": r.at,
            "value": r.value,
            "latitude": r.latitude,
            "longitude": r.longitude,
            "station": r.station,
            "provisional": r.provisional,
            "basis": r.basis,
            "credit": r.credit,
            "grid_area": r.grid_area,
            "recorded_at": now if one.again else one.received_at,
            "delivery_id": one.id,
        }
        for one in heard
        for r in one.readings
    ]
    new = _not_dropped(connection, heard, reading_counts.fresh(connection, rows))
    if new:
        connection.execute(insert(connection, READING).on_conflict_do_nothing(index_elements=["digest"]), new)
        reading_counts.count(connection, new)
    return [row for row in new if row["variable"] in counted_variables()]


def _not_dropped(
    connection: sa.Connection, heard: Sequence[Heard], rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Those of these new readings that are none of the dropped ones, told again by a delivery that is read again.

    Where a reading of the same instant stands, this one revises it.
    """
    again = {one.id: one for one in heard if one.again}
    until = remains.marks(connection, (), list(again)).readings if again else {}
    if not until:
        return list(rows)
    standing = set()
    for part in chunks(sorted(until)):
        columns = (READING.c.delivery_id, READING.c.variable, READING.c.at)
        found = connection.execute(sa.select(*columns).where(READING.c.delivery_id.in_(part)))
        standing |= {(row.delivery_id, row.variable, row.at) for row in found}
    kept = []
    for row in rows:
        name = row["delivery_id"]
        if name in until and row["at"] <= until[name] and (name, row["variable"], row["at"]) not in standing:
            again[name].leave_out(READINGS_DROPPED)
        else:
            kept.append(row)
    return kept


def _fold(
    connection: sa.Connection,
    cached: Mapping[str, Occurrence],
    fresh: Mapping[str, Sequence[Said]],
    undone: Iterable[str],
) -> tuple[list[Change], list[Occurrence]]:
    changed, whole = [], set(undone)
    for subject, statements in fresh.items():
        was = cached.get(subject)
        now = None
        if subject not in whole:
            now = fold.extend(was, statements) if was else fold.occurrences(statements)
        if now is None:
            whole.add(subject)
        else:
            changed += [Change(was if was and seen.id == was.id else None, seen, lane_of(seen)) for seen in now]
    gone: list[Occurrence] = []
    for subject in sorted(whole):
        before = {row.id: records.occurrence_of(row) for row in connection.execute(_occurrences_of(subject))}
        now = fold.occurrences(statements_of(connection, subject))
        gone += [before[name] for name in sorted(set(before) - {seen.id for seen in now})]
        changed += [Change(before.get(seen.id), seen, lane_of(seen)) for seen in now if seen != before.get(seen.id)]
    write_occurrences(connection, changed)
    names = [seen.id for seen in gone]
    for part in chunks(names):
        connection.execute(sa.delete(OCCURRENCE).where(OCCURRENCE.c.id.in_(part)))
        connection.execute(sa.delete(GROUP).where(GROUP.c.occurrence_id.in_(part)))
    reach.forget(connection, names)
    return changed, gone


def _occurrences_of(subject: str) -> sa.Select[Any]:
    return sa.select(OCCURRENCE).where(OCCURRENCE.c.subject == subject)
