"""Durable intake: messages acknowledged after fsync, the service beside the bare handler."""

from __future__ import annotations

from collections import defaultdict

from tests.bench.contenders import FLOOR, POSTGRESQL, POSTGRESQL_FLOOR, SQLITE, Load, started
from tests.bench.measured import Plan, Row, median
from tests.databases import Cluster

CONNECTIONS = 64
SIZES = (1, 10, 100)
LEAST = 0.7
BESIDE = {SQLITE: FLOOR, POSTGRESQL: POSTGRESQL_FLOOR}


def measure(plan: Plan, cluster: Cluster) -> list[Row]:
    """Rounds of each size over all contenders in turn, each on an empty store; the first messages only warm up."""
    runs: dict[tuple[str, int], list[Load]] = defaultdict(list)
    for _ in range(plan.rounds):
        for size in SIZES:
            for name in (FLOOR, SQLITE, POSTGRESQL_FLOOR, POSTGRESQL):
                with started(name, cluster) as contender:
                    contender.load(alerts=size, requests=CONNECTIONS, run="warm")
                    runs[name, size].append(
                        contender.load(alerts=size, connections=CONNECTIONS, seconds=plan.seconds, run="measured")
                    )
    return [
        _row(name, beside, size, runs[name, size], runs[beside, size])
        for size in SIZES
        for name, beside in BESIDE.items()
    ]


def _row(name: str, beside: str, size: int, ours: list[Load], floor: list[Load]) -> Row:
    rounds = {f"{who} {part}": values for who, loads in ((name, ours), (beside, floor)) for part, values in (
        ("messages a second", [_rate(load) for load in loads]),
        ("CPU µs a message", [_cost(load) for load in loads]),
        ("p99 ms", [load.p99 for load in loads]),
        ("refused", [float(load.refused) for load in loads]),
        ("sender's cores", [load.sender_cpu_seconds / load.seconds for load in loads]),
    )}  # fmt: skip
    cost, least = median([_cost(load) for load in ours]), median([_cost(load) for load in floor])
    return Row(
        part="1. Intake, 64 connections: messages acknowledged after fsync, folds running",
        what=f"{name}, {size} alert{'s' if size > 1 else ''} a message",
        value=median([_rate(load) for load in ours]),
        unit="/s",
        beside=median([_rate(load) for load in floor]),
        of=beside,
        least_ratio=LEAST,
        cpu=f"{cost:.0f} µs a message, folds included; {least:.0f} {beside}",
        rounds=rounds,
    )


def _rate(load: Load) -> float:
    return load.acknowledged / load.seconds


def _cost(load: Load) -> float:
    """CPU µs of the servers for each acknowledged message."""
    return load.cpu_seconds / max(1, load.acknowledged) * 1e6
