"""The store: one database, SQLite embedded or PostgreSQL by URL, its transactions, locks and migrations.

SQLite has one writer at a time: the gate lets intake in before folds, and folds keep their transactions short.
On PostgreSQL the gate is open to all and the database decides.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
import sqlalchemy as sa
import sqlalchemy.exc

from incidents import schema
from incidents.tables import Instant, Json, micros

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

log = logging.getLogger(__name__)

T = TypeVar("T")

BUSY_SECONDS = 30
FAIR_SECONDS = 0.5
"""How long a fold lets intake go first before it takes its turn."""
QUIET_SECONDS = 0.005
"""How long intake must have paused for a fold to begin before that."""
CROWD = 8
CROWD_QUIET_SECONDS = 0.05
"""The same after a commit of a crowd: those it answered are about to send again."""
CHUNK = 500
"""Most values in one IN list, well under the parameter bound of either database."""


AWAY = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError, OSError)
"""What is raised while the database or its disk cannot be written at all."""
OF_THE_SERVER = ("08", "25", "40", "42", "53", "55", "57", "58")
"""Classes of PostgreSQL's errors that speak of no row: lost, read-only, another schema, full, locked, shut down."""
OF_A_ROW = "54"
"""The class of limits that a row exceeds, which the driver counts among the operational errors."""
IDLE_SECONDS = 15
"""How long PostgreSQL waits, within a transaction that holds locks, for a process that was stopped."""


def is_away(error: Exception) -> bool:
    """Whether the database cannot be used at all, so that the same thing may well be done later."""
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    return not state.startswith(OF_A_ROW) and (isinstance(error, AWAY) or state.startswith(OF_THE_SERVER))


class WriteGate:
    """Who may write on SQLite: intake first, but a fold that has waited `FAIR_SECONDS` is not put off again.

    An open gate, that of PostgreSQL, keeps nobody out; a worker still gives way to the intake of its own process.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        self._is_open = is_open
        self._free = threading.Condition()
        self._held = False
        self._intake_waits = 0
        self._intake_left_at = 0.0
        self._quiet = QUIET_SECONDS

    @contextmanager
    def intake(self, count: int = 1) -> Iterator[None]:
        """Enter as soon as the present holder leaves, with so many deliveries."""
        with self._free:
            self._intake_waits += 1
            while self._held:
                self._free.wait()
            self._intake_waits -= not self._is_open
            self._held = not self._is_open
        try:
            yield
        finally:
            with self._free:
                self._intake_left_at = time.monotonic()
                self._intake_waits -= self._is_open
                self._quiet = CROWD_QUIET_SECONDS if count >= CROWD else QUIET_SECONDS
            self._leave()

    @contextmanager
    def fold(self) -> Iterator[None]:
        """Enter when nobody holds the gate and intake has paused, or when the wait has been long enough."""
        if self._is_open:
            yield
            return
        with self._free:
            self._wait_for_intake()
            self._held = True
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Wait as `fold` does, where that would let everybody in."""
        if self._is_open:
            with self._free:
                self._wait_for_intake()

    def _wait_for_intake(self) -> None:
        latest = time.monotonic() + FAIR_SECONDS
        while (wait := self._fold_waits(latest)) > 0:
            self._free.wait(wait)

    def intake_paused(self) -> float:
        """For how many seconds no intake has come through; 0 while some waits."""
        return 0.0 if self._intake_waits else time.monotonic() - self._intake_left_at

    def _fold_waits(self, latest: float) -> float:
        """Seconds after which a fold should look again; 0 when it may enter."""
        now = time.monotonic()
        if self._held:
            return FAIR_SECONDS
        if now >= latest:
            return 0.0
        if self._intake_waits:
            return latest - now
        return min(latest, self._intake_left_at + self._quiet) - now

    def _leave(self) -> None:
        with self._free:
            self._held = False
            self._free.notify_all()


