"""Side by side: Barograph on both databases, Alerta and Alertmanager, the same alerts by the same sender, in turn."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench import peers
from tests.bench.measured import Plan, Row, median
from tests.databases import Cluster

SIZES = (1, 10, 100)
NAMES = (*peers.OURS, peers.ALERTA_BEST, peers.ALERTA, peers.ALERTMANAGER)
FEW, MANY = 8, 64
"""Connections: Alerta's two workers answer one request each, and more that wait only time out."""
LONGER = 4
"""How many times as long Alerta is sent to: in two seconds it answers a handful of messages of 100 alerts."""
PATIENCE = 600.0
LOOK_SECONDS = 0.25
ACKNOWLEDGED: Mapping[tuple[str, int], float] = {
    **{(peers.ALERTA_BEST, size): least for size, least in ((1, 30.0), (10, 60.0), (100, 60.0))},
    **{(peers.ALERTMANAGER, size): least for size, least in ((1, 0.7), (10, 1.5), (100, 1.5))},
}
"""The least ratio of what is acknowledged, by peer and alerts in a message."""
VISIBLE: Mapping[str, float] = {peers.ALERTA_BEST: 10.0}
"""And of what is visible."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one program did with what one sender sent in some seconds; rates are of alerts."""

    acknowledged: float
    visible: float
    """Alerts ÷ the seconds from the first message until the API showed the last of them."""
    p99_ms: float
    cpu_acknowledged: float
    """CPU µs an alert of the program and its database until the last answer."""
    cpu_visible: float
    memory: float
    """MiB at the end."""
    refused: int


def measure(plan: Plan, cluster: Cluster) -> list[Row]:
    """Rounds of each size over all programs in turn; what is absent has one row that says why."""
    runs: dict[tuple[str, int], list[Run]] = defaultdict(list)
    absent: dict[str, str] = {}
    for _ in range(plan.rounds):
        for size in SIZES:
            for name in NAMES:
                if name not in absent:
                    try:
                        runs[name, size].append(_run(plan, cluster, name, size))
                    except peers.AbsentError as why:
                        absent[name] = str(why)
    return [*_rows(runs), *(_absent(name, why) for name, why in absent.items())]


def _run(plan: Plan, cluster: Cluster, name: str, size: int) -> Run:
    theirs = name in (peers.ALERTA, peers.ALERTA_BEST)
    connections = FEW if theirs else MANY
    seconds = plan.seconds * (LONGER if theirs else 1)
    with peers.running(name, cluster) as contender:
        count = peers.shown(name, contender)
        warm = contender.load(alerts=size, connections=FEW, requests=FEW, run="warm").acknowledged
        _until(count, warm * size)
        before, began = contender.cpu(), time.perf_counter()
        load = contender.load(
            alerts=size, connections=connections, seconds=seconds, requests=max(1, plan.storm // size), run="measured"
        )
        sent = time.perf_counter() - began
        alerts = load.acknowledged * size
        _until(count, warm * size + alerts)
        # The sender's own start is not theirs.
        shown_after = load.seconds + time.perf_counter() - began - sent
        return Run(
            acknowledged=alerts / load.seconds,
            visible=alerts / shown_after,
            p99_ms=load.p99,
            cpu_acknowledged=load.cpu_seconds / alerts * 1e6,
            cpu_visible=(contender.cpu() - before) / alerts * 1e6,
            memory=contender.memory(),
            refused=load.refused,
        )


def _until(count: Callable[[], int], wanted: int) -> None:
    """Wait until the API shows so many; a refused message may have been stored all the same, hence at least."""
    until = time.perf_counter() + PATIENCE
    while (seen := count()) < wanted:
        assert time.perf_counter() < until, f"{seen} of {wanted} alerts are visible after {PATIENCE:.0f} s"
        time.sleep(LOOK_SECONDS)


def _rows(runs: Mapping[tuple[str, int], Sequence[Run]]) -> list[Row]:
    rows = []
    for size in SIZES:
        for ours in peers.OURS:
            for theirs in NAMES[len(peers.OURS) :]:
                if not (runs.get((ours, size)) and runs.get((theirs, size))):
                    continue
                pair = runs[ours, size], runs[theirs, size]
                least = ACKNOWLEDGED.get((theirs, size))
                rows += [
                    _row("acknowledged", size, (ours, theirs), pair, least),
                    _row("visible", size, (ours, theirs), pair, VISIBLE.get(theirs)),
                ]
    return rows


def _row(
    what: str, size: int, names: tuple[str, str], pair: tuple[Sequence[Run], Sequence[Run]], least: float | None
) -> Row:
    rates = [[run.acknowledged if what == "acknowledged" else run.visible for run in runs] for runs in pair]
    return Row(
        part=f"12. Side by side: alerts {what}",
        what=f"{names[0]}, {size} alert{'s' if size > 1 else ''} a message",
        value=median(rates[0]),
        unit="/s",
        beside=median(rates[1]),
        of=names[1],
        least_ratio=least,
        cpu="; ".join(_cost(what, runs) for runs in pair),
        rounds={
            f"{name} {label}": [float(getattr(run, field)) for run in runs]
            for name, runs in zip(names, pair, strict=True)
            for field, label in (
                ("acknowledged", "acknowledged a second"),
                ("visible", "visible a second"),
                ("p99_ms", "p99 ms"),
                ("cpu_acknowledged", "CPU µs an alert until acknowledged"),
                ("cpu_visible", "CPU µs an alert until visible"),
                ("memory", "MiB"),
                ("refused", "refused"),
            )
        },
    )


def _cost(what: str, runs: Sequence[Run]) -> str:
    spent = median([run.cpu_acknowledged if what == "acknowledged" else run.cpu_visible for run in runs])
    p99, memory = median([run.p99_ms for run in runs]), median([run.memory for run in runs])
    return f"{spent:,.0f} µs an alert, p99 {p99:,.0f} ms, {memory:.0f} MiB"


def _absent(name: str, why: str) -> Row:
    return Row("12. Side by side: not measured", f"{name}: {why}", 0.0, "")
