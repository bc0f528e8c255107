"""What retention dropped: its sums are told as before, it does not come back, and it is neither calm nor a gap."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dashboards.documents import csv, json_export, markdown
from dashboards.dropped import dropped_words
from dashboards.review import cards
from dashboards.scene import compose
from incidents import configured, deliveries, instants, moves, sums
from incidents.adapters import Adapter, adapters
from incidents.config import Config, config_of, spec_of
from incidents.deliveries import DELIVERY, STAMP, Arrival
from incidents.entries import INCIDENT
from incidents.feeds.silence import quiet_stretches, silence_of, source_gaps
from incidents.model import Delivery, Statement
from incidents.receipts import first_id
from incidents.recording import STATEMENTS_DROPPED
from incidents.refusals import ConflictError
from incidents.retention import Retention
from incidents.statements import READING
from incidents.store import Store
from incidents.views import lists
from incidents.views.cohort import Cohort
from incidents.views.review import ReviewAsked, read_review
from tests import databases
from tests.figure_views import bar
from tests.test_bundle import exported, restored
from tests.test_scene import words_of
from tests.world import DAY, TWO_SITES, World, firing, resolved

LATER = DAY + timedelta(days=100)
ALL = dict.fromkeys(("alert", "hazard", "provider_incident", "change", "reading"), 30)
AGED = ALL | {"incident": 60}
STORM = "Severe Thunderstorm Warning"


@pytest.fixture
def world(store: Store) -> World:
    """An incident of three alerts beside a storm, resolved a hundred days ago."""
    world = World(store)
    world.at("09:40").hazard(STORM, since="09:50", zones=["CAC067"], severity="error")
    world.at("10:00").alertmanager(firing("db-1", "critical", service="db"), firing("db-2", "error", service="db"))
    world.at("10:03").alertmanager(firing("ups-1", "error", name="InletTemperatureHigh"))
    world.at("10:20").alertmanager(
        resolved("db-1", service="db"),
        resolved("db-2", "error", service="db"),
        resolved("ups-1", "error", name="InletTemperatureHigh"),
    )
    ended = {"kind": "hazard", "key": STORM, "title": STORM, "event": STORM, "status": "resolved"}
    body = ended | {"starts_at": "2026-03-02T09:50:00Z", "ends_at": "2026-03-02T10:40:00Z", "zones": ["CAC067"]}
    world.at("10:40").send("sky", body | {"severity": "error"})
    world.at("+1 10:00")
    assert world.only().status == "resolved"
    return world


def dropped(world: World, **days: int) -> World:
    """The world after a run of retention."""
    assert Retention(world.store, AGED | days, LATER).run()
    assert world.occurrences() == []
    return world


def numbers(world: World) -> dict[str, Any]:
    """What page, list and review count of the one incident."""
    one, view = world.only(), world.view()
    with world.store.reading() as connection:
        (listed,) = lists.list_incidents(connection, lists.IncidentFilter(), 10)
        asked = ReviewAsked(LATER, DAY, DAY + timedelta(days=2), "UTC")
        (member,) = read_review(connection, world.config, asked).members
    assert listed.members == one.members == view.incident.members == member.incident.members
    return {
        "sums": one.members,
        "opened": one.opened_at,
        "severity": one.severity,
        "review": member.alert,
        "cascade": [(step.name, step.at) for step in view.cascade.steps] if view.cascade else [],
        "window": (view.since, view.until),
        "measured": view.measurements,
        "status": (one.status, one.resolved_at),
        "links": [(link.id, link.state, link.evidence) for link in one.links],
        "storm": [(b.occurrence.title, b.occurrence.starts_at, b.occurrence.ends_at) for b in view.bars if b.link],
    }


def test_an_aged_incident_says_the_same_numbers_as_before(world: World) -> None:
    before = numbers(world)
    assert before["sums"].alerts == 3
    assert [name for name, _ in before["cascade"]] == ["warning", "page", "thermal", "recovery"]
    assert numbers(dropped(world)) == before
    cached = world.digest()
    assert world.rebuilt() == cached
    assert numbers(world) == before


def test_hours_of_which_readings_were_dropped_are_not_counted_as_hours_with_an_incident(world: World) -> None:
    place = {"reading": "temperature_c", "latitude": 38.6, "longitude": -121.5, "station": "KSAC"}
    for day in (-3, 0, 30, 90):
        world.send("sky", place | {"at": instants.text(DAY + timedelta(days=day, hours=10)), "value": 41.0})
    asked = ReviewAsked(LATER, DAY - timedelta(days=10), LATER, "UTC")

    def review() -> Cohort:
        with world.store.reading() as connection:
            return read_review(connection, world.config, asked)

    before = review()
    assert before.thinned is None
    assert before.heat is not None
    assert (before.heat.hours, before.heat.incidents) == (4, 1)
    assert Retention(world.store, {"reading": 30}, LATER).run()
    after = review()
    assert after.thinned is not None
    assert (after.thinned.readings, after.thinned.until) == (2, DAY + timedelta(days=30, hours=11))
    assert after.heat is not None
    assert (after.heat.hours, after.heat.incidents) == (1, 0), "the hour of the incident is all that is left"
    warm = next(card for card in cards(after) if card.name == "warm")
    assert "Hours until 1 Apr 2026 11:00 are not counted: retention dropped 2 readings" in warm.foot


def test_what_is_dropped_is_said_with_its_sums_on_the_page_and_in_exports(world: World) -> None:
    said = "Detail dropped on 10 Jun 2026 by the retention of 60 days; sums kept: 3 alerts and 1 linked occurrence."
    assert dropped_words(world.view()) == ""
    view = dropped(world).view()
    assert dropped_words(view) == said
    assert view.density is not None
    assert (view.density.total, view.density.seconds % 60) == (3, 0)
    told = [line.text for line in view.lines]
    assert "1 alert of db, critical; the detail was dropped, sums kept" in told
    assert "Detail of 3 alerts dropped by the retention of 60 days; sums kept" in told
    assert not any(line.corrected for line in view.lines)
    assert f"Detail of “{STORM}” dropped by the retention of 60 days; sums kept" in told
    assert said in markdown(view)
    assert said.encode() in json_export(view)
    assert "the detail was dropped, sums kept" in csv(view)
    assert any("2 alerts" in words for words in words_of(compose(view, width=1440)))


def test_before_the_last_became_known_nobody_can_tell_how_many_were(world: World) -> None:
    assert world.view(as_of="10:01").incident.members.alerts == 2
    dropped(world)
    then, after = world.view(as_of="10:01"), world.view(as_of="10:30")
    assert after.incident.members.alerts == 3
    assert then.incident.members.alerts == 0
    assert dropped_words(then).endswith("Which of the alerts were known at this moment nobody can tell any more.")


def test_alerts_of_which_only_sums_are_left_cannot_be_moved(world: World) -> None:
    name = dropped(world).only().id
    world.now = LATER
    world.alertmanager(firing("web-1", "critical", site="iad"))
    (other,) = (one.id for one in world.incidents() if one.id != name)
    with pytest.raises(ConflictError, match="only sums are kept"):
        world.act(lambda acting: moves.merge(acting, name, other))


def test_sums_of_parts_are_the_sums_of_all() -> None:
    alerts = [
        replace(
            bar(lane, "CPU hot" if n % 3 else "Inlet temperature", severity, n * 7, n * 7 + 40).occurrence, id=f"{n}"
        )  # type: ignore[arg-type]  # lanes
        for n, (lane, severity) in enumerate(
            (lane, severity) for lane in ("site", "platform") for severity in list(sums.Severity) * 2
        )
    ]
    whole = sums.of_alerts(alerts)
    assert sums.together([sums.of_alerts(alerts[:7]), sums.of_alerts(alerts[7:])]) == whole
    assert sum(whole.minutes.values()) == sum(group.count for group in whole.groups) == len(alerts)
    assert whole.peak == (min(minute for minute, _, _ in whole.minutes), 1)


def test_more_groups_than_are_kept_apart_are_summed() -> None:
    many = [
        replace(
            bar("platform", "Down", sums.Severity.ERROR, n, n + 5).occurrence, id=f"{n}", labels={"service": f"s{n}"}
        )
        for n in range(sums.MOST_GROUPS + 50)
    ]
    found = sums.of_alerts(many).groups
    assert len(found) == sums.MOST_GROUPS + 1
    assert sum(group.count for group in found) == len(many)


def test_a_bundle_of_an_aged_incident_says_the_same_numbers(world: World, tmp_path: Path) -> None:
    name = dropped(world).only().id
    url = f"sqlite:///{tmp_path / 'other.db'}"
    databases.migrate(url)
    with closing(Store(url)) as other:
        restored(other, exported(world.store, name), LATER)
        there = World(other, now=world.now)
        assert there.only().members == world.only().members
        assert there.view().density == world.view().density
        assert exported(other, name) == exported(world.store, name)
        assert there.digest() == there.rebuilt()


# --- what comes back ------------------------------------------------------------------------------------------------


def newer(name: str) -> dict[str, Adapter]:
    """The adapters, one of them with a raised version and other words for what it reads."""
    own = adapters()[name]

    def normalise(delivery: Delivery) -> list[Statement]:
        return [
            replace(one, title=f"{one.title}!") if hasattr(one, "title") else one for one in own.normalise(delivery)
        ]

    return {**adapters(), name: replace(own, version=own.version + 1, normalise=normalise)}


def test_a_reread_brings_nothing_back_that_was_dropped(world: World) -> None:
    before = numbers(dropped(world))
    world.now = LATER
    for name in ("alertmanager", "generic"):
        world.reread(newer(name))
    assert world.occurrences() == []
    assert world.statements() == 0
    assert numbers(world) == before
    with world.store.reading() as connection:
        told = connection.execute(sa.select(STAMP.c.loss_reason).distinct()).scalars().all()
    assert told == [STATEMENTS_DROPPED]


def test_a_reread_of_a_delivery_that_stands_in_part_keeps_that_part(store: Store) -> None:
    world = World(store)
    world.at("10:00").alertmanager(firing("old", "info"), firing("open", "info"))
    world.at("10:10").alertmanager(resolved("old", "info"))
    Retention(store, ALL, LATER).run()
    world.now = LATER
    world.reread(newer("alertmanager"))
    (left,) = world.occurrences()
    assert left.title == "open is down!"


def test_dropped_readings_do_not_come_back_and_revised_ones_do(store: Store) -> None:
    world = World(store)
    reading = {"reading": "temperature_c", "latitude": 38.6, "longitude": -121.5}
    world.at("+7 10:00").send("any", [reading | {"at": "2026-03-09T10:00:00Z", "value": 3}])
    world.go_on(timedelta(days=90))
    recent = (world.now - timedelta(hours=1)).isoformat()
    world.send("any", [reading | {"at": recent, "value": 4}])
    Retention(store, ALL, LATER).run()
    world.reread(newer("generic"))
    with store.reading() as connection:
        assert connection.execute(sa.select(READING.c.value)).scalars().all() == [4]


def test_a_key_that_is_used_again_after_the_drop_is_another_alert(store: Store) -> None:
    world = World(store)
    check = {"key": "check-7", "title": "Checkout is down", "severity": "critical", "labels": {"datacenter": "smf1"}}
    world.at("10:00").send("any", check | {"status": "firing"})
    world.at("10:20").send("any", check | {"status": "resolved"})
    world.at("+1 10:00")
    (first,) = world.occurrences()
    dropped(world)
    world.go_on(timedelta(days=120)).send("any", check | {"status": "firing"})
    (second,) = world.occurrences()
    assert second.id != first.id
    before, after = world.incidents()
    assert (before.members.alerts, after.members.alerts) == (1, 1)
    assert world.digest() == world.rebuilt()


# --- what was heard -------------------------------------------------------------------------------------------------


def heartbeat(store: Store, minutes: list[int]) -> Config:
    """A sender that should speak every two minutes, and spoke at these."""
    given = {"name": "beat", "adapter": "generic", "every": "2m"}
    config = config_of({"sources": [given]}, adapters())
    with store.writing() as connection:
        configured.put(connection, ("source", "beat"), spec_of(config.sources[0]), owner="file", now=DAY)
    world = World(store, config)
    for minute in minutes:
        at = DAY + timedelta(minutes=minute)
        with store.intake() as connection:
            deliveries.append(connection, [Arrival(first_id(at), "beat", at, {}, b"[]")])
    world.work()
    return config


def test_a_past_silence_is_told_after_the_drop_as_it_was_before(store: Store) -> None:
    config = heartbeat(store, [*range(0, 60, 2), *range(90, 150, 2)])

    def gaps() -> list[tuple[int, int]]:
        with store.reading() as connection:
            found = source_gaps(connection, config, DAY, DAY + timedelta(minutes=148))
        return [((g.since - DAY) // timedelta(minutes=1), (g.until - DAY) // timedelta(minutes=1)) for g in found]

    before = gaps()
    assert before == [(60, 90)]
    Retention(store, {"delivery": 30}, LATER).run()
    with store.reading() as connection:
        assert connection.execute(sa.select(DELIVERY.c.id)).all() == []
    assert gaps() == before


def test_a_word_ends_one_silence_and_begins_another() -> None:
    def at(minute: float) -> Any:
        return DAY + timedelta(minutes=minute)

    every = timedelta(minutes=2)
    assert quiet_stretches([], every, at(0), at(60)) == [(at(0), at(60 + 2))]
    assert quiet_stretches([(at(10), at(30))], every, at(0), at(32)) == [(at(0), at(10))]
    assert quiet_stretches([(at(-5), at(30))], every, at(0), at(60)) == [(at(32), at(62))]


def test_an_empty_lane_says_that_what_was_in_it_was_dropped(world: World) -> None:
    reading = {
        "reading": "temperature_c",
        "at": "2026-03-02T10:00:00Z",
        "value": 3,
        "latitude": 38.6,
        "longitude": -121.5,
    }
    world.send("any", [reading])
    assert "weather" not in world.view().silence
    dropped(world)
    said = "dropped for its age on 2026-06-10; what was here is not known"
    assert world.view().silence["weather"] == said
    with world.store.reading() as connection:
        elsewhen = silence_of(connection, TWO_SITES, (), since=LATER, until=LATER + timedelta(hours=1))
        assert connection.execute(sa.select(INCIDENT.c.alerts)).scalars().all() == [3]
    assert elsewhen["weather"] == "no reading within 50 km; no feed asked here"
