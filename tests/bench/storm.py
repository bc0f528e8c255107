"""A storm of 100,000 alerts, singly and in messages of a hundred, on both databases: R5 of docs/reliability.md."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.burst import TARGET_ALERTS, until_all_show
from tests.bench.contenders import POSTGRESQL, SQLITE, Contender, started
from tests.bench.measured import Plan, Row, median
from tests.databases import Cluster

MOST_SECONDS = {1: 75.0, 100: 10.0}
"""Until all are acknowledged, by the alerts of a message."""
MOST_LATER_SECONDS = 30.0
"""From then until the API shows all of them."""
MOST_P99_MS, MOST_MIB = 500.0, 400.0
CONNECTIONS = 64
_SAMPLED_SECONDS = 0.5


def measure(plan: Plan, cluster: Cluster) -> list[Row]:
    """Rounds of each, on an empty store every time."""
    return [
        row
        for name in (SQLITE, POSTGRESQL)
        for alerts in MOST_SECONDS
        for row in _rows(plan, name, alerts, [_storm(plan, cluster, name, alerts) for _ in range(plan.rounds)])
    ]


def _storm(plan: Plan, cluster: Cluster, name: str, alerts: int) -> dict[str, float]:
    requests = plan.burst // alerts
    with started(name, cluster) as contender, _watched(contender) as held:
        before = contender.cpu()
        load = contender.load(alerts=alerts, connections=CONNECTIONS, requests=requests, seconds=300, run="storm")
        assert load.acknowledged == requests, f"{load.refused} of {requests} messages were refused"
        began = time.perf_counter()
        until_all_show(contender, requests * alerts)
        return {
            "s": load.seconds,
            "later s": time.perf_counter() - began,
            "p99 ms": load.p99,
            "CPU µs": (contender.cpu() - before) / (requests * alerts) * 1e6,
            "MiB": max(held),
        }


def _rows(plan: Plan, name: str, alerts: int, rounds: list[dict[str, float]]) -> Iterator[Row]:
    part = f"20. A storm of {plan.burst:,} alerts on {name}, {alerts} a message"
    is_whole = plan.burst == TARGET_ALERTS
    seen: dict[str, list[float]] = defaultdict(list)
    for one in rounds:
        for what, value in one.items():
            seen[what].append(value)
    for what, key, unit, most in (
        ("until all are acknowledged", "s", "s", MOST_SECONDS[alerts]),
        ("from then until all are visible", "later s", "s", MOST_LATER_SECONDS),
        ("99 of 100 acknowledgements", "p99 ms", "ms", MOST_P99_MS),
        ("most memory of all processes", "MiB", "MiB", MOST_MIB),
    ):
        cost = f"{median(seen['CPU µs']):.0f} µs an alert, all in" if key == "s" else ""
        yield Row(
            part,
            what,
            median(seen[key]),
            unit,
            most_value=most if is_whole else None,
            cpu=cost,
            rounds={key: seen[key]},
        )


@contextmanager
def _watched(contender: Contender) -> Iterator[list[float]]:
    """What all its processes hold, asked twice a second."""
    held, done = [contender.memory()], threading.Event()

    def watch() -> None:
        while not done.wait(_SAMPLED_SECONDS):
            held.append(contender.memory())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        done.set()
        thread.join()
