"""How many bodies a second each adapter reads on one core, beside the decoder of JSON alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from incidents.adapters import adapters
from incidents.model import Delivery
from tests import samples
from tests.bench.measured import Plan, Row, median


def measure(plan: Plan) -> list[Row]:
    """One row for each adapter that has a golden sample, in the order of names, and a national document of warnings."""
    rows = [
        _row(plan, name, sample.name, samples.delivery_of(sample))
        for name in adapters()
        if (sample := firing_sample(name))
    ]
    return [*rows, _row(plan, "nws_alerts", f"{NATIONAL} alerts", national_document())]


NATIONAL = 400
"""Alerts in force in the United States on a summer afternoon."""


def national_document(alerts: int = NATIONAL) -> Delivery:
    """So many warnings, each an occurrence of its own, with 20 zones, 20 counties and 3 kB of text; 2 MB of 400."""
    body = orjson.loads(samples.delivery_of(samples.PAYLOADS / "nws_alerts" / "warning.json").body)
    warning = body["features"][0]
    body["features"] = [_numbered(warning, number) for number in range(alerts)]
    return Delivery("test", orjson.dumps(body), samples.RECEIVED)


def _numbered(warning: dict[str, Any], number: int) -> dict[str, Any]:
    zones = [f"CAZ{(number + zone) % 1000:03d}" for zone in range(20)]
    told = {
        **warning["properties"],
        "id": f"urn:oid:2.49.0.1.840.0.{number:040x}.001.1",
        "description": "Heat. " * 500,
        "geocode": {"UGC": zones, "SAME": [f"006{zone:03d}" for zone in range(20)]},
        "affectedZones": [f"https://api.weather.gov/zones/forecast/{zone}" for zone in zones],
        "parameters": {"VTEC": [f"/O.NEW.KSTO.XH.W.{number:04d}.261119T1900Z-261121T0300Z/"]},
    }
    return {**warning, "properties": told}


def firing_sample(adapter: str) -> Path | None:
    """The sample called `firing`, else the first of which the adapter says something."""
    said = [
        sample
        for sample in samples.of(adapter)
        if (lines := sample.with_suffix(".expected.jsonl")).exists() and b'"key"' in lines.read_bytes()
    ]
    return next((sample for sample in said if sample.name.startswith("firing.")), said[0] if said else None)


def _row(plan: Plan, name: str, sample: str, delivery: Delivery) -> Row:
    normalise = adapters()[name].normalise
    batch = 50 if len(delivery.body) < 100_000 else 1
    is_json = delivery.body[:1] in (b"{", b"[")
    ours, decoder = [], []
    for _ in range(plan.rounds):
        ours.append(_rate(lambda: normalise(delivery), plan.seconds / 10, batch))
        if is_json:
            decoder.append(_rate(lambda: orjson.loads(delivery.body), plan.seconds / 20, batch))
    return Row(
        "7. Bodies read on one core",
        f"{name}, {sample}, {len(delivery.body):,} B",
        median(ours),
        "/s",
        median(decoder) or None,
        "JSON decoded",
        cpu=f"{1e6 / median(ours):.0f} µs a body",
        rounds={"bodies a second": ours, "decoded a second": decoder},
    )


def _rate(step: Callable[[], object], seconds: float, batch: int) -> float:
    """Calls in a second of this process's own CPU time, so that neighbours count for little; `batch` a look at it."""
    calls, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for _ in range(batch):
            step()
        calls += batch
    return calls / spent
