"""A great many alerts of one incident in messages of a hundred: until acknowledged, and until folded and visible."""

from __future__ import annotations

import time

from tests.bench.contenders import FLOOR, SQLITE, Contender, service, started
from tests.bench.measured import Plan, Row, median

IN_ONE = 100
MOST_SECONDS = 40.0
TARGET_ALERTS = 100_000
"""What the target is about; a shorter run is not held against it."""
_PATIENCE = 600.0
_ASKED_SECONDS = 0.25
"""How often the API is asked whether all show: asking is work for it too."""


def measure(plan: Plan) -> list[Row]:
    """Rounds of the bare handler, which stores the same bytes, and the service on SQLite."""
    stored, acknowledged, visible, cost = [], [], [], []
    for _ in range(plan.rounds):
        with started(FLOOR) as contender:
            stored.append(_send(contender, plan))
        with started(SQLITE) as contender:
            before, began = contender.cpu(), time.perf_counter()
            acknowledged.append(_send(contender, plan))
            until_all_show(contender, plan.burst)
            visible.append(time.perf_counter() - began)
            cost.append((contender.cpu() - before) / plan.burst * 1e6)
    part = f"4. {plan.burst:,} alerts in messages of {IN_ONE} into one incident, SQLite"
    rounds = {"stored s": stored, "acknowledged s": acknowledged, "visible s": visible, "CPU µs an alert": cost}
    return [
        Row(part, "acknowledged", median(acknowledged), "s", median(stored), FLOOR, rounds=rounds),
        Row(part, "acknowledged, folded and visible", median(visible), "s", median(acknowledged), "acknowledged",
            most_value=MOST_SECONDS if plan.burst == TARGET_ALERTS else None,
            cpu=f"{median(cost):.0f} µs an alert, all in", rounds=rounds),
    ]  # fmt: skip


def _send(contender: Contender, plan: Plan) -> float:
    """The seconds until the last message is acknowledged, the sender's own start left out."""
    requests = plan.burst // IN_ONE
    load = contender.load(alerts=IN_ONE, connections=16, requests=requests, seconds=120, run="burst")
    assert load.acknowledged == requests, f"{load.refused} of {requests} messages were refused"
    return load.seconds


def until_all_show(contender: Contender, alerts: int) -> None:
    """Wait until the API shows one incident with all the alerts."""
    running = service(contender)

    def all_show() -> bool:
        items = running.json("/api/v1/incidents")["items"]
        assert len(items) <= 1, "the alerts fell into several incidents"
        return bool(items) and running.json(f"/api/v1/incidents/{items[0]['id']}")["alerts"] == alerts

    running.until(all_show, _PATIENCE, every=_ASKED_SECONDS)
