"""A filled history is what intake would have written, and what a rebuild of it gives, on either database."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from incidents import months
from incidents.rebuild import rebuild, state_digest
from incidents.receipts import ID_SHIFT
from incidents.store import Store
from incidents.tables import METADATA, micros
from tests.bench import bulk_history
from tests.bench.bulk_history import Shape
from tests.databases import migrate

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
SMALL = Shape(sites=2, days=2, alerts=13)
COPIES = 3
AT_RANDOM = {"incident.mark", "crowd_part.origin"}


def test_a_filled_history_is_what_intake_would_have_written(store: Store, tmp_path: Any) -> None:
    assert bulk_history.fill(store, (COPIES - 1) * SMALL.events + 1, UNTIL, SMALL) == COPIES * SMALL.events
    migrate(url := f"sqlite:///{tmp_path}/taken-in.db")
    with closing(Store(url)) as other:
        for mark, days in bulk_history.times(COPIES * SMALL.events, SMALL):
            bulk_history.take_in(other, UNTIL, SMALL, mark, days)
        wanted, found = _rows(other), _rows(store)
    assert wanted.keys() == found.keys()
    for table, rows in wanted.items():
        assert found[table] == rows, table
    assert len(found["event"]) == COPIES * SMALL.events
    with store.reading() as connection:
        at = METADATA.tables["delivery"].c
        for number, received_at in connection.execute(sa.select(at.id, at.received_at)):
            # Of several at one instant the later ones have the next ids, so the last may tell the next microsecond.
            assert 0 <= (number >> ID_SHIFT) - micros(received_at) <= 1


def test_a_filled_history_is_what_a_rebuild_of_it_gives(store: Store) -> None:
    bulk_history.fill(store, 2 * SMALL.events, UNTIL, SMALL)
    with store.reading() as connection:
        before = state_digest(connection)
    rebuild(store, bulk_history.config(), UNTIL)
    with store.reading() as connection:
        assert state_digest(connection) == before


def test_on_postgresql_a_filled_history_stands_in_the_months_in_which_it_came(postgresql_store: Store) -> None:
    bulk_history.fill(postgresql_store, 3 * SMALL.events, UNTIL, SMALL)
    with postgresql_store.reading() as connection:
        endings = [month.ending for month in months.there(connection)]
        counts = {
            ending: connection.exec_driver_sql(f"SELECT count(*) FROM delivery_{ending}").scalar() for ending in endings
        }
    assert (endings[0], endings[-1], len(endings)) == ("2024_11", "2027_01", 27)
    assert sum(count > 0 for count in counts.values()) == 3
    assert sum(counts.values()) == 3 * SMALL.sites * SMALL.days * bulk_history.SAYINGS * 2


def _rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that has one: deliveries numbered by their place, without what is made at random."""
    found = {}
    with store.reading() as connection:
        tables = [table for name, table in METADATA.tables.items() if name != "pulse"]
        ids = connection.execute(sa.select(METADATA.tables["delivery"].c.id)).scalars()
        places = {name: place for place, name in enumerate(sorted(ids))}
        for table in tables:
            columns = [column for column in table.columns if str(column) not in AT_RANDOM]
            query = sa.select(*columns).order_by(*table.primary_key.columns)
            if rows := connection.execute(query).all():
                found[table.name] = [
                    tuple(
                        places.get(value) if column.name == "delivery_id" or str(column) == "delivery.id" else value
                        for column, value in zip(columns, row, strict=True)
                    )
                    for row in rows
                ]
    return found
