"""The round of too much: three times what one core takes in, for a minute, from one sender on another core."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from incidents.deliveries import DELIVERY
from incidents.store import Store
from tests.bench.measured import resident_mib, share
from tests.bench.payloads import CONFIG
from tests.databases import MIGRATED, cluster
from tests.servers import ROOT, Barograph

TIMES, SECONDS = 3, 60.0
"""The surge: of the capacity, and how long."""
CONNECTIONS = 8000
"""More than may wait to be written, so that some must be turned away."""
CAPACITY_SECONDS = 5.0
REST_SECONDS, AFTER_SECONDS, AFTER_RATE = 10.0, 10.0, 200
"""How long after the surge a steady sender begins, for how long and at how many a second."""
LEAST_GOODPUT, MOST_REFUSAL_MS, MOST_AGE_MS, MOST_AFTER_MS = 0.8, 50.0, 5000.0, 200.0
"""The bars: goodput by capacity, the 99th percentile of a 503, the oldest 2xx, the 99th percentile of a 2xx after."""


def overload(folder: Path, seconds: float) -> dict[str, Any]:
    """On each database for half of the time. What is broken raises; what is slower than a bar is named."""
    found: dict[str, Any] = {}
    surge = min(SECONDS, max(2.0, seconds / 2 - CAPACITY_SECONDS - REST_SECONDS - AFTER_SECONDS))
    with ExitStack() as stack:
        running = stack.enter_context(cluster())
        for name, url in (("sqlite", None), ("postgresql", running.url(running.make(MIGRATED)))):
            home = folder / name
            home.mkdir()
            with _served(home, url) as service:
                found[name] = _surged(service, url or f"sqlite:///{home / 'barograph.db'}", surge)
    return found


@contextmanager
def _served(home: Path, url: str | None) -> Iterator[Barograph]:
    service = Barograph(home, CONFIG, database_url=url).start(60)
    try:
        yield service
    finally:
        service.kill9()  # what was taken in by then would be folded for minutes


def _surged(service: Barograph, url: str, seconds: float) -> dict[str, Any]:
    with _apart(service):
        calm = _send(service, connections=64, seconds=CAPACITY_SECONDS, run="calm")
        capacity = calm["acknowledged"] / calm["seconds"]
        surge = _send(service, connections=_connections(), rate=TIMES * capacity, seconds=seconds, run="surge")
        held = resident_mib(service.pid)
        # The first of it is the rest: what it says is not looked at.
        rest = _send(service, connections=16, rate=AFTER_RATE, seconds=REST_SECONDS, run="rest")
        after = _send(service, connections=16, rate=AFTER_RATE, seconds=AFTER_SECONDS, run="after")
    sent = (calm, surge, rest, after)
    assert all(set(one["statuses"]) <= {"503"} for one in sent), [one["statuses"] for one in sent]
    asked = surge["retry_after"]
    assert sum(asked.values()) == surge["refused"], "each that is turned away is told when to come back"
    assert surge["refused"] < 100 or len(asked) > 3, "not all at once"
    _check(url, sum(one["acknowledged"] for one in sent))
    answered = surge["acknowledged"] + surge["refused"]
    told = {
        "capacity_per_s": round(capacity),
        "surge_s": round(surge["seconds"], 1),
        "answered_by_capacity": round(answered / surge["seconds"] / capacity, 2),
        "acknowledged": surge["acknowledged"],
        "answered_503": surge["refused"],
        "goodput": round(surge["acknowledged"] / surge["seconds"] / capacity, 2),
        "refusal_ms_p99": share(surge["refusals_ms"], 0.99),
        "oldest_ack_ms": share(surge["latencies_ms"], 1),
        "ack_ms_p99": share(surge["latencies_ms"], 0.99),
        "ack_ms_p99_after": share(after["latencies_ms"], 0.99),
        "mib": round(held),
        "lost": 0,
    }
    bars = {
        "goodput": told["goodput"] >= LEAST_GOODPUT,
        "refusal_ms_p99": told["refusal_ms_p99"] <= MOST_REFUSAL_MS,
        "oldest_ack_ms": told["oldest_ack_ms"] <= MOST_AGE_MS,
        "ack_ms_p99_after": told["ack_ms_p99_after"] <= MOST_AFTER_MS,
    }
    return {**told, "missed": [name for name, is_reached in bars.items() if not is_reached]}


@contextmanager
def _apart(service: Barograph) -> Iterator[None]:
    """The service on one core, what is started here on another, so that a sender can offer more than is taken.

    Without a second core they share the one.
    """
    cores = sorted(os.sched_getaffinity(0))
    for task in Path(f"/proc/{service.pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _connections() -> int:
    """As many as this process may have open, with some left for the rest."""
    return min(CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500)


def _send(service: Barograph, **options: float | str) -> dict[str, Any]:
    """What a sender of single alerts saw, latencies from the moment at which each was sent."""
    argv = [sys.executable, "-m", "tests.bench.load", "--port", str(service.port), "--from-sending"]
    argv += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300)
    told: dict[str, Any] = orjson.loads(done.stdout)
    return told


def _check(url: str, acknowledged: int) -> None:
    """Every 2xx is a delivery that stands, and nothing else does."""
    with closing(Store(url)) as store, store.reading() as connection:
        stored = connection.execute(sa.select(sa.func.count()).select_from(DELIVERY)).scalar_one()
    assert stored == acknowledged, f"{stored} stored, {acknowledged} acknowledged"
