"""Lists as tables: what is asked of many rows at once."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy as sa
import sqlalchemy.exc

from incidents.bulk import insert_many, listed
from incidents.grouping import GROUP
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


STRANGE = ["a\tb\nc\\d\\N", "", "\\.", "ü\N{SNOWMAN}\N{PILE OF POO}", '"quoted", with {braces}', "\r\n"]


def _group(name: str, number: int) -> dict[str, object]:
    return {
        "group_key": name, "occurrence_id": f"{number:016x}", "starts_at": number, "ends_at": None,
        "severity": 3, "lane": "hardware",
    }  # fmt: skip


def test_what_is_inserted_together_is_there_as_it_was(store: Store) -> None:
    rows = [_group(name, number) | {"ends_at": number + 1} for number, name in enumerate(STRANGE)]
    with store.writing() as connection:
        insert_many(connection, GROUP, rows)
        insert_many(connection, GROUP, [])
    with store.reading() as connection:
        asked = sa.select(GROUP.c.group_key).order_by(GROUP.c.starts_at)
        assert connection.execute(asked).scalars().all() == STRANGE


def test_what_cannot_be_inserted_is_an_error_of_the_library_and_nothing_is_there(store: Store) -> None:
    rows = [_group("site:smf", number) | {"ends_at": 9} for number in range(3)]
    with pytest.raises(sqlalchemy.exc.IntegrityError), store.writing() as connection:
        insert_many(connection, GROUP, [*rows, rows[0]])
    with store.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(GROUP)).scalar_one() == 0
    with store.writing() as connection:
        insert_many(connection, GROUP, rows)
