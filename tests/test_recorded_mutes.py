"""What Alertmanager's event recorder says of alerts: lines of their incident, in their lane, by their labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from incidents import instants
from incidents.lanes import lane_of
from incidents.model import Occurrence, Severity
from incidents.store import Store
from tests import world as worlds
from tests.world import SITES, SOURCES, World, config, firing, instant, resolved

LABELS = {"alertname": "RackInletHot", "instance": "rack-7", "severity": "critical", "datacenter": "smf-1"}
SILENCE = {
    "id": "s-1",
    "matchers": [{"type": "TYPE_EQUAL", "name": "datacenter", "pattern": "smf-1", "rendered": 'datacenter="smf-1"'}],
    "startsAt": "2026-03-02T10:02:00Z",
    "endsAt": "2026-03-02T11:00:00Z",
    "createdBy": "alice",
    "comment": "Fan is being replaced",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    yield from worlds.kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def world(kept: Store) -> World:
    recorder = {"name": "am-events", "adapter": "alertmanager_events"}
    return World(worlds.emptied(kept), config_with(recorder))


def config_with(source: dict[str, str]) -> Any:
    made = worlds.config_of({"sites": SITES, "sources": [*SOURCES, source], "rules": []}, worlds.adapters())
    return replace(config(), sources=made.sources)


def recorded(world: World, clock: str, **data: Any) -> dict[str, Any]:
    world.at(clock)
    return {"@timestamp": instants.text(instant(clock)), "instance": "am-0", "data": data}


def muted(world: World, clock: str, silence: dict[str, Any]) -> dict[str, Any]:
    alert = {"labels": LABELS, "fingerprint": "77"}
    return recorded(world, clock, silenceMutedAlert={"silence": silence, "mutedAlert": alert})


def night(world: World) -> World:
    world.at("10:00").alertmanager(firing("rack-7", name="RackInletHot"))
    notified = {
        "alerts": [{"labels": LABELS}],
        "firingAlerts": [{"labels": LABELS}],
        "groupInfo": {"groupKey": "{}:{}", "receiverName": "on-call"},
        "reason": "NOTIFY_REASON_FIRST_NOTIFICATION",
        "integration": {"name": "pagerduty"},
    }
    world.send("am-events", recorded(world, "10:01", notification=notified))
    world.send("am-events", recorded(world, "10:02", silenceCreated={"silence": SILENCE}))
    for clock in ("10:06", "10:11", "10:16"):
        world.send("am-events", muted(world, clock, SILENCE))
    shorter = {**SILENCE, "endsAt": "2026-03-02T10:20:00Z"}
    world.send("am-events", recorded(world, "10:20", silenceUpdated={"silence": shorter}))
    inhibition = {
        "inhibitRules": [{"sourceMatchers": [{"rendered": 'alertname="HallDark"'}]}],
        "mutedAlert": {"labels": LABELS, "fingerprint": "77"},
    }
    for clock in ("10:25", "10:30"):
        world.send("am-events", [recorded(world, clock, inhibitionMutedAlert=inhibition)])
    world.at("10:32").alertmanager(resolved("rack-7", name="RackInletHot"))
    return world.at("10:50")


def test_silenced_inhibited_and_notified_become_lines(world: World) -> None:
    said = [line for line in night(world).view().lines if line.actor == "source:am-events"]
    told = [
        (f"{line.happened_at:%H:%M}", line.text.removeprefix("RackInletHot on rack-7 "), line.lane) for line in said
    ]
    assert told == [
        ("10:01", "notified pagerduty of on-call: 1 firing, 0 resolved, first notification", "hardware"),
        ("10:02", "Silence by alice until 10:20 UTC: Fan is being replaced", "changes"),
        ("10:06", "silenced by alice until 11:00 UTC", "hardware"),
        ("10:20", "Silence by alice until 10:20 UTC: Fan is being replaced: ended", "changes"),
        ("10:25", 'inhibited by alertname="HallDark"', "hardware"),
        ("10:40", 'inhibited by alertname="HallDark": ended (end assumed)', "hardware"),
    ]


def test_they_stand_where_the_alert_stands_and_are_no_alerts(world: World) -> None:
    view = night(world).view()
    alert = next(bar for bar in view.bars if bar.relation == "alert")
    about = [bar for bar in view.bars if bar.occurrence.event]
    assert {bar.occurrence.event for bar in about} == {"silenced", "inhibited", "notified"}
    assert {bar.lane for bar in about} == {alert.lane} == {"hardware"}
    assert view.incident.members.alerts == 1
    assert all(bar.occurrence.kind == "change" for bar in about)


def test_what_was_known_before_is_told_as_it_was_known(world: World) -> None:
    night(world)
    assert "until 11:00 UTC: Fan" in world.timeline(as_of="10:10")
    assert "until 10:20 UTC: Fan" in world.timeline()


def test_a_retry_and_another_order_say_the_same(world: World) -> None:
    before = night(world).digest()
    world.send("am-events", muted(world, "10:50", SILENCE) | {"@timestamp": "2026-03-02T10:11:00Z"})
    assert world.digest() == before
    assert world.rebuilt() == before


def test_a_change_of_another_kind_stays_in_the_lane_of_changes() -> None:
    at = instant("10:00")
    deploy = Occurrence("o", "s", "k", "change", "Deploy", Severity.INFO, at, labels=LABELS)
    assert lane_of(deploy) == "changes"
    assert lane_of(replace(deploy, event="silenced")) == "hardware"