ID_SHIFT = 10
"""Random bits at the end of a delivery's id; the rest are microseconds, enough until the year 2255."""


def first_id(at: datetime) -> int:
    """The least id of a delivery received at this instant."""
    return micros(at) << ID_SHIFT


class DeliveryIds:
    """Ids of deliveries: microseconds since 1970 and some random bits, strictly growing within a process."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, at: datetime) -> int:
        """An id for a delivery received at this instant. Not safe to call from two threads at once."""
        self._last = max(self._last + 1, first_id(at) | random.getrandbits(ID_SHIFT))  # apart, not secret
        return self._last


def receipt_of(delivery_id: int) -> str:
    """The receipt that names a delivery to its sender: its id as sixteen hex digits."""
    return f"{delivery_id:016x}"


def delivery_id_of(receipt: str) -> int | None:
    """The inverse of `receipt_of`; None for what cannot be a receipt."""
    if len(receipt) != 16 or not set(receipt) <= set("0123456789abcdef"):
        return None
    number = int(receipt, 16)
    return number if number < 1 << 63 else None


class Store:
    """Engines, transactions and locks of one database. Connections are for one thread at a time."""

    def __init__(self, url: str, *, readers: int = 4) -> None:
        self.url = _driver_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.gate = WriteGate(is_open=not self.is_sqlite)
        if self.is_sqlite:
            path = self.url.database
            assert path, "an SQLite URL names a file"
            # Its owner's alone, where it is not there yet: the record holds payloads.
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write = _sqlite_engine(self.url, begin="BEGIN IMMEDIATE", pool_size=2)
            self._read = _sqlite_engine(self.url, begin="BEGIN", pool_size=readers)
        else:
            self._write = self._read = sa.create_engine(
                self.url,
                pool_size=readers + 3,
                max_overflow=2,
                pool_pre_ping=True,
                connect_args={"connect_timeout": 10, "application_name": "barograph"},
            )

    def close(self) -> None:
        """Give back every connection."""
        self._write.dispose()
        self._read.dispose()

    @contextmanager
    def intake(self, count: int = 1) -> Iterator[sa.Connection]:
        """A write transaction of so many deliveries, before folds; committed when the block ends without an error."""
        with self.gate.intake(count), self._write.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A write transaction of folds and people; committed when the block ends without an error.

        Should this process be paused within it, PostgreSQL ends it after a while, and its locks hold nobody up.
        """
        with self.gate.fold(), self._write.begin() as connection:
            self._bound_idling(connection, IDLE_SECONDS)
            yield connection

    def _bound_idling(self, connection: sa.Connection, seconds: int) -> None:
        if not self.is_sqlite:
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{seconds}s'")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A read transaction: what it sees does not change while it lasts."""
        with self._read.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    def lock(self, connection: sa.Connection, names: Iterable[str]) -> None:
        """Lock these names until the transaction ends, in one order for all; SQLite writers are serial anyway."""
        if self.is_sqlite:
            return
        for number in sorted({_lock_number(name) for name in names}):
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def lock_caches(self, connection: sa.Connection) -> None:
        """Keep every other transaction out of the caches until this one ends, however long it computes."""
        self._bound_idling(connection, 0)
        if not self.is_sqlite:
            connection.exec_driver_sql(
                # Those who only read pass, and see what was there. The order is that in which workers write.
                "LOCK TABLE reading_count, occurrence, reach, alert_group, member_count, incident IN EXCLUSIVE MODE"
            )

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema up to a revision; several processes may try at once, one does.

        Raises SchemaError where a newer version has made the tables.
        """
        with self.reading() as connection:
            found, wanted = schema.revision(connection), schema.newest() if revision == "head" else revision
        if found == wanted:
            return
        if found is not None and found > wanted:
            raise schema.SchemaError(
                f"the tables are at revision {found}, newer than {wanted}, which this version knows: "
                "run the version that made them, or restore a backup"
            )
        from alembic import command

        config = _alembic()
        with self.gate.fold(), self._write.begin() as connection:
            self.lock(connection, ["migrate"])
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def unmake(self) -> None:
        """Take every step of the schema back: whatever the tables hold is gone."""
        from alembic import command

        config = _alembic()
        with self.gate.fold(), self._write.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")

    @staticmethod
    def knows(revision: str) -> bool:
        """Whether this version has a step to that revision of the schema."""
        return revision in schema.steps()

    def durability(self) -> dict[str, str]:
        """The settings that law 1 rests on, as the database reports them."""
        if self.is_sqlite:
            # On a bare connection: a transaction of a writer's would wait for the fold that holds the gate.
            bare = self._write.raw_connection()
            try:
                names = ("journal_mode", "synchronous")
                return {name: str(bare.cursor().execute(f"PRAGMA {name}").fetchone()[0]) for name in names}
            finally:
                bare.close()
        with self._write.connect() as connection:
            return {
                name: str(connection.exec_driver_sql(f"SHOW {name}").scalar())
                for name in ("fsync", "synchronous_commit", "full_page_writes")
            }


def _alembic() -> AlembicConfig:
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _driver_url(url: str) -> sa.URL:
    parsed = sa.make_url(url)
    if parsed.drivername in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(f"unknown database {parsed.drivername!r}: give sqlite:///FILE or postgresql://…")
    return parsed


def _sqlite_engine(url: sa.URL, *, begin: str, pool_size: int) -> sa.Engine:
    engine = sa.create_engine(
        url,
        poolclass=sa.pool.QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:  # noqa: ANN401  # DBAPI objects
        # synchronous=FULL is what makes a 2xx true after a power cut; group commit makes it cheap.
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-65536",
            "wal_autocheckpoint=8000",
            "temp_store=MEMORY",
            "mmap_size=0",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def open_transaction(connection: sa.Connection) -> None:
        # The driver's own transactions upgrade from read to write and lose updates; ours say what they are.
        connection.exec_driver_sql(begin)

    return engine


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


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

    The statement is compiled once for each table and set of keys; values pass through their columns' types.
    """
    if not rows:
        return
    head, mark, processors = _compiled_insert(table, tuple(rows[0]), connection.dialect)
    columns = [
        [process(row[key]) for row in rows] if process else [row[key] for row in rows]
        for key, process in zip(rows[0], processors, strict=True)
    ]
    insert_tuples(connection, head, mark, list(zip(*columns, strict=True)))


