"""Real payloads of Alertmanager and its look-alikes, as other projects collected them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from incidents import spoken
from incidents.adapters import adapters
from incidents.model import Delivery, Event

SHARED = Path(__file__).parents[1] / "../shared/payloads"
RECEIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAMILIES = ("alertmanager", "generic")
SAMPLES = [path for family in FAMILIES for path in sorted((SHARED / family).glob("*.json"))]


def read(path: Path) -> list[Event]:
    delivery = Delivery("shared", path.read_bytes(), RECEIVED)
    return [said for said in adapters()[path.parent.name].normalise(delivery) if isinstance(said, Event)]


@pytest.mark.skipif(not SAMPLES, reason="the shared payloads are not beside this checkout")
def test_there_are_samples_of_alertmanager() -> None:
    assert {path.parent.name for path in SAMPLES} >= {"alertmanager"}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_real_payload_is_one_event_for_each_of_its_alerts(path: Path) -> None:
    message: dict[str, Any] = json.loads(path.read_bytes())
    alerts = message.get("alerts", [message])
    events = read(path)
    assert len(events) == len(alerts) == len({spoken.digest(event) for event in events})
    for event, alert in zip(events, alerts, strict=True):
        assert (event.ends_at is None) == (alert["status"] == "firing")
        assert event.labels == alert["labels"]
        assert (event.starts_at is None) == ("startsAt" not in alert)
        assert event.title in {alert["annotations"].get("summary"), alert["labels"]["alertname"]}


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("goalert_firing", "text", "My description"),
        ("goalert_firing", "url", "http://my.url"),
        ("iris_2", "severity", "critical"),
        ("iris_2", "starts_at", datetime(2017, 12, 4, 9, 17, 22, 804_000, tzinfo=UTC)),
        ("oncall_alert_item_resolved_1", "ends_at", RECEIVED),
        ("oncall_alert_item_resolved_1", "ends_assumed", True),
        ("oncall_demo_firing_min", "url", "http://f1d1ef51d710:9093"),
        ("versus_getting_started_0", "ends_at", None),
        ("versus_getting_started_0", "severity", "critical"),
        ("zulip_alert", "key", "a1bc48475b20e73d/2020-02-06T00:17:58.432911Z"),
        ("zulip_alert", "group", "{}/{}:{}"),
    ],
)
def test_what_a_real_payload_says(name: str, field: str, value: object) -> None:
    path = SHARED / "alertmanager" / f"{name}.json"
    if not path.exists():
        pytest.skip("the shared payloads are not beside this checkout")
    assert getattr(read(path)[0], field) == value
