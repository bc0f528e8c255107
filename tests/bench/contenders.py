"""The programs that are measured, each in a process and a folder of its own, and the load that is put on them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from tests.bench.measured import cpu_seconds, resident_mib, share
from tests.bench.payloads import CONFIG
from tests.databases import MIGRATED, Cluster
from tests.servers import ROOT, Barograph, Server, free_port

FLOOR, SQLITE, POSTGRESQL = "bare handler", "SQLite", "PostgreSQL"
POSTGRESQL_FLOOR = "bare handler on PostgreSQL"


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the sender saw, and the CPU seconds that the servers spent meanwhile."""

    acknowledged: int
    refused: int
    seconds: float
    sender_cpu_seconds: float
    cpu_seconds: float
    latencies_ms: list[float]
    """Ascending."""

    @property
    def p99(self) -> float:
        """Of the latencies, in ms."""
        return share(self.latencies_ms, 0.99)


@dataclass(frozen=True, slots=True)
class Contender:
    """A running program and how to read the CPU seconds that it and its database have spent."""

    server: Server
    cpu: Callable[[], float]
    memory: Callable[[], float]
    """MiB of all its processes, shared pages divided among those who share them."""
    sender: tuple[str, ...] = ()
    """Options of every sender: where it posts, and in what shape."""

    def load(self, **options: float | str) -> Load:
        """Run the sender with these of its options, in a process of its own."""
        argv = [sys.executable, "-m", "tests.bench.load", "--port", str(self.server.port), *self.sender]
        argv += [word for name, value in options.items() for word in (f"--{name}", str(value))]
        before = self.cpu()
        done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=600)
        spent = self.cpu() - before
        told: dict[str, Any] = orjson.loads(done.stdout)
        return Load(
            told["acknowledged"],
            told["refused"],
            told["seconds"],
            told["cpu_seconds"],
            spent,
            told["latencies_ms"],
        )


@contextmanager
def started(
    name: str, cluster: Cluster | None = None, *, config: str = CONFIG, settings: Mapping[str, str] | None = None
) -> Iterator[Contender]:
    """One of the four on an empty store; ended, and its files removed, when the block ends."""
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        url, postgres = None, 0
        if name in (POSTGRESQL, POSTGRESQL_FLOOR):
            assert cluster, "PostgreSQL runs"
            database = cluster.make(MIGRATED)
            stack.callback(cluster.drop, database)
            url, postgres = cluster.url(database), postmaster(cluster)
        server = (
            _floor(home, url)
            if name in (FLOOR, POSTGRESQL_FLOOR)
            else Barograph(home, config, database_url=url, settings=settings)
        )
        # What is still unread has been measured; a drain would fold it first.
        stack.callback(server.kill9)
        server.start()

        yield watched(server, postgres)


def watched(server: Server, postgres: int = 0, *, forks: bool = False, sender: tuple[str, ...] = ()) -> Contender:
    """What a program that runs spends; with its database's where a postmaster is given, its children's if it forks."""

    def cpu() -> float:
        own = cpu_seconds(server.pid, with_children=forks)
        return own + (cpu_seconds(postgres, with_children=True) if postgres else 0.0)

    def memory() -> float:
        return sum(resident_mib(pid) for pid in (server.pid, postgres) if pid)

    return Contender(server, cpu, memory, sender)


def postmaster(cluster: Cluster) -> int:
    """The process that every backend of a cluster is a child of."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row
        status = Path(f"/proc/{row[0]}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])


def _floor(home: Path, url: str | None) -> Server:
    port = free_port()
    argv = [sys.executable, "-m", "tests.bench.floor", "--port", str(port)]
    argv += ["--url", url] if url else ["--file", str(home / "bodies.db")]
    return Server(argv, port=port, ready="/livez", home=home, env={"PYTHONPATH": str(ROOT)})


def service(contender: Contender) -> Barograph:
    """The server, which is the product and not the bare handler."""
    assert isinstance(contender.server, Barograph)
    return contender.server


def deliveries_read(contender: Contender) -> int:
    """How many deliveries the worker has read since the service started."""
    text = service(contender).get("/metrics").text
    name = "barograph_deliveries_read_total "
    return int(float(next(line for line in text.splitlines() if line.startswith(name)).removeprefix(name)))