MOST_TOGETHER = 64
"""Most rows in one INSERT on SQLite."""
MOST_VALUES = 900
"""Most values of one statement; older builds of SQLite take no more than 999."""


def insert_tuples(connection: sa.Connection, head: str, mark: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows as the driver takes them: `head` is the statement up to VALUES, `mark` the marks of one row.

    SQLite's driver lets go of the interpreter for every statement and then has to get it back from a busy event loop,
    so many rows go into one. Their number is a power of two: the driver keeps a compiled statement for each text.
    """
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(f"{head} {mark}", list(rows))
        return
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
def _compiled_insert(table: Any, keys: tuple[str, ...], dialect: sa.Dialect) -> tuple[str, str, list[Any]]:  # noqa: ANN401
    columns = [table.c[key] for key in keys]
    marks = ", ".join(["?" if dialect.paramstyle == "qmark" else "%s"] * len(keys))
    quote = dialect.identifier_preparer.quote
    head = f"INSERT INTO {quote(table.name)} ({', '.join(quote(c.name) for c in columns)}) VALUES"  # names are ours
    return head, f"({marks})", [_processor(c.type, dialect) for c in columns]


def _processor(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:  # noqa: ANN401  # a column's type
    if isinstance(kind, Instant):
        return lambda at: None if at is None else micros(at)
    if isinstance(kind, Json):
        return lambda value: None if value is None else orjson.dumps(value).decode()
    processor: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return processor


def chunks(values: list[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists of at most `size`."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
