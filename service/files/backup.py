"""Backups: every row of every table as of one moment, in one file that either database takes back.

A gzip of lines of JSON: a head with the schema's revision; for each table a line with its name, its columns and their
kinds, and one for each row; at the end the counts and the SHA-256 of all lines before.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from incidents import instants
from incidents.notices import outbox
from incidents.refusals import ConflictError
from incidents.store import Store
from incidents.tables import METADATA, RebuildDueRow
from incidents.tables.bodies import Body
from service import clock

FORMAT = "barograph-backup"
VERSION = 1
LEVEL = 5
"""Of gzip: half the time of the usual 9 for nearly the same size."""
BATCH = 500
"""Rows that are read and written together."""
MOST_LINE = 256 * 1024 * 1024
"""A longer line is none of ours."""
DUE = RebuildDueRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it


BROKEN = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    orjson.JSONDecodeError,
    LookupError,
    TypeError,
    AssertionError,
)
"""What a file that is not whole can raise while it is read."""


class BackupError(ValueError):
    """The file is no backup, not whole, or of a newer version."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a backup holds."""

    made_at: str
    revision: str
    rows: dict[str, int]

    @property
    def total(self) -> int:
        """Rows of all tables."""
        return sum(self.rows.values())


# --- writing --------------------------------------------------------------------------------------------------------


def back_up(store: Store, path: Path, now: datetime) -> Told:
    """Write all that is committed at this moment; the file has its name only once it is whole and synced.

    One read transaction: writers go on meanwhile, and SQLite keeps what they write in its log until the end.
    """
    with _put_in_place(path) as file, store.reading() as connection:
        lines = _Lines(file)
        revision = _revision(connection)
        lines.write({"format": FORMAT, "version": VERSION, "made_at": instants.text(now), "revision": revision})
        rows = {str(table.name): _write_table(lines, connection, table) for table in _tables()}
        lines.write({"end": rows, "sha256": lines.digest})
    return Told(instants.text(now), revision, rows)


