"""Lists as tables: what is asked of many rows at once."""

from __future__ import annotations

from contextlib import closing

import sqlalchemy as sa

from incidents.bulk import listed
from incidents.statements import EVENT
from incidents.store import Store
from tests.databases import migrate

PAIRS = [("a", "1"), ("b", 'a "quoted" word'), ("ü\N{SNOWMAN}", ""), ("a", "2")]


def test_lists_are_rows_in_their_order(store: Store) -> None:
    with store.reading() as connection:
        names, words = zip(*PAIRS, strict=True)
        asked = listed(connection, names, words)
        assert [tuple(row) for row in connection.execute(sa.select(asked))] == PAIRS
        assert connection.execute(sa.select(listed(connection, names).c.a)).scalars().all() == list(names)


def test_an_empty_list_is_no_row(store: Store) -> None:
    with store.reading() as connection:
        assert connection.execute(sa.select(listed(connection, [], []))).all() == []


def test_sqlite_looks_pairs_up_and_never_goes_through_the_index(sqlite_url: str) -> None:
    migrate(sqlite_url)
    with closing(Store(sqlite_url)) as store, store.reading() as connection:
        asked = listed(connection, ["a", "b"], ["1", "2"])
        same = sa.and_(EVENT.c.subject == asked.c.a, EVENT.c.digest == asked.c.b)
        query = sa.select(EVENT.c.id).select_from(asked.join(EVENT, same))
        compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]
    assert any("SEARCH event USING" in step and "subject=? AND digest=?" in step for step in plan), plan
