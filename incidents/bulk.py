"""Many rows at once: inserts without the cost of a statement for each, and lists cut to what one statement takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa

from incidents.tables import Instant, Json, micros

T = TypeVar("T")

CHUNK = 500
"""Most values in one IN list, well under the parameter bound of either database."""


def insert(connection: sa.Connection, table: Any) -> Any:  # noqa: ANN401  # a table in, its dialect's Insert out
    """An INSERT of the connection's dialect: both know `on_conflict_do_nothing` and `on_conflict_do_update`."""
    target = table.__table__ if hasattr(table, "__table__") else table
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(target)
    # Only where it is spoken: loading it takes a tenth of a second, which every command would pay.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(target)


def insert_many(connection: sa.Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401  # a table
    """Insert rows that all have the same keys, without the per-row cost of building statements.

    Values pass through their columns' types.
    """
    if not rows:
        return
    names, marks, processors = _written(table, tuple(rows[0]), connection.dialect)
    columns = [
        [process(row[key]) for row in rows] if process else [row[key] for row in rows]
        for key, process in zip(rows[0], processors, strict=True)
    ]
    tuples = zip(*columns, strict=True)
    if connection.dialect.name == "sqlite":
        insert_tuples(connection, f"INSERT INTO {names} VALUES", marks, list(tuples))
    else:
        _copy(connection, f"COPY {names} FROM STDIN", tuples)


def _copy(connection: sa.Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows as PostgreSQL takes them fastest, beside which a row of an INSERT costs four times as much.

    SQLAlchemy knows no COPY: the driver's errors become those that its own statements raise.
    """
    driver = connection.dialect.loaded_dbapi
    try:
        with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[attr-defined]  # psycopg's
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        raise sa.exc.DBAPIError.instance(statement, None, error, driver.Error, dialect=connection.dialect) from error


MOST_TOGETHER = 64
"""Most rows in one INSERT on SQLite."""
MOST_VALUES = 900
"""Most values of one statement; older builds of SQLite take no more than 999."""


def insert_tuples(connection: sa.Connection, head: str, mark: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows as SQLite's driver takes them: `head` is the statement up to VALUES, `mark` the marks of one row.

    The driver lets go of the interpreter for every statement and then has to get it back from a busy event loop, so
    many rows go into one. Their number is a power of two: the driver keeps a compiled statement for each text.
    """
    most = min(MOST_TOGETHER, 1 << (MOST_VALUES // len(rows[0])).bit_length() - 1)
    start = 0
    while left := len(rows) - start:
        count = min(most, 1 << left.bit_length() - 1)
        values = tuple(chain.from_iterable(rows[start : start + count]))
        connection.exec_driver_sql(_insert_of(head, mark, count), values)
        start += count


@lru_cache(maxsize=256)
def _insert_of(head: str, mark: str, count: int) -> str:
    return f"{head} {', '.join([mark] * count)}"


@lru_cache(maxsize=64)
def _written(table: Any, keys: tuple[str, ...], dialect: sa.Dialect) -> tuple[str, str, list[Any]]:  # noqa: ANN401
    """The table with its columns' names, a mark for each, and what makes a value the driver's."""
    columns = [table.c[key] for key in keys]
    quote = dialect.identifier_preparer.quote
    names = f"{quote(table.name)} ({', '.join(quote(c.name) for c in columns)})"
    return names, f"({', '.join('?' * len(keys))})", [_processor(c.type, dialect) for c in columns]


def _processor(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:  # noqa: ANN401  # a column's type
    if isinstance(kind, Instant):
        return lambda at: None if at is None else micros(at)
    if isinstance(kind, Json):
        return lambda value: None if value is None else orjson.dumps(value).decode()
    processor: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return processor


def listed(connection: sa.Connection, *columns: Sequence[str]) -> sa.Subquery:
    """Texts as a table to join, one column for each list, called `a`, `b` …: one parameter, whatever their number.

    A long IN list is compiled anew for each length, and SQLite reads a list of pairs by going through the whole index.
    """
    names = [chr(ord("a") + n) for n in range(len(columns))]
    if connection.dialect.name == "sqlite":
        rows = sa.func.json_each(orjson.dumps(list(zip(*columns, strict=True))).decode()).table_valued("value")
        cells = [sa.func.json_extract(rows.c.value, f"$[{n}]", type_=sa.Text) for n in range(len(columns))]
        return sa.select(*(cell.label(name) for cell, name in zip(cells, names, strict=True))).subquery()
    arrays = [sa.cast(list(column), sa.ARRAY(sa.Text)) for column in columns]
    return sa.select(sa.func.unnest(*arrays).table_valued(*names).render_derived()).subquery()


def among(connection: sa.Connection, column: sa.ColumnElement[int], numbers: Sequence[int]) -> sa.ColumnElement[bool]:
    """That a number is one of these, at least one: in one parameter, whatever their number.

    Their bounds are said besides: of a table in months PostgreSQL then looks into those alone that may hold them.
    """
    found: sa.ColumnElement[bool]
    if connection.dialect.name == "sqlite":
        found = column.in_(sa.select(sa.func.json_each(orjson.dumps(list(numbers)).decode()).table_valued("value")))
    else:
        found = column == sa.any_(sa.cast(list(numbers), sa.ARRAY(sa.BigInteger)))
    return found & column.between(min(numbers), max(numbers))


def chunks(values: list[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
