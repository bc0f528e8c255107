"""Migrations: every step is done and undone, one by one, and leaves the tables that it found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from incidents import schema
from incidents.store import Store

TOLD = ("name", "type", "nullable", "constrained_columns", "referred_table", "column_names", "unique")
"""What is compared of a column, a key, an index; defaults are spelt by the database in more than one way."""


@pytest.fixture
def empty(database_url: str) -> Iterator[Store]:
    """A store without a table."""
    with closing(Store(database_url, readers=1)) as store:
        yield store


def shape(store: Store) -> dict[str, Any]:
    """Columns, keys and indexes of every table, and every trigger, as the database tells them."""
    triggers = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if store.is_sqlite
        else "SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal"
    )
    with store.reading() as connection:
        found = sa.inspect(connection)
        told = {
            "columns": found.get_multi_columns(),
            "key": {name: [key] for name, key in found.get_multi_pk_constraint().items()},
            "unique": found.get_multi_unique_constraints(),
            "indexes": found.get_multi_indexes(),
            "refers": found.get_multi_foreign_keys(),
        }
        shown = {
            (name, what): sorted(str({key: str(row[key]) for key in sorted(row) if key in TOLD}) for row in rows)
            for what, tables in told.items()
            for (_, name), rows in tables.items()
            if name != "alembic_version"
        }
        return {"triggers": sorted(connection.exec_driver_sql(triggers).scalars()), **shown}


def revision(store: Store) -> str | None:
    with store.reading() as connection:
        return schema.revision(connection)


def test_every_step_undoes_what_it_did_and_nothing_else(empty: Store) -> None:
    steps = sorted(schema.steps())
    assert steps[-1] == schema.newest()
    before, after = {"": shape(empty)}, ""
    for step in steps:
        empty.migrate(step)
        assert revision(empty) == step
        before[step] = shape(empty)
    for step in reversed(steps):
        after = steps[steps.index(step) - 1] if step != steps[0] else ""
        empty.unmake(after or "base")
        assert shape(empty) == before[after], f"undoing {step}"