@contextmanager
def _put_in_place(path: Path) -> Iterator[gzip.GzipFile]:
    """A file beside the one wanted, which takes its name when the block has ended without an error."""
    fd, made = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            with gzip.GzipFile("", "wb", LEVEL, file, mtime=0) as packed:
                yield packed
            file.flush()
            os.fsync(file.fileno())
        Path(made).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(made).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class _Lines:
    """Lines of JSON on their way out, and the digest of those before."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file, self._seen = file, hashlib.sha256()

    def write(self, value: Any) -> None:  # noqa: ANN401  # JSON
        self.write_all([value])

    def write_all(self, values: Sequence[Any]) -> None:
        text = b"".join(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE) for value in values)
        self._seen.update(text)
        self._file.write(text)

    @property
    def digest(self) -> str:
        return self._seen.hexdigest()


def _tables() -> list[sa.Table]:
    return [table for table in METADATA.sorted_tables if table.name != DUE.name]


def _revision(connection: sa.Connection) -> str:
    return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


def _kind(column: sa.Column[Any]) -> str:
    """How its values stand in the file; types of our own are numbers and texts in the database."""
    if isinstance(column.type, sa.LargeBinary | Body):
        return "bytes"
    return "bool" if isinstance(column.type, sa.Boolean) else "plain"


def _column(name: str) -> sa.ColumnElement[Any]:
    """A column whose values come as the driver gives them, not as values of ours."""
    return sa.literal_column(f'"{name}"')


def _write_table(lines: _Lines, connection: sa.Connection, table: sa.Table) -> int:
    kinds = {str(column.name): _kind(column) for column in table.columns}
    lines.write({"table": str(table.name), "columns": list(kinds), "kinds": list(kinds.values())})
    query = sa.select(*(_column(name) for name in kinds)).select_from(table)
    query = query.order_by(*(_column(column.name) for column in table.primary_key))
    out = [_OUT[kind] for kind in kinds.values()]
    count = 0
    with connection.execution_options(stream_results=True, yield_per=BATCH).execute(query) as found:
        for part in found.partitions():
            lines.write_all([[f(value) for f, value in zip(out, row, strict=True)] for row in part])
            count += len(part)
    return count


_OUT: dict[str, Callable[[Any], Any]] = {
    "plain": lambda value: value,
    "bool": lambda value: None if value is None else bool(value),
    "bytes": lambda value: None if value is None else base64.b64encode(value).decode(),
}
_IN: dict[str, Callable[[Any], Any]] = {
    "plain": lambda value: value,
    "bool": lambda value: value,
    "bytes": lambda value: None if value is None else base64.b64decode(value, validate=True),
}

# --- reading --------------------------------------------------------------------------------------------------------


def check(path: Path) -> Told:
    """Read a backup to its end. Raises BackupError where a byte is not as it was written."""
    told: Told | None = None
    for told, _, _ in _read(path):  # noqa: B007  # the last one holds the counts
        pass
    assert told is not None
    return told


def restore(store: Store, path: Path) -> Told:
    """Fill an empty database, made at the backup's revision and brought to this version's; all of it or nothing.

    Notices that waited are given up: a copy that is only tried must not send what its original sends.
    Raises BackupError, before anything is written, for a file that is not whole, and ConflictError where the database
    holds anything.
    """
    told = check(path)
    if not store.knows(told.revision):
        raise BackupError(f"{path.name} is of a newer version: its schema is {told.revision}")
    _refuse_what_is_there(store)
    store.migrate(told.revision)
    with store.writing() as connection:
        store.lock_caches(connection)
        connection.execute(sa.delete(DUE))
        for _, table, rows in _read(path):
            if table is not None:
                _insert(connection, table, rows)
        _restart_numbers(connection)
        if sa.inspect(connection).has_table(outbox.NOTICE.name):  # an early schema had none
            outbox.end_restored(connection, clock.now())
    store.migrate()
    return told


def _refuse_what_is_there(store: Store) -> None:
    with store.reading() as connection:
        there = set(sa.inspect(connection).get_table_names()) & {table.name for table in _tables()}
        for name in sorted(there):
            if connection.execute(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)).first():
                raise ConflictError(f"the database is not empty: there are rows in {name}")
    if there:  # of whatever revision: they are empty, and made again as the backup knows them
        store.unmake()


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: list[str]
    kinds: list[str]


def _read(path: Path) -> Iterator[tuple[Told, _Table | None, list[list[Any]]]]:
    """Rows of each table, some at a time; last, without a table, what the file says of itself as a whole."""
    seen, counts = hashlib.sha256(), dict[str, int]()
    head: dict[str, Any] = {}
    table: _Table | None = None
    rows: list[list[Any]] = []
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(MOST_LINE):
                value = orjson.loads(line)
                if not head:
                    head = _head(value)
                elif isinstance(value, list):
                    assert table is not None
                    rows.append([_IN[kind](each) for kind, each in zip(table.kinds, value, strict=True)])
                    counts[table.name] += 1
                elif "table" in value:
                    yield Told("", "", {}), table, rows
                    table, rows = _Table(value["table"], value["columns"], value["kinds"]), []
                    counts[table.name] = 0
                elif value == {"end": counts, "sha256": seen.hexdigest()} and not file.read(1):
                    yield Told("", "", {}), table, rows
                    yield Told(head["made_at"], head["revision"], counts), None, []
                    return
                else:
                    raise BackupError(f"{path.name} is not whole: its digest is another")
                if len(rows) >= BATCH:
                    yield Told("", "", {}), table, rows
                    rows = []
                seen.update(line)
    except (
        EOFError,
        gzip.BadGzipFile,
        zlib.error,
        orjson.JSONDecodeError,
        LookupError,
        TypeError,
        AssertionError,
    ) as error:
        raise BackupError(f"{path.name} is no whole backup: {error}") from None
    except ValueError as error:
        raise error if isinstance(error, BackupError) else BackupError(f"{path.name}: {error}") from None
    raise BackupError(f"{path.name} is not whole: it ends too early")


def _head(value: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise BackupError("this is no backup of Barograph")
    if value["version"] != VERSION:
        raise BackupError(f"this backup is of format {value['version']}; this version reads {VERSION}")
    return value


def _insert(connection: sa.Connection, table: _Table, rows: Sequence[Sequence[Any]]) -> None:
    """The table and its columns are those of the schema: a name that it does not know is refused."""
    if not rows:
        return
    known = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    if not set(table.columns) <= known:
        raise BackupError(f"{table.name}: columns {sorted(set(table.columns) - known)} are not of this schema")
    quoted = ", ".join(f'"{name}"' for name in table.columns)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" for _ in table.columns)
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({quoted}) VALUES ({marks})',  # noqa: S608  # names are of the schema
            [tuple(row) for row in rows],
        )
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({quoted}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def _restart_numbers(connection: sa.Connection) -> None:
    """PostgreSQL numbers rows from where the restored ones end; SQLite does so by itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in _tables():
        for column in table.primary_key:
            name = connection.execute(sa.func.pg_get_serial_sequence(table.name, column.name).select()).scalar()
            if name:
                query = sa.select(sa.func.max(_column(column.name))).select_from(sa.table(table.name))
                highest = connection.execute(query).scalar()
                connection.execute(sa.select(sa.func.setval(name, (highest or 0) + 1, sa.false())))
