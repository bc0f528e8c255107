"""Rows by the million into an empty store: past intake, as fast as each database takes them.

Indexes of the great tables are taken away first and made afterwards, by sorting. What is written is synced in the end.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from incidents import months
from incidents.store import Store

GREAT = ("event", "occurrence", "alert_group", "member")
"""Tables whose keys lie scattered; those of the others grow with the rows."""

Write = Callable[[str, Sequence[str], Sequence[tuple[Any, ...]]], None]
"""Appends rows to a table, given the names of their columns."""


@contextmanager
def writing(store: Store, since: datetime, until: datetime) -> Iterator[Write]:
    """What appends rows to an empty store that was in use from one moment to the other; all is kept with the end."""
    if store.is_sqlite:
        assert store.url.database
        store.close()  # the journal is changed only while nobody else has the file open
        with _sqlite(store.url.database) as write:
            yield write
    else:
        _make_months(store, since, until)
        url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with _postgresql(url) as write:
            yield write


@contextmanager
def _sqlite(path: str) -> Iterator[Write]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:

        def write(table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
            marks = ", ".join("?" * len(names))
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)

        # Nothing of it is worth a journal: a fill that breaks off is thrown away.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "threads=2"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN EXCLUSIVE")
        marks = ", ".join("?" * len(GREAT))
        indexes = connection.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})",
            GREAT,
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        yield write
        for _, statement in indexes:
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")
    file = os.open(path, os.O_RDWR)
    os.fsync(file)
    os.close(file)


@contextmanager
def _postgresql(url: str) -> Iterator[Write]:
    with psycopg.connect(url, autocommit=True) as connection:

        def do(statement: str, *names: str) -> None:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]  # ours

        def write(table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
            columns = sql.SQL(", ").join(map(sql.Identifier, names))
            statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
            with connection.cursor().copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)

        do("SET synchronous_commit = off")
        do("SET maintenance_work_mem = '256MB'")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND NOT EXISTS"
            " (SELECT FROM pg_constraint WHERE conname = indexname)",
            (list(GREAT),),
        ).fetchall()
        for name, _ in indexes:
            do("DROP INDEX {}", name)
        yield write
        for _, statement in indexes:
            do(statement)
        for log in ("event", "entry"):
            do(f"SELECT setval(pg_get_serial_sequence('{log}', 'id'), max(id)) FROM {log}")
        # As the server does of itself after a while; it would else do so beside what is measured.
        do("VACUUM (ANALYZE)")
        do("CHECKPOINT")


def _make_months(store: Store, since: datetime, until: datetime) -> None:
    """The partitions that a store would have which had been in use since then."""
    with store.writing() as connection:
        wanted, at = [], since
        while at < until:
            wanted.append(months.month_of(at))
            at = wanted[-1].until
        for table in months.PARTED:
            connection.exec_driver_sql(f"DROP TABLE {table}_before")
        there = {month.ending for month in months.there(connection)}
        for month in wanted:
            if month.ending not in there:
                months._make(connection, month)
    months.make_ahead(store, until)
