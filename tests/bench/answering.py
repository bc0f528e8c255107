"""How soon: acknowledgements while folds run and while none do, and the lag until an alert is in the API."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import orjson

from tests.bench.contenders import SQLITE, Contender, deliveries_read, service, started
from tests.bench.measured import Plan, Row, median, share
from tests.bench.payloads import KEY, SOURCE, Messages
from tests.servers import ADMIN_TOKEN

RATE = 100.0
"""Messages a second of the paced sender, one alert each."""
_DRAIN_SECONDS = 300.0


def measure(plan: Plan) -> list[Row]:
    """On one service on SQLite, rounds of: nothing to fold, a backlog being folded, one alert at a time."""
    seen: dict[str, list[float]] = defaultdict(list)
    with started(SQLITE) as contender:
        sent = contender.load(alerts=1, requests=100, run="warm").acknowledged
        for number in range(plan.rounds):
            _drained(contender, sent)
            sent += _acknowledge(contender, plan, seen, "idle", f"idle{number}")
            sent += contender.load(alerts=100, requests=plan.backlog, seconds=30, run=f"backlog{number}").acknowledged
            sent += _acknowledge(contender, plan, seen, "folding", f"folding{number}")
            seen["backlog left"].append(sent - deliveries_read(contender))
            _drained(contender, sent)
            sent += _appear(contender, plan, seen, number)
    return _rows(seen)


def _acknowledge(contender: Contender, plan: Plan, seen: dict[str, list[float]], when: str, run: str) -> int:
    load = contender.load(alerts=1, connections=16, rate=RATE, requests=int(RATE * plan.seconds * 1.5), run=run)
    seen[f"{when} p50"].append(share(load.latencies_ms, 0.5))
    seen[f"{when} p99"].append(load.p99)
    return load.acknowledged


def _appear(contender: Contender, plan: Plan, seen: dict[str, list[float]], number: int) -> int:
    """Post alerts one by one and ask until each is there: the lag from its 2xx to the answer that has it."""
    messages = Messages(1, f"appear{number}")
    lags, acknowledged = [], []
    with closing(HTTPConnection("127.0.0.1", contender.server.port, timeout=20)) as connection:
        for n in range(plan.probes):
            asked = time.perf_counter()
            receipt = _call(connection, "POST", f"/in/{SOURCE}", messages.body(n))["receipt"]
            began = time.perf_counter()
            while not _call(connection, "GET", f"/api/v1/deliveries/{receipt}")["events"]:
                pass
            lags.append((time.perf_counter() - began) * 1000)
            acknowledged.append((began - asked) * 1000)
    seen["lag p50"].append(share(sorted(lags), 0.5))
    seen["lag p99"].append(share(sorted(lags), 0.99))
    seen["alone p50"].append(share(sorted(acknowledged), 0.5))
    return plan.probes


def _call(connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    connection.request(method, path, body, {"Authorization": f"Bearer {KEY if body else ADMIN_TOKEN}"})
    answer = connection.getresponse()
    told: dict[str, Any] = orjson.loads(answer.read())
    assert answer.status < 300, told
    return told


def _drained(contender: Contender, sent: int) -> None:
    """Wait until everything that was sent has been read."""
    service(contender).until(lambda: deliveries_read(contender) >= sent, _DRAIN_SECONDS)


def _rows(seen: dict[str, list[float]]) -> list[Row]:
    rounds = dict(seen)
    part = f"2. Acknowledgement of a paced sender, {RATE:.0f} messages a second, SQLite"
    rows = [
        Row(part, f"{word} while a backlog is folded", median(seen[f"folding {word}"]), "ms",
            median(seen[f"idle {word}"]), "with folds idle", rounds=rounds)
        for word in ("p50", "p99")
    ]  # fmt: skip
    part = "3. From the 2xx to the alert in the API, one at a time, SQLite"
    rows += [
        Row(part, f"lag, {name}", median(seen[f"lag {word}"]), "ms",
            median(seen["alone p50"]), "median of the 2xx itself", rounds=rounds)
        for name, word in (("median", "p50"), ("p99", "p99"))
    ]  # fmt: skip
    return rows
