"""The server's time of each page with a year's record stored: many incidents, many events, and search among them."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from incidents.store import Store
from service import clock
from tests.bench import figures, filling
from tests.bench.measured import Plan, Row, cpu_seconds
from tests.bench.payloads import CONFIG
from tests.servers import Barograph

MOST_MS = 100.0
EVENTS, INCIDENTS = 1_000_000, 10_000
"""What the target is about; a shorter run is not held against it."""
EACH = 20
"""Requests of each page in a round."""
YEAR = timedelta(days=365)


def measure(plan: Plan) -> list[Row]:
    """A store is filled, each page is asked for in turn, and the store is removed."""
    home = Path(tempfile.mkdtemp(prefix="barograph-bench-"))
    events = max(plan.stored)
    incidents = INCIDENTS if events >= EVENTS else events // 100
    running = Barograph(home, CONFIG)
    try:
        with closing(Store(f"sqlite:///{home / 'barograph.db'}")) as store:
            store.migrate()
            names = filling.fill_many(store, incidents, events // incidents, clock.now() - YEAR, YEAR)
        running.start(120.0)
        seen: dict[str, list[float]] = {}
        cost: dict[str, list[float]] = {}
        for _ in range(max(2, plan.rounds)):
            for what, path in paths(names, events // incidents).items():
                spent = cpu_seconds(running.pid)
                took = [figures.milliseconds(lambda path=path: figures.get(running, path)) for _ in range(EACH)]  # type: ignore[misc]  # path is text
                seen.setdefault(what, []).extend(took)
                cost.setdefault(what, []).append((cpu_seconds(running.pid) - spent) * 1000 / EACH)
        held = events >= EVENTS
        return [_row(what, took, cost[what], events, incidents, held=held) for what, took in seen.items()]
    finally:
        running.kill9()
        shutil.rmtree(home, ignore_errors=True)


def paths(names: list[str], alerts: int) -> Mapping[str, str]:
    """Each page that a person opens, by what it is called in the table."""
    newest, middle = names[-1], names[len(names) // 2]
    return {
        "/": "/",
        "/incidents": "/incidents",
        "/incidents, resolved of one site": "/incidents?status=resolved&site=smf",
        "search: a word of many notes": "/incidents?q=pump",
        "search: a word of one note": f"/incidents?q={filling.rare(len(names) - 1)}",
        "search: a label": "/incidents?q=team%3Dstorage",
        "search: a host": f"/incidents?q=host-{(len(names) - 1) * alerts:016x}",
        "search: a word of none": "/incidents?q=zzyzx",
        "an incident": f"/incidents/{middle}",
        "the newest incident": f"/incidents/{newest}",
        "its figure": f"/api/v1/incidents/{newest}/figure",
        "its postmortem": f"/incidents/{newest}/postmortem",
        "/compare of two": f"/compare?ids={newest},{middle}",
        "/review": "/review",
        "/sources": "/sources",
        "/sources/am": "/sources/am",
        "/deliveries": "/deliveries",
        "/sites": "/sites",
        "/report": "/report",
        "/settings": "/settings",
    }


def _row(what: str, took: list[float], cost: list[float], events: int, incidents: int, *, held: bool) -> Row:
    """The 95th percentile, beside the median."""
    return Row(
        f"17. Pages, 95 of 100 answers, {events:,} events and {incidents:,} incidents, SQLite",
        what,
        statistics.quantiles(took, n=20)[-1],
        "ms",
        statistics.median(took),
        "the median",
        most_value=MOST_MS if held else None,
        cpu=f"{statistics.mean(cost):.0f} ms a page",
        rounds={"ms": took},
    )
