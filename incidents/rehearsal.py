"""A rehearsal of reading deliveries again: what today's adapters would say otherwise. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents.config import Config
from incidents.deliveries import DELIVERY, STAMP
from incidents.ingest import Ingest
from incidents.model import Event
from incidents.receipts import receipt_of
from incidents.recording import Heard
from incidents.records import event_of
from incidents.redaction import redact
from incidents.rereading import Difference, differences
from incidents.spoken import digest
from incidents.statements import EVENT, SIGHTING, SUPERSESSION
from incidents.store import Store

BATCH = 50
"""Deliveries that are fetched at once, with their bodies."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One delivery read again: the state it had and would have, and what would be said otherwise."""

    receipt: str
    received_at: datetime
    adapter: str
    was: str
    now: str
    was_reason: str | None
    now_reason: str | None
    differences: tuple[Difference, ...] = ()
    readings_was: int = 0
    readings_now: int = 0

    @property
    def differs(self) -> bool:
        """Whether anything but the version of its adapter would change."""
        was, now = (self.was, self.was_reason, self.readings_was), (self.now, self.now_reason, self.readings_now)
        return bool(self.differences) or was != now

    def superseded(self) -> int:
        """How many of its statements would not be said any more."""
        return sum(found.change in ("changed", "gone") for found in self.differences)

    def new(self) -> int:
        """How many statements would be recorded."""
        return sum(found.change in ("changed", "new") for found in self.differences)


def rehearse(store: Store, ingest: Ingest, config: Config, where: sa.ColumnElement[bool]) -> Iterator[Rehearsed]:
    """Every stamped delivery that `where` (of stamps) chooses, in the order of receipt.

    Bodies are read in batches, each in a read transaction of its own, so that no other one waits.
    """
    after = -1
    columns = (
        DELIVERY,
        STAMP.c.state,
        STAMP.c.reason,
        STAMP.c.readings,
        STAMP.c.adapter_version.label("read_by"),
        STAMP.c.adapter.label("read_as"),
    )
    while True:
        query = sa.select(*columns).join(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
        query = query.where(where, STAMP.c.delivery_id > after).order_by(STAMP.c.delivery_id).limit(BATCH)
        with store.reading() as connection:
            rows = connection.execute(query).all()
            said = {row.id: _said(connection, row.id) for row in rows}
        for row in rows:
            yield _rehearsed(row, said[row.id], ingest.hear(row, config.source(row.source)))
        if len(rows) < BATCH:
            return
        after = rows[-1].id


def _said(connection: sa.Connection, delivery: int) -> dict[str, Event]:
    """What a delivery is recorded to say, by digest: its own statements that were not taken back, and its repeats."""
    taken_back = sa.exists().where(SUPERSESSION.c.event_id == EVENT.c.id)
    seen = sa.select(SIGHTING.c.event_id).where(SIGHTING.c.delivery_id == delivery)
    query = sa.select(EVENT.c.digest, EVENT.c.statement, EVENT.c.said_at).where(
        ((EVENT.c.delivery_id == delivery) & ~taken_back) | EVENT.c.id.in_(seen)
    )
    return {
        row.digest: replace(event_of(row.statement, row.said_at), said_at=row.said_at)
        for row in connection.execute(query.order_by(EVENT.c.id))
    }


def _rehearsed(row: Any, said: dict[str, Event], heard: Heard) -> Rehearsed:  # noqa: ANN401  # a row of `rehearse`
    known = Rehearsed(
        receipt=receipt_of(row.id),
        received_at=row.received_at,
        adapter=f"{heard.adapter}@{heard.version}",
        was=row.state,
        now=row.state,
        was_reason=row.reason,
        now_reason=row.reason,
        readings_was=row.readings,
        readings_now=row.readings,
    )
    if heard.older:
        return known
    return replace(
        known,
        now="quarantined" if heard.reason is not None else "read",
        now_reason=heard.reason and redact(heard.reason),
        differences=tuple(differences(said, {digest(event): event for event in heard.events})),
        readings_now=len(heard.readings),
    )
