"""How many bodies a second each adapter reads on one core, beside the decoder of JSON alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson

from incidents.adapters import adapters
from tests import samples
from tests.bench.measured import Plan, Row, median


def measure(plan: Plan) -> list[Row]:
    """One row for each adapter that has a golden sample, in the order of names."""
    return [_row(plan, name, sample) for name in adapters() if (sample := firing_sample(name))]


def firing_sample(adapter: str) -> Path | None:
    """The sample called `firing`, else the first of which the adapter says something."""
    said = [
        sample
        for sample in samples.of(adapter)
        if (lines := sample.with_suffix(".expected.jsonl")).exists() and b'"key"' in lines.read_bytes()
    ]
    return next((sample for sample in said if sample.name.startswith("firing.")), said[0] if said else None)


def _row(plan: Plan, name: str, sample: Path) -> Row:
    delivery = samples.delivery_of(sample)
    normalise = adapters()[name].normalise
    is_json = delivery.body[:1] in (b"{", b"[")
    ours, decoder = [], []
    for _ in range(plan.rounds):
        ours.append(_rate(lambda: normalise(delivery), plan.seconds / 10))
        if is_json:
            decoder.append(_rate(lambda: orjson.loads(delivery.body), plan.seconds / 20))
    return Row(
        "7. Bodies read on one core",
        f"{name}, {sample.name}, {len(delivery.body):,} B",
        median(ours),
        "/s",
        median(decoder) or None,
        "JSON decoded",
        cpu=f"{1e6 / median(ours):.0f} µs a body",
        rounds={"bodies a second": ours, "decoded a second": decoder},
    )


def _rate(step: Callable[[], object], seconds: float) -> float:
    """Calls in a second of this process's own CPU time, so that neighbours count for little."""
    calls, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for _ in range(50):
            step()
        calls += 50
    return calls / spent
