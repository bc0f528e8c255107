"""The queue of unread deliveries: what waits is taken in order, however much it is, and comes back from a failure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidents import deliveries
from incidents.deliveries import Arrival
from incidents.receipts import DeliveryIds
from incidents.store import Store
from tests.world import instant

MANY = 2500
"""More than one statement took as values of a list, on some builds of SQLite."""


def append(store: Store, count: int) -> list[int]:
    """So many deliveries over three months, each of ten bytes; their ids."""
    ids = DeliveryIds()
    begun = instant("00:00")
    arrivals = [
        Arrival(ids.next(at), "am", at, {}, b"0123456789")
        for at in (begun + timedelta(days=90) * n / count for n in range(count))
    ]
    with store.intake() as connection:
        deliveries.append(connection, arrivals)
    return [one.id for one in arrivals]


def test_all_that_waits_is_claimed_in_its_order(store: Store) -> None:
    names = append(store, MANY)
    with store.writing() as connection:
        claimed = deliveries.claim(connection, most=MANY - 1, most_bytes=1 << 20)
        assert [row.id for row in claimed] == names[:-1]
        assert [row.id for row in deliveries.claim(connection, most=MANY, most_bytes=1 << 20)] == names[-1:]
        assert deliveries.claim(connection, most=MANY, most_bytes=1 << 20) == []


def test_no_more_bytes_are_claimed_than_asked_but_for_the_first(store: Store) -> None:
    names = append(store, 5)
    with store.writing() as connection:
        assert [row.id for row in deliveries.claim(connection, most=5, most_bytes=29)] == names[:2]
        assert [row.id for row in deliveries.claim(connection, most=5, most_bytes=1)] == names[2:3]
        assert deliveries.claim_one(connection, names[0]) == []
        assert [row.id for row in deliveries.claim_one(connection, names[4])] == names[4:]


def test_what_was_claimed_waits_again_when_the_transaction_failed(store: Store) -> None:
    names = append(store, 3)

    def fail() -> None:
        with store.writing() as connection:
            assert len(deliveries.claim(connection, most=3, most_bytes=100)) == 3
            raise RuntimeError("a fold failed")

    with pytest.raises(RuntimeError):
        fail()
    with store.writing() as connection:
        assert [row.id for row in deliveries.claim(connection, most=3, most_bytes=100)] == names
