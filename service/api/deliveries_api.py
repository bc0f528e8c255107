"""Deliveries in the API: how each was read, its bytes, and reading it again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from incidents import deliveries, instants, privacy, redaction
from incidents.deliveries import DELIVERY, STAMP
from incidents.model import Delivery
from incidents.receipts import delivery_id_of, receipt_of
from incidents.records import event_of
from incidents.refusals import NotFoundError
from incidents.spoken import statement_json
from incidents.statements import EVENT, SIGHTING, occurrences_of
from incidents.views import lists
from service.asking import (
    AskingError,
    answer,
    compute,
    cursor_of,
    cursor_text,
    identity,
    limit_of,
    page,
    read,
)
from service.auditing import record
from service.keys import STORE, WORKER

MOST_EVENTS = 1000
"""Most events of one delivery that are told."""


async def list_deliveries(request: web.Request) -> web.Response:
    limit, cursor, state = limit_of(request), cursor_of(request, int), request.query.get("state")
    if state not in (None, "unread", "read", "quarantined"):
        raise AskingError("state: unread, read or quarantined is expected")
    source = request.query.get("source")
    rows = await read(
        request,
        lambda c: lists.list_deliveries(
            c, state=state, source=source, before=cursor[0] if cursor else None, limit=limit + 1
        ),
    )
    return page(
        [delivery_json(row) for row in rows[:limit]], cursor_text(rows[limit - 1].id) if len(rows) > limit else None
    )


def delivery_json(row: Any) -> dict[str, Any]:  # noqa: ANN401  # a row of `lists.list_deliveries`
    """A delivery as the API gives it, without its events."""
    return {
        "receipt": receipt_of(row.id),
        "source": row.source,
        "received_at": instants.text(row.received_at),
        "state": row.state or "unread",
        "reason": row.reason or row.refused,
        "adapter": row.adapter or None,
        "adapter_version": row.adapter_version,
        "size": row.size,
        "sha256": row.sha256,
        "losses": row.losses or 0,
        "loss_reason": row.loss_reason,
    }


def receipt_number(request: web.Request) -> int:
    """The id behind the receipt in the address. Raises NotFoundError for what cannot be one."""
    number = delivery_id_of(request.match_info["receipt"])
    if number is None:
        raise NotFoundError("there is no delivery with this receipt")
    return number


async def get_delivery(request: web.Request) -> web.Response:
    number = receipt_number(request)
    found = await read(request, lambda c: read_delivery(c, number))
    if found is None:
        raise NotFoundError("there is no delivery with this receipt")
    return answer({**found.fields, "events": found.said})


@dataclass(frozen=True, slots=True)
class DeliveryRead:
    """A delivery as the API gives it, the first of the events it said, and its row of the log."""

    fields: dict[str, Any]
    said: list[dict[str, Any]]
    row: Any
    is_partial: bool
    """Whether it spoke, or may have spoken, of alerts that are hidden from the asker: so do its bytes."""


def read_delivery(connection: sa.Connection, number: int) -> DeliveryRead | None:
    """A delivery with what it said of all that the asker may see; None where there is none."""
    rows = lists.list_deliveries(connection, state=None, source=None, before=number + 1, limit=1)
    if not rows or rows[0].id != number:
        return None
    row = connection.execute(sa.select(DELIVERY).where(DELIVERY.c.id == number)).one()
    said, hidden = _events(connection, number)
    total = _count(connection, number)
    unlooked = total > MOST_EVENTS and privacy.is_narrowed(connection)
    fields = {**delivery_json(rows[0]), "events_total": total - hidden}
    return DeliveryRead(fields, said, row, hidden > 0 or unlooked)


def _said_by(number: int) -> sa.ColumnElement[bool]:
    seen = sa.select(SIGHTING.c.event_id).where(SIGHTING.c.delivery_id == number)
    condition: sa.ColumnElement[bool] = (EVENT.c.delivery_id == number) | EVENT.c.id.in_(seen)
    return condition


def _count(connection: sa.Connection, number: int) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(EVENT).where(_said_by(number))).scalar() or 0


def _events(connection: sa.Connection, number: int) -> tuple[list[dict[str, Any]], int]:
    """What it said of what the asker may see, and how much of it is left out."""
    rows = connection.execute(sa.select(EVENT).where(_said_by(number)).order_by(EVENT.c.id).limit(MOST_EVENTS)).all()
    spoken_of = occurrences_of(connection, rows)
    hidden = privacy.hidden_alerts(connection, (name for name in spoken_of.values() if name))
    shown = [e for e in rows if spoken_of[e.id] not in hidden]
    said = [
        {
            "id": e.id,
            "occurrence": spoken_of[e.id],
            **statement_json(redaction.event(event_of(e.statement, e.said_at)), Delivery(e.source, b"", e.said_at)),
        }
        for e in shown
    ]
    return said, len(rows) - len(shown)


async def get_raw(request: web.Request) -> web.Response:
    number = receipt_number(request)
    row = await read(
        request,
        lambda c: c.execute(
            sa.select(DELIVERY.c.body, DELIVERY.c.encoding, DELIVERY.c.source).where(DELIVERY.c.id == number)
        ).first(),
    )
    if row is None:
        raise NotFoundError("there is no delivery with this receipt")
    who, store = identity(request), request.app[STORE]
    read_by = partial(record, store, who, "raw_read", receipt_of(number), request.remote, source=row.source)
    await compute(request, read_by)
    # Never as what it claims to be: a stranger's bytes are not a page of ours.
    headers = {
        "Content-Disposition": f'attachment; filename="{receipt_of(number)}.bin"',
        **({"Barograph-Content-Encoding": row.encoding} if row.encoding else {}),
    }
    return web.Response(body=row.body, content_type="application/octet-stream", headers=headers)


async def reread_delivery(request: web.Request) -> web.Response:
    return answer({"queued": await queue_reread(request)}, status=202)


async def queue_reread(request: web.Request) -> int:
    """Queue the request's delivery for another reading; 0 when it waits to be read already."""
    number, store = receipt_number(request), request.app[STORE]
    known = await read(request, lambda c: c.execute(sa.select(DELIVERY.c.id).where(DELIVERY.c.id == number)).first())
    if known is None:
        raise NotFoundError("there is no delivery with this receipt")

    def queue() -> int:
        with store.writing() as connection:
            return deliveries.queue_again(connection, STAMP.c.delivery_id == number)

    count = await compute(request, queue)
    request.app[WORKER].wake.set()
    return count
