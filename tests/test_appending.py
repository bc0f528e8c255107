"""Appending to the log of deliveries: any number in one transaction, every byte and header as it was."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa

from incidents import deliveries
from incidents.deliveries import DELIVERY, UNREAD, Arrival
from incidents.receipts import DeliveryIds
from incidents.store import Store
from service import clock


@pytest.mark.parametrize("count", [0, 1, 63, 150])
def test_what_is_appended_is_read_back_and_queued(store: Store, count: int) -> None:
    ids, now = DeliveryIds(), clock.now()
    sent = [
        Arrival(
            ids.next(now + timedelta(seconds=n)),
            f"source-{n % 3}",
            now + timedelta(seconds=n),
            '{"user-agent": "x"}' if n % 2 else {"user-agent": "x"},
            b"\x00\xff%s" + b"\\" * n,
            "gzip" if n % 5 == 0 else "",
            "larger than the bound" if n % 7 == 0 else None,
            12_000_000 if n % 7 == 0 else None,
        )
        for n in range(count)
    ]
    with store.intake(count) as connection:
        deliveries.append(connection, sent)
    with store.reading() as connection:
        rows = connection.execute(sa.select(DELIVERY).order_by(DELIVERY.c.id)).all()
        queued = connection.execute(sa.select(UNREAD).order_by(UNREAD.c.delivery_id)).all()
    assert [tuple(row) for row in queued] == [(arrival.id, False) for arrival in sent]
    assert [tuple(row) for row in rows] == [
        (
            one.id,
            one.source,
            one.received_at,
            {"user-agent": "x"},
            one.encoding,
            one.body,
            len(one.body) if one.size is None else one.size,
            sha256(one.body).hexdigest(),
            one.refused,
        )
        for one in sent
    ]
