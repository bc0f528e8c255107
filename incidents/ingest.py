"""Ingest: one transaction that reads a batch of deliveries, records what is new, folds, and lets the rules decide."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import sqlalchemy.exc

from incidents import deliveries
from incidents.adapters import Adapter
from incidents.bounds import objection
from incidents.config import Config
from incidents.entries import Changes
from incidents.grouping import Grouping
from incidents.linker.linking import Linking
from incidents.model import Delivery, Event, Loss, Reading, Source, UnrecognisedError
from incidents.pulses import pulse
from incidents.recording import Heard, Recorded, record
from incidents.redaction import redact
from incidents.spoken import recordable
from incidents.store import Store, is_away

log = logging.getLogger(__name__)

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


READ_AS = "request-adapter"
"""The header that names the adapter of a body which we asked for; no sender can set it."""
UNBELIEVABLE = "readings that cannot be true: "
"""How the loss begins that stands for them."""

MOST_STATEMENTS = 1000
"""How much one fold transaction records while deliveries come in, so that intake never waits long behind it."""


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
        except RECORDING_FAULTS as error:
            self._rest.clear()
            if is_away(error):
                # Away, busy, or its schema moved on by a newer replica: the deliveries stay queued for whoever can.
                raise
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
            recorded = record(connection, [h for h in heard if not h.older], now)
            # What is read again was told when it came, or is history by now.
            destinations = () if heard and heard[0].again else config.destinations
            changes = Changes(self.store, connection, now, destinations=destinations)
            topics = self._decide(config, changes, recorded)
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

    def _decide(self, config: Config, changes: Changes, recorded: Recorded) -> frozenset[str]:
        changed, gone = recorded.changed, recorded.gone
        changes.recount_members_of([seen.id for seen in gone])
        Grouping(config, changes, story=self.story).apply(changed)
        outside = any(seen.kind != "alert" for seen in (*(c.now for c in changed), *gone))
        if changes.opened or changes.joined or recorded.measured or outside:
            # Two transactions that bring an incident and a hazard would each miss what the other has not committed.
            # Before the first settle, which locks rows: the order of locks is source, group, linking, rows.
            self.store.lock(changes.connection, ["linking"])
        incidents = changes.settle()
        linking = Linking(config, changes)
        linking.relink_incidents(
            [incidents[name] for name in sorted(changes.opened | changes.relink) if name in incidents]
        )
        linking.relink_occurrences([seen for c in changed for seen in (c.was, c.now) if seen])
        linking.relink_readings(recorded.measured)
        linking.lapse(gone)
        incidents |= changes.settle()
        kinds = {f"{c.now.kind}s" for c in changed}
        return frozenset({f"incident:{name}" for name in incidents} | kinds | {"deliveries"})

    # --- reading ----------------------------------------------------------------------------------------------------

    def _hear(self, row: Any, source: Source | None) -> Heard:  # noqa: ANN401  # a row of `deliveries.claim`
        # What we asked for ourselves may be of another format than what the source's own sender posts.
        adapter = self.adapters.get(row.headers.get(READ_AS, source.adapter)) if source else None
        heard = Heard(
            id=row.id,
            source=row.source,
            received_at=row.received_at,
            adapter=adapter.name if adapter else "",
            version=adapter.version if adapter else 0,
            again=row.read_by is not None,
        )
        if row.refused and row.refused.startswith(deliveries.REPEATS):
            pass  # the delivery that it repeats says it all
        elif row.refused:
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
