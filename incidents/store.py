"""The store: one database, SQLite embedded or PostgreSQL by URL, its transactions, locks and migrations.

SQLite has one writer at a time: the gate lets intake in before folds, and folds keep their transactions short.
On PostgreSQL the gate is open to all and the database decides.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
import sqlalchemy.exc

from incidents import privacy, schema
from incidents.privacy import Asker
from incidents.write_gate import WriteGate

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

log = logging.getLogger(__name__)

BUSY_SECONDS = 30
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


def is_too_long(error: Exception) -> bool:
    """Whether PostgreSQL ended a query for its length: elsewhere it would take as long."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) == "57014"


class Store:
    """Engines, transactions and locks of one database. Connections are for one thread at a time."""

    def __init__(self, url: str, *, readers: int = 4, most_seconds: int | None = None) -> None:
        """`most_seconds`: how long PostgreSQL works on one query that somebody asks; for ever where it is None."""
        self.most_seconds = most_seconds
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

        sa.event.listen(self._read, "before_execute", privacy.narrowed, retval=True)

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
    def reading(self, asker: Asker | None = None) -> Iterator[sa.Connection]:
        """A read transaction: what it sees does not change while it lasts.

        With an asker no query in it finds anything of an incident that is private to others.
        """
        with self._read.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                if asker is not None:
                    self._bound_queries(connection)
                    privacy.narrow(connection, asker)
                yield connection

    def _bound_queries(self, connection: sa.Connection) -> None:
        if self.most_seconds and not self.is_sqlite:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{self.most_seconds}s'")

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
                "LOCK TABLE reading_count, occurrence, reach, alert_group, incident, member_count, crowd_part "
                "IN EXCLUSIVE MODE"
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

    def unmake(self, revision: str = "base") -> None:
        """Take the schema back to a revision, and with every step what only it holds; by default all of it."""
        from alembic import command

        config = _alembic()
        with self.gate.fold(), self._write.begin() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, revision)

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
        # Each connection has a cache of pages of its own: the one that was used last has what is asked for most.
        pool_use_lifo=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "do_connect")
    def make_private(*_: Any) -> None:  # noqa: ANN401  # DBAPI objects
        # Before SQLite would make it, for all to read: its log takes the file's mode over.
        path = Path(url.database or "")
        if not path.exists():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:  # noqa: ANN401  # DBAPI objects
        _log_ahead(connection)
        # synchronous=FULL is what makes a 2xx true after a power cut; group commit makes it cheap.
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            # What a schema says that somebody else wrote calls no function that could do harm.
            "trusted_schema=OFF",
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


def _log_ahead(connection: sqlite3.Connection) -> None:
    """Have the database write to its log first.

    Of processes that meet over a new file each may hold it while it asks to have it alone. SQLite then refuses one of
    them at once, whatever time to wait it was given, since both would wait for ever: that one asks again.
    """
    for pause in (*[0.01 * 2**n for n in range(9)], None):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as refused:
            if pause is None or refused.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(pause)
        else:
            return


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
