"""Months: on PostgreSQL deliveries stand in a partition for each and go with it; on SQLite the same goes row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig

from incidents import deliveries, months
from incidents.adapters import adapters
from incidents.deliveries import DELIVERY, STAMP, Arrival
from incidents.ingest import Ingest
from incidents.receipts import DeliveryIds, first_id
from incidents.retention import Aged, Retention
from incidents.store import Store
from incidents.tables.bodies import LEAST, MARK, pack, unpack, unpack_some
from incidents.tombstones import TOMBSTONE
from service import clock
from tests.world import TWO_SITES

NEXT = months.month_of(months.month_of(clock.now()).until)
"""A month that no store has anything of yet."""
AFTER = months.month_of(NEXT.until)
LATER = NEXT.until + timedelta(days=100)
NOTHING, WORDS = b"[]", b"no JSON"


def deliver(store: Store, ats: Sequence[datetime], body: bytes = NOTHING) -> list[int]:
    """Take these in and read them; their ids."""
    ids = DeliveryIds()
    arrivals = [Arrival(ids.next(at), "any" if n % 2 else "sky", at, {}, body) for n, at in enumerate(ats)]
    with store.intake() as connection:
        deliveries.append(connection, arrivals)
    while Ingest(store, adapters()).work(TWO_SITES, ats[-1]):
        pass
    return [arrival.id for arrival in arrivals]


def partition_of(store: Store, number: int) -> str:
    """The name of the table in which a delivery stands."""
    with store.reading() as connection:
        query = sa.text("SELECT tableoid::regclass::text FROM delivery WHERE id = :id")
        return str(connection.execute(query, {"id": number}).scalar_one())


def stored(store: Store) -> set[int]:
    with store.reading() as connection:
        return set(connection.execute(sa.select(DELIVERY.c.id)).scalars())


def test_months_are_calendar_months_in_utc() -> None:
    december = months.month_of(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert (december.ending, december.since, december.until) == (
        "2026_12",
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert months.month_of(december.until).ending == "2027_01"


def test_months_are_made_ahead_once_by_whoever_comes_first(postgresql_store: Store) -> None:
    now = clock.now()
    with ThreadPoolExecutor(3) as pool:
        made = [
            month.ending
            for found in pool.map(lambda _: months.make_ahead(postgresql_store, now), range(3))
            for month in found
        ]
    assert made == [months.month_of(now).ending, NEXT.ending, AFTER.ending]
    assert months.make_ahead(postgresql_store, now) == []
    (number,) = deliver(postgresql_store, [NEXT.since])
    assert partition_of(postgresql_store, number) == f"delivery_{NEXT.ending}"
    with postgresql_store.reading() as connection:
        found = months.there(connection)
    assert all(one.end == other.first for one, other in pairwise(found)), "no gap, no overlap"


def test_what_comes_for_a_month_that_nobody_made_moves_when_it_is_made(postgresql_store: Store) -> None:
    months.make_ahead(postgresql_store, clock.now())
    far = months.month_of(AFTER.until + timedelta(days=70))
    numbers = deliver(postgresql_store, [far.since + timedelta(days=3), far.since + timedelta(days=4)])
    assert {partition_of(postgresql_store, number) for number in numbers} == {"delivery_rest"}
    months.make_ahead(postgresql_store, far.since)
    assert {partition_of(postgresql_store, number) for number in numbers} == {f"delivery_{far.ending}"}
    with postgresql_store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(STAMP)).scalar() == 2


def test_a_month_that_nobody_needs_goes_whole_and_leaves_its_tombstones(store: Store) -> None:
    months.make_ahead(store, clock.now())
    within = [NEXT.since + timedelta(hours=n) for n in range(9)]
    gone, stays = deliver(store, within), deliver(store, [AFTER.until - timedelta(hours=1)])
    with store.reading() as connection:
        sky = connection.execute(sa.select(DELIVERY.c.sha256).where(DELIVERY.c.source == "sky")).scalars()
        digests = sorted(sky)[: len(within[::2])]
    run = Retention(store, {"delivery": 90}, LATER)
    assert [one for one in run.rehearse() if one.source == "sky"] == [Aged("delivery", "sky", 5)]
    assert run.run() == [Aged("delivery", "any", 4), Aged("delivery", "sky", 5)]
    assert stored(store) == set(stays)
    with store.reading() as connection:
        stone = connection.execute(sa.select(TOMBSTONE).where(TOMBSTONE.c.source == "sky")).one()
        assert (stone.kind, stone.count, stone.first_at, stone.last_at) == ("delivery", 5, within[0], within[8])
        assert stone.sha256 == hashlib.sha256("\n".join(digests).encode()).hexdigest()
        assert set(connection.execute(sa.select(STAMP.c.delivery_id)).scalars()) == set(stays)
        assert NEXT.ending not in {month.ending for month in months.there(connection)}
    assert run.run() == []
    assert len(gone) == 9
    deliver(store, [within[0]])
    assert len(stored(store)) == 2, "a late one finds a place"


def test_a_month_of_which_one_delivery_is_needed_stays_and_the_others_go(store: Store) -> None:
    months.make_ahead(store, clock.now())
    deliver(store, [NEXT.since + timedelta(hours=n) for n in range(4)])
    (kept,) = deliver(store, [NEXT.since + timedelta(days=2)], WORDS)
    Retention(store, {"delivery": 90}, LATER).run()
    assert stored(store) == {kept}, "what nobody could read waits for a better adapter"
    if not store.is_sqlite:
        assert partition_of(store, kept) == f"delivery_{NEXT.ending}"


def test_a_month_that_is_in_use_is_left_for_the_next_run(postgresql_store: Store) -> None:
    months.make_ahead(postgresql_store, clock.now())
    deliver(postgresql_store, [NEXT.since])
    with postgresql_store.reading() as connection:
        connection.execute(sa.select(DELIVERY.c.id)).all()
        assert months.drop_aged(postgresql_store, LATER, lambda _connection, _month: False, LATER) == {}
    assert len(stored(postgresql_store)) == 1
    assert months.drop_aged(postgresql_store, NEXT.until, lambda _connection, _month: False, LATER) == {"sky": 1}


@pytest.mark.parametrize("body", [b"", b"[]", b"x" * LEAST, bytes(range(256)) * 9, MARK, MARK + b"x" * 9000])
def test_a_packed_body_comes_back_as_it_was(body: bytes) -> None:
    assert unpack(pack(body)) == body
    assert unpack_some(pack(body), 100) == body[:100]
    assert len(pack(body)) <= max(len(body), len(MARK) + 40)


def test_what_only_looks_packed_is_from_before(store: Store) -> None:
    assert unpack(MARK + b"not packed") == MARK + b"not packed"
    (number,) = deliver(store, [clock.now()], MARK + b"not packed")
    with store.reading() as connection:
        row = connection.execute(sa.select(DELIVERY).where(DELIVERY.c.id == number)).one()
        held = connection.execute(sa.text("SELECT content FROM delivery")).scalar_one()
    assert row.body == MARK + b"not packed"
    assert deliveries.is_whole(row)
    assert bytes(held) != row.body


def test_bodies_are_stored_packed_and_an_older_schema_gets_them_whole(store: Store) -> None:
    months.make_ahead(store, clock.now())
    body = b'[{"key": "k", "title": "' + b"disk full " * 500 + b'"}]'
    (number,) = deliver(store, [NEXT.since], body)
    with store.reading() as connection:
        held = bytes(connection.execute(sa.text("SELECT content FROM delivery")).scalar_one())
        stamps = connection.execute(sa.select(STAMP)).all()
    assert len(held) < len(body) / 10
    config = AlembicConfig()
    config.set_main_option("script_location", "incidents:migrations")
    with store.writing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0015")
        assert bytes(connection.execute(sa.text("SELECT body FROM delivery")).scalar_one()) == body
        command.upgrade(config, "head")
    with store.reading() as connection:
        row = connection.execute(sa.select(DELIVERY).where(DELIVERY.c.id == number)).one()
        assert connection.execute(sa.select(STAMP)).all() == stamps
    assert (row.body, row.size) == (body, len(body))
    assert first_id(NEXT.since) <= row.id
    months.make_ahead(store, clock.now())
    (other,) = deliver(store, [AFTER.until + timedelta(days=400)], body)
    assert stored(store) == {number, other}
