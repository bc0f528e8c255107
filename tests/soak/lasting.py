"""The round that lasts: the same load again and again, and what grows over the rounds though the load does not."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from tests.databases import MIGRATED, Cluster, cluster
from tests.pouring import Pouring
from tests.senders import CONFIG, ago
from tests.servers import Barograph

POSTS, PAGES = 400, 40
"""Of one round."""
WARM = 3
"""Rounds that are left out of the slope: pools fill, modules load, pages are first compiled."""
LEAST_ROUNDS = 8
MOST_GROWTH = 0.02
"""Of the memory at the end of the warm rounds, per thousand posts: what grows by more has a leak.

SQLite's pages are kept in the process, up to a bound of their own, so there as much may come on top as the file grows.
"""
PATHS = ("/", "/incidents", "/sources", "/review", "/api/v1/incidents", "/api/v1/occurrences", "/metrics", "/readyz")


@dataclass(frozen=True, slots=True)
class Held:
    """What the process and its database hold after a round, when all of it was read."""

    rss_kib: int
    files: int
    threads: int
    database_kib: int
    deliveries: int


def lasting(folder: Path, seconds: float) -> dict[str, Any]:
    """On each database for half of the time: a line through what was held after each round, by least squares."""
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        database: Cluster = stack.enter_context(cluster())
        starts_at = ago(minutes=10)
        for name, url in (("postgresql", database.url(database.make(MIGRATED))), ("sqlite", None)):
            home = folder / name
            home.mkdir()
            service = Barograph(home, CONFIG, database_url=url)
            with ExitStack() as running:
                running.callback(service.end)
                found[name] = _told(_rounds(service.start(60), url, seconds / 2, starts_at), is_sqlite=url is None)
    return found


def _rounds(service: Barograph, url: str | None, seconds: float, starts_at: datetime) -> list[Held]:
    held: list[Held] = []
    began, posted = time.monotonic(), 0
    while len(held) < WARM + LEAST_ROUNDS or time.monotonic() - began < seconds:
        posted += _load(service, starts_at)
        held.append(_held(service, url, posted))
    return held


def _load(service: Barograph, starts_at: datetime) -> int:
    """The same alerts each time, so that the record grows by deliveries and by nothing that pages show."""
    pouring = Pouring([service], threads=4, pause=0.0)
    pouring.starts_at = starts_at
    with pouring:
        pouring.until(POSTS)
    for n in range(PAGES):
        assert service.get(PATHS[n % len(PATHS)]).status == 200
    service.until(lambda: service.json("/api/v1/sources")["items"][0]["unread"] == 0, 120)
    return len(pouring.receipts)


def _held(service: Barograph, url: str | None, deliveries: int) -> Held:
    status = Path(f"/proc/{service.pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    files = len(os.listdir(f"/proc/{service.pid}/fd"))  # noqa: PTH208  # a process' files, not a folder's
    size = sum(file.stat().st_size for file in service.home.glob("barograph.db*"))
    if url:
        with closing(psycopg.connect(url)) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            size = int(row[0]) if row else 0
    return Held(int(fields["VmRSS"].split()[0]), files, int(fields["Threads"]), size // 1024, deliveries)


def _told(held: Sequence[Held], *, is_sqlite: bool) -> dict[str, Any]:
    """The figures; AssertionError where memory, files or threads grow with the rounds."""
    steady = held[WARM:]
    slopes = {name: slope([getattr(h, name) for h in steady], [h.deliveries for h in steady]) for name in _NAMES}
    print(json.dumps([asdict(one) for one in held]))
    kept = slopes["database_kib"] if is_sqlite else 0.0
    assert (slopes["rss_kib"] - kept) * 1000 <= MOST_GROWTH * steady[0].rss_kib, slopes
    assert steady[-1].files <= steady[0].files + 5, (steady[0], steady[-1])
    assert steady[-1].threads <= steady[0].threads + 5, (steady[0], steady[-1])
    return {
        "rounds": len(held),
        "deliveries": held[-1].deliveries,
        "first": asdict(steady[0]),
        "last": asdict(steady[-1]),
        "per_thousand_deliveries": {name: round(value * 1000, 2) for name, value in slopes.items()},
    }


_NAMES = ("rss_kib", "files", "threads", "database_kib")


def slope(values: Sequence[float], at: Sequence[float]) -> float:
    """The slope of the line through them, by least squares."""
    return statistics.linear_regression(at, values).slope
