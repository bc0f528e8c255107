"""Ingest: one transaction that reads a batch of deliveries, records what is new, folds, and lets the rules decide."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from incidents import deliveries, fold, records
from incidents.adapters import Adapter
from incidents.bounds import objection
from incidents.config import Config
from incidents.entries import OCCURRENCE, Changes
from incidents.grouping import GROUP, Change, Grouping
from incidents.lanes import lane_of
from incidents.linker import reach, reading_counts
from incidents.linker.extremes import counted_variables
from incidents.linker.linking import Linking
from incidents.model import Delivery, Event, Loss, Occurrence, Reading, Said, Source, UnrecognisedError
from incidents.pulses import pulse
from incidents.redaction import redact
from incidents.spoken import digest, reading_digest, recordable
from incidents.statements import EVENT, SIGHTING, SUPERSESSION, statements_of, write_occurrences
from incidents.store import Store, chunks, insert, insert_many
from incidents.tables import ReadingRow

log = logging.getLogger(__name__)

READING = ReadingRow.__table__  # type: ignore[attr-defined]
_IDENTITY = sa.tuple_(EVENT.c.subject, EVENT.c.digest)
"""What makes a statement the one that it is: what it speaks of, and its words."""


RECORDING_FAULTS = (
    sqlalchemy.exc.StatementError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)
"""What a statement that no table takes can raise between its adapter and the commit."""


UNBELIEVABLE = "readings that cannot be true: "
"""How the loss begins that stands for them."""

MOST_STATEMENTS = 1000
"""How much one fold transaction records while deliveries come in, so that intake never waits long behind it."""


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


@dataclass(frozen=True, slots=True)
class Worked:
    """What one transaction did: deliveries read, statements heard, and what changed."""

    deliveries: int
    statements: int
    topics: frozenset[str]


class Ingest:
    """Reads the queue of one store with a set of adapters. For one thread at a time; several processes may run one."""

    def __init__(self, store: Store, adapters: Mapping[str, Adapter], *, story: str | None = None) -> None:
        self.store, self.adapters, self.story = store, adapters, story
        self._rest: dict[int, Heard] = {}
        """What was read of deliveries but not recorded yet, by delivery."""
        self._room = MOST_STATEMENTS
        self._at = 0
        """The delivery that was read last."""
        self._measured: list[Mapping[str, Any]] = []
        """The readings that this transaction recorded."""

    def work(
        self,
        config: Config,
        now: datetime,
        *,
        most: int = 64,
        most_bytes: int = 256 * 1024,
        most_statements: int = MOST_STATEMENTS,
        clock: Callable[[], datetime] | None = None,
    ) -> Worked | None:
        """Read at most `most` deliveries in one transaction; None when nothing waits.

        `now` is when decisions are recorded; with `clock` it is asked once the transaction has its turn.
        """
        self._room = most_statements
        try:
            return self._work(config, now, most, most_bytes, clock)
        except sqlalchemy.exc.OperationalError:
            self._rest.clear()
            raise  # the database is away or busy: the deliveries stay queued
        except RECORDING_FAULTS as error:
            self._rest.clear()
            if _is_of_schema(error):
                raise  # a newer replica has moved the schema on: the deliveries are read by those that know it
            if most > 1:
                log.warning("a batch of deliveries failed, each is tried alone: %s", error)
                return self.work(config, now, most=1, most_bytes=most_bytes, clock=clock)
            return self._set_aside(error, now)

    def _work(
        self, config: Config, now: datetime, most: int, most_bytes: int, clock: Callable[[], datetime] | None
    ) -> Worked | None:
        with self.store.writing() as connection:
            rows = deliveries.claim(connection, most=most, most_bytes=most_bytes)
            if not rows:
                return None
            now = clock() if clock else now
            heard = self._hear_some(connection, rows, {s.name: s for s in config.sources})
            self.store.lock(connection, [f"source:{h.source}" for h in heard])
            changed, gone = self._record([h for h in heard if not h.older], connection, now)
            # What is read again was told when it came, or is history by now.
            destinations = () if heard and heard[0].again else config.destinations
            changes = Changes(self.store, connection, now, destinations=destinations)
            topics = self._decide(config, changes, changed, gone)
            deliveries.stamp(connection, [_stamp(h, now) for h in heard if not h.older and not h.more])
            pulse(self.store, connection, topics, now)
        return Worked(len(heard), sum(len(h.events) + len(h.readings) for h in heard), topics)

    def _hear_some(self, connection: sa.Connection, rows: Sequence[Any], sources: Mapping[str, Source]) -> list[Heard]:
        """Read deliveries until they have said enough for one transaction; the others go back to the queue.

        What is read again is never in one transaction with what is new.

        A delivery that alone says more is recorded over several transactions and stays queued until the last:
        should the process end between them it is read from its beginning, and what is known is not recorded twice.
        """
        heard: list[Heard] = []
        most = room = self._room
        for nth, row in enumerate(rows):
            self._at = row.id
            rest = self._rest.pop(row.id, None)
            # What another process has read to its end meanwhile, and is read again, begins anew.
            one = rest if rest and row.read_by is None else self._hear(row, sources.get(row.source))
            said = len(one.events) + len(one.readings)
            if heard and (said > room or one.again != heard[0].again):
                self._rest[row.id] = one
                deliveries.put_back(connection, rows[nth:])
                break
            if said > most and not one.again:
                self._rest[row.id] = replace(one, events=one.events[most:], readings=one.readings[most:])
                one = replace(one, events=one.events[:most], readings=one.readings[:most], more=True)
                deliveries.put_back(connection, rows[nth:])
                heard.append(one)
                break
            heard.append(one)
            room -= said
        return heard

    def _set_aside(self, error: Exception, now: datetime) -> Worked | None:
        """Quarantine the one delivery whose statements cannot be recorded, so that those behind it are read."""
        log.error("a delivery cannot be recorded", exc_info=error)
        with self.store.writing() as connection:
            rows = deliveries.claim_one(connection, self._at)
            heard = [
                Heard(row.id, row.source, row.received_at, row.read_as or "", row.read_by or 0, row.read_by is not None)
                for row in rows
            ]
            for one in heard:
                one.reason = f"could not be recorded: {type(error).__name__}: {error}"[:1000]
            if heard:
                deliveries.stamp(connection, [_stamp(one, now) for one in heard])
                pulse(self.store, connection, ["deliveries"], now)
        return Worked(len(heard), 0, frozenset({"deliveries"})) if heard else None

    def _decide(
        self, config: Config, changes: Changes, changed: Sequence[Change], gone: Sequence[Occurrence]
    ) -> frozenset[str]:
        changes.recount_members_of([seen.id for seen in gone])
        Grouping(config, changes, story=self.story).apply(changed)
        outside = any(seen.kind != "alert" for seen in (*(c.now for c in changed), *gone))
        if changes.opened or changes.joined or self._measured or outside:
            # Two transactions that bring an incident and a hazard would each miss what the other has not committed.
            # Before the first settle, which locks rows: the order of locks is source, group, linking, rows.
            self.store.lock(changes.connection, ["linking"])
        incidents = changes.settle()
        linking = Linking(config, changes)
        linking.relink_incidents(
            [incidents[name] for name in sorted(changes.opened | changes.relink) if name in incidents]
        )
        linking.relink_occurrences([seen for c in changed for seen in (c.was, c.now) if seen])
        linking.relink_readings(self._measured)
        linking.lapse(gone)
        incidents |= changes.settle()
        kinds = {f"{c.now.kind}s" for c in changed}
        return frozenset({f"incident:{name}" for name in incidents} | kinds | {"deliveries"})

    # --- reading ----------------------------------------------------------------------------------------------------

    def _hear(self, row: Any, source: Source | None) -> Heard:  # noqa: ANN401  # a row of `deliveries.claim`
        adapter = self.adapters.get(source.adapter) if source else None
        heard = Heard(
            id=row.id,
            source=row.source,
            received_at=row.received_at,
            adapter=adapter.name if adapter else "",
            version=adapter.version if adapter else 0,
            again=row.read_by is not None,
        )
        if row.refused:
            heard.reason = row.refused
        elif source is None:
            heard.reason = f"the source {row.source} is not configured any more"
        elif adapter is None:
            heard.reason = f"this version has no adapter {source.adapter}"
        elif row.read_by is not None and row.read_as == adapter.name and row.read_by > adapter.version:
            heard.older = True
        elif row.read_by is not None and not deliveries.is_whole(row):
            heard.older = True  # what was said of the body as it came holds
        else:
            self._normalise(heard, row, source, adapter)
        return heard

    def hear(self, row: Any, source: Source | None) -> Heard:  # noqa: ANN401
        """What would be read in a delivery now; nothing is recorded."""
        return self._hear(row, source)

    @staticmethod
    def _normalise(heard: Heard, row: Any, source: Source, adapter: Adapter) -> None:  # noqa: ANN401
        try:
            body = deliveries.inflate(row.body, row.encoding)
            delivery = Delivery(
                source=row.source,
                body=body,
                received_at=row.received_at,
                headers=row.headers,
                timezone=source.timezone,
                mapping=source.mapping,
            )
            for statement in recordable(adapter.normalise(delivery), delivery):
                if isinstance(statement, Event):
                    heard.events.append(statement)
                elif isinstance(statement, Reading):
                    _measure(heard, statement)
                else:
                    heard.losses.append(statement)
        except (UnrecognisedError, ValueError) as error:
            heard.reason = str(error)[:1000] or type(error).__name__
        except Exception as error:  # an adapter's fault quarantines its own delivery, never its neighbours
            log.exception("adapter %s failed on delivery %s", adapter.name, row.id)
            heard.reason = f"the adapter {adapter.name}@{adapter.version} failed: {type(error).__name__}: {error}"[
                :1000
            ]
        if heard.reason is not None:
            heard.events, heard.readings, heard.losses = [], [], []

    # --- recording --------------------------------------------------------------------------------------------------

    def _record(
        self, heard: Sequence[Heard], connection: sa.Connection, now: datetime
    ) -> tuple[list[Change], list[Occurrence]]:
        """Record what is new and fold it; what changed, and occurrences that nobody speaks of any more."""
        self._measured = self._record_readings(heard, connection, now)
        said: dict[str, dict[str, tuple[Heard, Event]]] = defaultdict(dict)
        repeats: list[tuple[str, str, int]] = []
        for one in heard:
            for event in one.events:
                name, identity = fold.subject_id(one.source, event.key), digest(event)
                if identity in said[name]:
                    repeats.append((name, identity, one.id))
                else:
                    said[name][identity] = (one, event)
        cached = self._cached(connection, list(said))
        known = self._known(connection, [(name, identity) for name, events in said.items() for identity in events])
        fresh, rows = self._fresh(said, known, repeats, now)
        if rows:
            insert_many(connection, EVENT, rows)
        self._see_again(connection, repeats)
        undone = self._supersede([h for h in heard if h.again], connection, now)
        undone |= {name for name, identity, _ in repeats if known.get((name, identity))}
        return self._fold(connection, cached, fresh, undone)

    @staticmethod
    def _cached(connection: sa.Connection, subjects: list[str]) -> dict[str, Occurrence]:
        """The latest occurrence of each subject that has one."""
        return {
            row.subject: records.occurrence_of(row)
            for part in chunks(subjects)
            for row in connection.execute(
                sa.select(OCCURRENCE).where(OCCURRENCE.c.subject.in_(part), OCCURRENCE.c.followed.is_(False))
            )
        }

    @staticmethod
    def _known(connection: sa.Connection, said: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Which of these statements, by (subject, digest), are recorded, and whether each was superseded."""
        superseded = sa.exists().where(SUPERSESSION.c.event_id == EVENT.c.id).label("superseded")
        return {
            (row.subject, row.digest): bool(row.superseded)
            for part in chunks(list(said))
            for row in connection.execute(
                sa.select(EVENT.c.subject, EVENT.c.digest, superseded).where(_IDENTITY.in_(part))
            )
        }

    @staticmethod
    def _fresh(
        said: Mapping[str, Mapping[str, tuple[Heard, Event]]],
        known: Mapping[tuple[str, str], bool],
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
                recorded_at = now if one.again else one.received_at
                adapter = f"{one.adapter}@{one.version}"
                fresh.setdefault(name, []).append(
                    Said(event, identity, one.source, said_at, recorded_at, 0, "", adapter)
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
                        "statement": records.statement_text(event, said_at),
                    }
                )
        return fresh, rows

    @staticmethod
    def _see_again(connection: sa.Connection, repeats: Sequence[tuple[str, str, int]]) -> None:
        wanted: dict[tuple[str, str], set[int]] = defaultdict(set)
        for name, identity, delivery in repeats:
            wanted[name, identity].add(delivery)
        rows = []
        for part in chunks(sorted(wanted)):
            query = sa.select(EVENT.c.id, EVENT.c.subject, EVENT.c.digest, EVENT.c.delivery_id)
            for row in connection.execute(query.where(_IDENTITY.in_(part))):
                rows += [
                    {"event_id": row.id, "delivery_id": delivery}
                    for delivery in wanted[row.subject, row.digest]
                    if delivery != row.delivery_id
                ]
        if rows:
            connection.execute(insert(connection, SIGHTING).on_conflict_do_nothing(), rows)

    @staticmethod
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

    @staticmethod
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
        new = reading_counts.fresh(connection, rows)
        if new:
            connection.execute(insert(connection, READING).on_conflict_do_nothing(index_elements=["digest"]), new)
            reading_counts.count(connection, new)
        return [row for row in new if row["variable"] in counted_variables()]

    # --- folding ----------------------------------------------------------------------------------------------------

    def _fold(
        self,
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


def _is_of_schema(error: Exception) -> bool:
    """Whether a table or column is not there: PostgreSQL's class 42; SQLite says so as an OperationalError."""
    fault = getattr(error, "orig", None)
    return isinstance(error, sqlalchemy.exc.ProgrammingError) and str(getattr(fault, "sqlstate", "")).startswith("42")


def _measure(heard: Heard, reading: Reading) -> None:
    """Keep a reading, unless its unit does not allow its value: that is counted, with the first one's reason."""
    why = objection(reading)
    if why is None:
        heard.readings.append(reading)
        return
    n = next((n for n, loss in enumerate(heard.losses) if loss.what.startswith(UNBELIEVABLE)), None)
    if n is None:
        heard.losses.append(Loss(1, f"{UNBELIEVABLE}{why}"))
    else:
        heard.losses[n] = replace(heard.losses[n], count=heard.losses[n].count + 1)


def _occurrences_of(subject: str) -> sa.Select[Any]:
    return sa.select(OCCURRENCE).where(OCCURRENCE.c.subject == subject)


def _stamp(heard: Heard, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": heard.id,
        "source": heard.source,
        "state": "quarantined" if heard.reason is not None else "read",
        "reason": heard.reason and redact(heard.reason),
        "adapter": heard.adapter,
        "adapter_version": heard.version,
        "stamped_at": now,
        "events": len(heard.events),
        "readings": len(heard.readings),
        "losses": sum(loss.count for loss in heard.losses),
        "loss_reason": "; ".join(loss.what for loss in heard.losses)[:500] or None,
        "test": bool(heard.events) and all(e.test for e in heard.events),
        "again": heard.again,
    }
