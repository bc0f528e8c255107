"""What the pages ask of one sender: who was refused at its door, what could not be read, how its test went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import redaction
from incidents.deliveries import DELIVERY, STAMP, inflate_some, is_setup_test
from incidents.proofs.repeats import REFUSAL
from incidents.receipts import receipt_of
from incidents.statements import EVENT, SIGHTING
from incidents.tables.bodies import unpack_some
from incidents.views.lists import quarantine_rows
from incidents.views.source_view import Payload, QuarantineRow, RecentDelivery, Refusals, SenderState, Trial

MOST_BYTES = 256 * 1024
"""Bytes of a body that are fetched to be shown in a list of several."""


def sender_state(connection: sa.Connection, source: str, *, limit: int = 20) -> SenderState:
    """What went wrong at a source and came last; tests of our own are left out."""
    return SenderState(
        _refusals(connection, source), _last_error(connection, source), _recent(connection, source, limit)
    )


def _refusals(connection: sa.Connection, source: str) -> tuple[Refusals, ...]:
    query = sa.select(
        REFUSAL.c.reason, sa.func.sum(REFUSAL.c.count).label("n"), sa.func.max(REFUSAL.c.day).label("day")
    )
    rows = connection.execute(
        query.where(REFUSAL.c.source == source).group_by(REFUSAL.c.reason).order_by(REFUSAL.c.reason)
    )
    return tuple(Refusals(row.reason, int(row.n), row.day) for row in rows)


def _last_error(connection: sa.Connection, source: str) -> QuarantineRow | None:
    return next(iter(quarantine_rows(list(connection.execute(_quarantined(source).limit(1))))), None)


def _quarantined(source: str | None) -> sa.Select[Any]:
    query = sa.select(DELIVERY.c.id, DELIVERY.c.source, DELIVERY.c.received_at, DELIVERY.c.size, STAMP.c.reason)
    query = query.join(STAMP, STAMP.c.delivery_id == DELIVERY.c.id).where(STAMP.c.state == "quarantined")
    return (query.where(STAMP.c.source == source) if source else query).order_by(STAMP.c.delivery_id.desc())


def _recent(connection: sa.Connection, source: str, limit: int) -> tuple[RecentDelivery, ...]:
    columns = (DELIVERY.c.id, DELIVERY.c.received_at, DELIVERY.c.size, STAMP.c.state, STAMP.c.reason, STAMP.c.test)
    query = sa.select(*columns).outerjoin(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
    query = query.where(DELIVERY.c.source == source, ~is_setup_test()).order_by(DELIVERY.c.id.desc()).limit(limit)
    return tuple(
        RecentDelivery(receipt_of(r.id), r.received_at, r.state or "unread", r.size, r.reason, bool(r.test))
        for r in connection.execute(query)
    )


def quarantined(
    connection: sa.Connection, *, source: str | None, before: int | None, limit: int, shown: int
) -> list[Payload]:
    """Quarantined deliveries with what they hold, the newest first; of each payload at most `shown` characters."""
    query = _quarantined(source).add_columns(
        sa.func.substr(sa.type_coerce(DELIVERY.c.body, sa.LargeBinary), 1, MOST_BYTES).label("begun"),
        DELIVERY.c.encoding,
    )
    if before is not None:
        query = query.where(STAMP.c.delivery_id < before)
    rows = connection.execute(query.limit(limit)).all()
    return [payload_of(row, given, shown) for row, given in zip(rows, quarantine_rows(rows), strict=True)]


def count_quarantined(connection: sa.Connection, source: str | None) -> int:
    """How many deliveries are quarantined."""
    query = sa.select(sa.func.count()).select_from(STAMP).where(STAMP.c.state == "quarantined")
    return connection.execute(query.where(STAMP.c.source == source) if source else query).scalar() or 0


def payload_of(row: Any, given: QuarantineRow, shown: int) -> Payload:  # noqa: ANN401  # a row with `begun`, `encoding`
    """What a delivery holds as a page shows it."""
    begun = unpack_some(bytes(row.begun), MOST_BYTES)
    text, cut = redaction.body(inflate_some(begun, row.encoding, MOST_BYTES).decode("utf-8", "replace"), shown)
    return Payload(given, text, cut or len(begun) < row.size)


def trial(connection: sa.Connection, number: int, source: str, *, status: int, took_ms: int) -> Trial | None:
    """How the delivery of this id went, if it is a test of this source."""
    query = sa.select(DELIVERY.c.received_at, DELIVERY.c.size, STAMP).outerjoin(
        STAMP, STAMP.c.delivery_id == DELIVERY.c.id
    )
    row = connection.execute(query.where(DELIVERY.c.id == number, DELIVERY.c.source == source, is_setup_test())).first()
    if row is None:
        return None
    said = _statements(connection, number)
    return Trial(
        status=status,
        took_ms=took_ms,
        receipt=receipt_of(number),
        received_at=row.received_at,
        size=row.size,
        state=row.state or "unread",
        reason=row.reason,
        adapter=f"{row.adapter}@{row.adapter_version}" if row.adapter else "",
        read_ms=int((row.stamped_at - row.received_at).total_seconds() * 1000) if row.stamped_at else None,
        titles=tuple(one["title"] for one in said),
        kinds=tuple(one["kind"] for one in said),
    )


def _statements(connection: sa.Connection, number: int) -> Sequence[dict[str, Any]]:
    seen = sa.select(SIGHTING.c.event_id).where(SIGHTING.c.delivery_id == number)
    query = sa.select(EVENT.c.statement).where((EVENT.c.delivery_id == number) | EVENT.c.id.in_(seen))
    return [orjson.loads(text) for text in connection.execute(query.order_by(EVENT.c.id).limit(20)).scalars()]
