"""Rules as timelines: what opens an incident, what joins it, when it grows quiet, and what a person's word does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from incidents import moves, rules
from incidents.fold import occurrence
from incidents.incident_fold import members
from incidents.model import Event, Match, Moment, Occurrence, Rule, Said, Severity
from incidents.store import Store
from tests.world import DAY, World, config, emptied, firing, instant, kept, resolved


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(one_store: Store) -> Store:
    """A store without a row."""
    return emptied(one_store)


def test_a_critical_alert_opens_an_incident_and_its_quiet_closes_it(store: Store) -> None:
    world = World(store)
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:12").alertmanager(firing("web-1", "warning"))
    world.at("10:20").alertmanager(resolved("db-1"), resolved("web-1", "warning"))
    world.at("18:00")
    assert (
        world.timeline()
        == """
10:00 Incident opened by rule critical-alert@1, critical: Sacramento: db-1 is down [rule:critical-alert@1]
10:00 1 alert joined: Down [rule:span@1]
10:00 db-1 is down
10:12 1 alert joined: Down [rule:span@1]
10:12 web-1 is down
10:20 db-1 is down: ended
10:20 web-1 is down: ended
10:50 Mitigated: all alerts have ended for 30 min [rule:quiet@1]
16:50 Resolved: quiet for 6 h since it was mitigated [rule:quiet@1]
"""
    )


@pytest.fixture
def world(store: Store) -> World:
    """An empty world on either database."""
    return World(store)


def statuses(world: World, incident: str | None = None) -> list[str]:
    """Every change of status in the order of the log, as "10:50 mitigated rule:quiet@1"."""
    return [
        f"{entry.happened_at:%H:%M} {entry.params['status']} {entry.actor}"
        for entry in world.log(incident)
        if entry.kind == "status_changed"
    ]


# --- what opens -----------------------------------------------------------------------------------------------------


def test_a_warning_alone_opens_nothing(world: World) -> None:
    world.at("10:00").alertmanager(firing("web-1", "warning"))
    assert world.incidents() == []


def test_four_warnings_in_ten_minutes_open_nothing_and_the_fifth_opens(world: World) -> None:
    for minute in range(4):
        world.at(f"10:0{minute}").alertmanager(firing(f"web-{minute}", "warning"))
    assert world.incidents() == []
    world.at("10:10").alertmanager(firing("web-4", "warning"))
    assert world.only().opened_by == "rule:burst@1"
    assert world.only().opened_at == instant("10:00")
    assert world.members() == ["web-0", "web-1", "web-2", "web-3", "web-4"]


def test_five_warnings_in_eleven_minutes_open_nothing(world: World) -> None:
    for minute in ("10:00", "10:03", "10:06", "10:09", "10:11"):
        world.at(minute).alertmanager(firing(f"web-{minute}", "warning"))
    assert world.incidents() == []


def test_five_that_began_close_together_open_although_they_were_heard_far_apart(world: World) -> None:
    for hour, name in enumerate("abcde"):
        world.at(f"1{hour}:30").alertmanager(firing(name, "warning", since=f"10:0{hour}"))
    assert world.only().opened_at == instant("10:00")
    assert world.only().recorded_at == instant("14:30")


def test_a_rule_counts_what_it_hears_and_not_what_it_excepts(store: Store) -> None:
    rule = {
        "name": "three",
        "when": {"count": 3, "within": "5m", "severity_at_least": "warning"},
        "match": [{"label": "team", "value": "shop*"}],
        "unless": [{"label": "stage", "value": "test"}],
    }
    world = World(store, config(rule))
    world.at("10:00").alertmanager(
        firing("a", "warning", team="shop-eu"),
        firing("b", "info", team="shop-eu"),
        firing("c", "critical", team="search"),
        firing("d", "critical", team="shop-us", stage="test"),
    )
    assert world.incidents() == []
    world.at("10:05").alertmanager(
        firing("e", "warning", team="shop"), firing("f", "warning", team="shop", since="10:04")
    )
    assert world.only().opened_by == "rule:three@1"
    # All that was on at the site belongs to it, not only what the rule counted.
    assert world.members() == ["a", "b", "c", "d", "e", "f"]


def test_a_rule_that_opens_nothing_stays_silent(store: Store) -> None:
    world = World(store, config({"name": "mute", "when": {"severity_at_least": "info"}, "open": False}))
    world.at("10:00").alertmanager(firing("db-1"))
    assert world.incidents() == []


def test_an_alert_without_a_site_is_grouped_by_its_sender(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1", site=None), group="storage")
    world.at("10:01").alertmanager(firing("web-1", "warning", site=None), group="storage")
    world.at("10:02").alertmanager(firing("web-2", "warning", site=None), group="front")
    world.at("10:03").alertmanager(firing("web-3", "warning", site=None), source="am-2", group="storage")
    assert world.members() == ["db-1", "web-1"]
    assert world.only().sites == ()
    assert world.only().group == 'source:am:{}:{group="storage"}'


def test_an_alert_at_several_sites_belongs_to_each(world: World) -> None:
    both = {"datacenter": "iad-3", "region": "us-west-1"}
    world.at("10:00").alertmanager(firing("db-1", site=None, **both))
    incidents = world.incidents()
    assert [i.sites for i in incidents] == [("iad",), ("smf",)]
    assert [world.members(i.id) for i in incidents] == [["db-1"], ["db-1"]]
    world.at("10:05").alertmanager(firing("db-2", "warning"))
    assert [world.members(i.id) for i in incidents] == [["db-1"], ["db-1", "db-2"]]


def test_sites_do_not_share_incidents(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2", site="iad"))
    assert [i.title for i in world.incidents()] == ["Ashburn: db-2 is down", "Sacramento: db-1 is down"]


# --- what joins -----------------------------------------------------------------------------------------------------


def test_precursors_join_one_after_the_other(world: World) -> None:
    world.at("09:31").alertmanager(firing("first", "warning"))
    world.at("09:40").alertmanager(resolved("first", "warning"))
    world.at("09:50").alertmanager(firing("second", "info"))
    world.at("09:52").alertmanager(resolved("second", "info"))
    world.at("10:00").alertmanager(firing("db-1"))
    # The second ended within ten minutes of the first member's start; the first within ten of the second's.
    assert world.members() == ["db-1", "first", "second"]
    assert world.only().opened_at == instant("09:31")
    assert world.only().detected_at is not None


def test_what_ended_eleven_minutes_before_stays_outside(world: World) -> None:
    world.at("09:30").alertmanager(firing("before", "warning"))
    world.at("09:49").alertmanager(resolved("before", "warning"))
    world.at("10:00").alertmanager(firing("db-1"))
    assert world.members() == ["db-1"]


def test_a_late_precursor_draws_the_span_back_and_others_with_it(world: World) -> None:
    world.at("09:20").alertmanager(firing("first", "warning"))
    world.at("09:25").alertmanager(resolved("first", "warning"))
    world.at("10:00").alertmanager(firing("db-1"))
    assert world.members() == ["db-1"]
    world.at("10:30").alertmanager(resolved("second", "info", since="09:34", until="09:51"))
    assert world.members() == ["db-1", "first", "second"]
    assert world.only().opened_at == instant("09:20")
    assert "09:34 second is down (late)" in world.timeline()


def test_a_late_arrival_joins_the_resolved_incident_that_it_fell_into(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:30").alertmanager(resolved("db-1"))
    world.at("12:00").status("resolved")
    world.at("+1 09:00").alertmanager(resolved("ups-1", since="10:10", until="10:20"))
    assert world.members() == ["db-1", "ups-1"]
    assert world.only().status == "resolved"


def test_an_alert_after_the_resolution_opens_a_new_incident(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:30").alertmanager(resolved("db-1"))
    world.at("11:00").status("resolved")
    world.at("11:01").alertmanager(firing("db-1"))
    first, second = world.incidents()
    assert (first.id, second.id) == ("2026-03-02-smf", "2026-03-02-smf-2")
    assert (first.status, second.status) == ("resolved", "open")
    assert world.members(second.id) == ["db-1"]


def test_a_resolution_of_the_past_does_not_claim_what_came_after_it(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:30").alertmanager(resolved("db-1"))
    world.at("11:00").status("resolved", happened_at="10:31")
    world.at("11:05").alertmanager(firing("db-2", since="10:45"))
    assert [world.members(i.id) for i in world.incidents()] == [["db-1"], ["db-2"]]


def test_a_detached_alert_neither_comes_back_nor_opens_anew(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    world.act(lambda acting: moves.regroup(acting, world.only().id, [], [world.alert("db-2")]))
    assert world.members() == ["db-1"]
    world.at("10:05").alertmanager(firing("db-2", since="10:00", says="still down"))
    world.at("10:10").alertmanager(resolved("db-2", since="10:00"))
    assert world.members() == ["db-1"]
    assert world.only().members.on == 1


def test_a_detached_alert_can_be_attached_again(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    alert, incident = world.alert("db-2"), world.only().id
    world.act(lambda acting: moves.regroup(acting, incident, [], [alert]))
    world.act(lambda acting: moves.regroup(acting, incident, [alert], []))
    assert world.members() == ["db-1", "db-2"]


def test_what_is_merged_goes_on_in_its_target(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"), firing("web-1", site="iad"))
    ashburn, sacramento = world.incidents()
    world.at("10:05").act(lambda acting: moves.merge(acting, ashburn.id, sacramento.id))
    assert world.members(sacramento.id) == ["db-1", "web-1"]
    world.at("10:10").alertmanager(firing("web-2", "warning", site="iad"))
    assert world.members(sacramento.id) == ["db-1", "web-1", "web-2"]
    assert len(world.incidents()) == 2


def test_what_was_split_off_stays_apart(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"), firing("web-1"))
    whole = world.only().id
    part = world.act(lambda acting: moves.split(acting, whole, [world.alert("web-1")]))
    world.at("10:05").alertmanager(firing("web-1", since="10:00", says="still down"), firing("web-2", "warning"))
    assert world.members(part.id) == ["web-1"]
    assert world.members(whole) == ["db-1", "web-2"]


def test_test_alerts_are_kept_and_open_nothing(world: World) -> None:
    world.at("10:00").send("any", {"key": "t", "title": "A test", "severity": "critical", "test": True})
    assert [row.test for row in world.occurrences()] == [True]
    assert world.incidents() == []


# --- quiet ----------------------------------------------------------------------------------------------------------


def test_quiet_is_counted_from_the_last_end(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"), firing("db-2"))
    world.at("10:10").alertmanager(resolved("db-1"))
    world.at("10:20").alertmanager(resolved("db-2"))
    world.at("10:49")
    assert world.only().status == "open"
    world.at("10:50")
    assert world.only().status == "mitigated"
    world.at("16:49")
    assert world.only().status == "mitigated"
    world.at("16:50")
    assert world.only().status == "resolved"
    assert statuses(world) == ["10:50 mitigated rule:quiet@1", "16:50 resolved rule:quiet@1"]


def test_the_clock_that_strikes_late_says_when_it_was_due(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:10").alertmanager(resolved("db-1"))
    world.at("+1 10:00")
    assert statuses(world) == ["10:40 mitigated rule:quiet@1", "16:40 resolved rule:quiet@1"]


def test_an_alert_that_is_on_again_reopens_what_a_rule_mitigated(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:10").alertmanager(resolved("db-1"))
    world.at("11:00").alertmanager(firing("db-1"))
    assert world.only().status == "open"
    assert world.only().mitigated_at is None
    assert statuses(world) == ["10:40 mitigated rule:quiet@1", "11:00 open rule:quiet@1"]
    world.at("11:10").alertmanager(resolved("db-1"))
    world.at("11:40")
    assert statuses(world)[2:] == ["11:40 mitigated rule:quiet@1"]


def test_late_words_may_undo_a_decision_and_bring_it_about_again(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:30").alertmanager(resolved("db-1"))
    world.at("14:00").alertmanager(firing("ups-1", "warning", since="10:02"))
    assert world.only().status == "open"
    world.at("14:10").alertmanager(resolved("ups-1", "warning", since="10:02", until="10:20"))
    # Quiet since 10:30 as before, so the same decision at the same instant as before.
    world.at("14:11")
    assert (world.only().status, world.only().mitigated_at) == ("mitigated", Moment(instant("11:00")))


def test_what_was_acknowledged_is_so_again_after_renewed_noise(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:05").status("acknowledged")
    world.at("10:10").alertmanager(resolved("db-1"))
    world.at("11:00").alertmanager(firing("db-2"))
    assert world.only().status == "acknowledged"


def test_a_person_who_said_mitigated_is_not_overruled(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:05").status("mitigated")
    world.at("10:10").alertmanager(firing("db-2"))
    assert world.only().status == "mitigated"
    assert statuses(world) == ["10:05 mitigated user:alice"]


def test_settled_counts_from_what_a_person_said_last(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    world.at("10:10").alertmanager(resolved("db-1"))
    world.at("12:00").status("mitigated", happened_at="11:30")
    world.at("+1 00:00")
    # Mitigated by the rule at 10:40; said again at 11:30 it is the same unbroken stretch.
    assert statuses(world) == [
        "10:40 mitigated rule:quiet@1",
        "11:30 mitigated user:alice",
        "16:40 resolved rule:quiet@1",
    ]


def test_an_incident_without_alerts_is_left_to_people(world: World) -> None:
    world.at("10:00").act(lambda acting: acting.open({"title": "Power work", "severity": "warning"}))
    world.at("+5 10:00")
    assert world.only().status == "open"


# --- decisions are taken once ---------------------------------------------------------------------------------------


def test_the_same_deliveries_again_decide_nothing_new(world: World) -> None:
    bodies = [
        world.at("10:00").notification(firing("db-1"), firing("web-1", "warning")),
        world.at("10:10").notification(firing("web-2", site="iad")),
        world.at("10:20").notification(resolved("db-1"), resolved("web-1", "warning")),
    ]
    for body in bodies:
        world.send("am", body)
    before, logs = world.digest(), [world.log(i.id) for i in world.incidents()]
    statements = world.statements()
    for body in bodies:
        world.send("am", body)
    assert [world.log(i.id) for i in world.incidents()] == logs
    assert (world.digest(), world.statements()) == (before, statements)


# --- the pure part --------------------------------------------------------------------------------------------------


def alert(key: str, minute: int, severity: Severity = Severity.WARNING, *, ends: int | None = None) -> Occurrence:
    """An alert that began this many minutes after `DAY`."""
    starts_at = DAY + timedelta(minutes=minute)
    ends_at = None if ends is None else DAY + timedelta(minutes=ends)
    event = Event(key, "alert", key, severity, starts_at=starts_at, ends_at=ends_at, labels={"name": key})
    return occurrence([Said(event, key, "am", starts_at, starts_at)])


def test_the_earliest_opening_wins_and_of_two_at_one_anchor_the_first_rule() -> None:
    alerts = [alert("a", 0), alert("b", 1, Severity.CRITICAL), alert("c", 2)]
    count = Rule("count", count=3, within_seconds=600)
    grave = Rule("grave", severity_at_least=Severity.CRITICAL)
    opening = rules.find_opening(alerts, [grave, count])
    assert opening is not None
    assert (opening.rule, opening.anchor.key, opening.reason) == (count, "a", "3 alerts within 10 min")
    opening = rules.find_opening(alerts[1:], [grave, Rule("any", severity_at_least=Severity.WARNING)])
    assert opening is not None
    assert (opening.rule, opening.reason) == (grave, "severity critical, at least critical")
    assert rules.find_opening([], [grave, count]) is None


def test_a_count_looks_at_any_window_not_at_fixed_ones() -> None:
    alerts = [alert(str(minute), minute) for minute in (0, 9, 11, 15, 18, 19)]
    opening = rules.find_opening(alerts, [Rule("five", count=5, within_seconds=600)])
    assert opening is not None
    assert opening.anchor.key == "9"


def test_match_and_unless_are_alternatives_each() -> None:
    hears = Rule("r", severity_at_least=Severity.UNKNOWN, match=(Match("name", "a*"), Match("name", "b")))
    assert rules.find_opening([alert("c", 0)], [hears]) is None
    assert rules.find_opening([alert("b", 0)], [hears]) is not None
    excepts = replace(hears, match=(), unless=(Match("name", "x"), Match("name", "c")))
    assert rules.find_opening([alert("c", 0)], [excepts]) is None


@pytest.mark.parametrize(
    ("starts", "ends", "meets"),
    [(0, 9, False), (0, 10, True), (0, None, True), (15, None, True), (20, 30, True), (21, None, False)],
)
def test_touching_the_span_is_meeting_it(starts: int, ends: int | None, meets: bool) -> None:
    span = DAY + timedelta(minutes=10), DAY + timedelta(minutes=20)
    assert rules.meets(alert("a", starts, ends=ends), *span) is meets


def test_next_due_is_when_settle_first_speaks(world: World) -> None:
    world.at("10:00").alertmanager(firing("db-1"))
    assert rules.next_due(world.only()) is None
    world.at("10:10").alertmanager(resolved("db-1"))
    for status in ("mitigated", "resolved"):
        incident = world.only()
        due = rules.next_due(incident)
        assert due is not None
        settling = rules.settle(incident, due, by_rule=True)
        assert settling is not None
        assert (settling.status, settling.happened_at) == (status, due)
        assert rules.settle(incident, due - timedelta(microseconds=1), by_rule=True) is None
        world.go_on(due - world.now)
    assert rules.next_due(world.only()) is None
    assert world.only().members == members([_as_heard(world)])


def _as_heard(world: World) -> Occurrence:
    (bar,) = world.view().bars
    return bar.occurrence
