"""The timeline: lines in the order in which things happened, as known at a moment, each with its evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dashboards import sentences
from incidents import incident_fold, timeline
from incidents.model import Entry, Event, Incident, Link, Moment, Post, Said, Severity
from incidents.spoken import digest
from incidents.store import Store
from incidents.timeline import Known
from incidents.views.view import Trace
from tests.world import DAY, World, emptied, firing, instant, kept, resolved


def at(minute: float) -> datetime:
    """The instant so many minutes after the beginning of the day."""
    return DAY + timedelta(minutes=minute)


def said(event: Event, minute: int, number: int) -> Said:
    """The event as said and recorded at a minute, under this id."""
    return Said(event, digest(event), "status-page", at(minute), at(minute), number, f"delivery-{number}")


def known(*events: tuple[int, Event], as_of: int = 1000) -> Known:
    """The occurrence that these events, said at these minutes, tell of."""
    statements = [said(event, minute, n) for n, (minute, event) in enumerate(events, 1)]
    traces = {s.id: Trace(event=s.id, delivery=s.delivery) for s in statements}
    (found,) = timeline.known(statements, traces, at(as_of))
    return found


PROVIDER = Event("p", "provider_incident", "EC2 errors", Severity.WARNING, starts_at=at(0))


def texts(item: Known) -> list[str]:
    """Minute, kind and text of each line."""
    return [
        f"{(line.happened_at - DAY) // timedelta(minutes=1)} {line.kind} {line.text}"
        for line in timeline.occurrence_lines(item)
    ]


# --- lines of occurrences -------------------------------------------------------------------------------------------


def test_posts_keep_the_senders_minutes_and_are_told_once() -> None:
    first = replace(PROVIDER, posts=(Post(at(3), "We look into it"),))
    second = replace(first, posts=(*first.posts, Post(at(20), "It is fixed")), ends_at=at(18))
    item = known((5, first), (25, second))
    assert texts(item) == [
        "0 provider_incident EC2 errors",
        "3 post EC2 errors: “We look into it”",
        "20 post EC2 errors: “It is fixed”",
        "18 provider_incident_ended EC2 errors: ended",
    ]
    assert [line.trace.event for line in timeline.occurrence_lines(item)] == [1, 1, 2, 2]


def test_changes_of_severity_are_lines_and_silence_is_none() -> None:
    events = [
        (minute, replace(PROVIDER, severity=severity))
        for minute, severity in enumerate((Severity.UNKNOWN, Severity.WARNING, Severity.UNKNOWN, Severity.CRITICAL))
    ]
    assert texts(known(*events))[1:] == ["3 provider_incident_changed EC2 errors: warning → critical"]


def test_a_forecast_end_is_no_line_and_an_assumed_one_says_so() -> None:
    assert texts(known((1, replace(PROVIDER, ends_at=at(60), ends_expected=True)))) == [
        "0 provider_incident EC2 errors"
    ]
    ended = known((1, PROVIDER), (9, replace(PROVIDER, ends_at=at(7), ends_assumed=True)))
    assert texts(ended)[1:] == ["7 provider_incident_ended EC2 errors: ended (end assumed)"]


def test_an_end_that_was_said_without_a_time_says_whose_time_stands_for_it() -> None:
    ended = known((1, PROVIDER), (9, replace(PROVIDER, ends_at=at(9), ends_assumed=True)))
    assert texts(ended)[1:] == ["9 provider_incident_ended EC2 errors: ended (time of receipt)"]


def test_a_start_that_was_said_otherwise_is_marked_corrected() -> None:
    item = known((1, PROVIDER), (9, replace(PROVIDER, starts_at=at(-30))))
    line, moved = timeline.occurrence_lines(item)
    assert (line.happened_at, line.corrected) == (at(-30), True)
    assert (moved.kind, moved.happened_at) == ("start_backdated", at(9))
    assert moved.text.startswith("EC2 errors: Back-dated: the start was moved 30 min earlier, from ")


def test_late_is_ten_minutes_after_the_last_moment_that_it_may_have_begun() -> None:
    for minute, late in ((10, False), (11, True)):
        assert timeline.occurrence_lines(known((minute, PROVIDER)))[0].late is late
    ranged = replace(PROVIDER, starts_until=at(30))
    assert not timeline.occurrence_lines(known((40, ranged)))[0].late
    assert timeline.bar(known((41, ranged)).occurrence, None, alert=False).late


def test_only_what_was_recorded_by_then_is_known() -> None:
    ended = replace(PROVIDER, ends_at=at(18), title="EC2 errors, over")
    assert texts(known((5, PROVIDER), (25, ended), as_of=24)) == ["0 provider_incident EC2 errors"]
    assert timeline.known([said(PROVIDER, 5, 1)], {}, at(4)) == []


def test_every_line_has_an_id_of_its_own() -> None:
    posts = tuple(Post(at(n), "same words") for n in range(5))
    item = known((1, replace(PROVIDER, posts=posts)), (9, replace(PROVIDER, posts=posts, severity=Severity.ERROR)))
    ids = [line.id for line in timeline.occurrence_lines(item)]
    assert len(set(ids)) == len(ids)


def test_a_bar_is_an_alert_linked_or_context() -> None:
    item = known((1, PROVIDER))
    evidence = incident_fold.evidence_of({"tier": "context", "score": 0.0, "reasons": []})
    link = Link(item.occurrence.id, evidence, "proposed", "rule:links@1", at(1))
    assert timeline.bar(item.occurrence, None, alert=True).relation == "alert"
    assert timeline.bar(item.occurrence, link, alert=False).relation == "linked"
    assert timeline.bar(item.occurrence, replace(link, state="rejected"), alert=False).relation == "context"
    assert timeline.bar(item.occurrence, None, alert=False).relation == "context"


# --- lines of entries -----------------------------------------------------------------------------------------------


def entry(number: int, kind: str, happened: int, supersedes: int | None = None, **params: object) -> Entry:
    """An entry recorded an hour after the day began."""
    return Entry(number, "i", kind, params, "user:alice", at(happened), at(60), supersedes=supersedes)


def test_a_correction_shows_in_place_and_a_retraction_takes_the_line_away() -> None:
    log = [
        entry(1, "note", 55, text="two of three"),
        entry(2, "note", 58, text="nothing"),
        entry(3, "correction", 55, 1, text="three of three", was="two of three"),
        entry(4, "correction", 40, 1, happened_at="2026-03-02T00:40:00Z"),
        entry(5, "retraction", 60, 2),
    ]
    (line,) = timeline.entry_lines(log, sentences.sentence)
    assert (line.id, line.text, line.happened_at) == ("e1", "three of three", at(40))
    assert (line.corrected, line.late, line.recorded_at) == (True, True, at(60))


def test_a_withdrawn_correction_brings_the_first_words_back() -> None:
    log = [
        entry(1, "note", 55, text="right"),
        entry(2, "correction", 55, 1, text="wrong"),
        entry(3, "retraction", 60, 2),
    ]
    (line,) = timeline.entry_lines(log, sentences.sentence)
    assert (line.text, line.corrected) == ("right", False)


def test_lines_are_in_the_order_of_happening_then_of_recording() -> None:
    log = [entry(1, "note", 30, text="c"), entry(2, "note", 5, text="b")]
    early = replace(log[0], id=3, recorded_at=at(31), params={"text": "a"})
    assert [line.text for line in timeline.lines([*log, early], [known((1, PROVIDER))], sentences.sentence)] == [
        "EC2 errors",
        "b",
        "a",
        "c",
    ]


def test_only_people_and_milestones_are_drawn_as_marks() -> None:
    log = [
        entry(1, "opened", 0, title="Down"),
        entry(2, "alerts_joined", 0, count=3, names=["Down"]),
        entry(3, "note", 5, text="seen", pinned=True),
        replace(entry(4, "note", 6, text="by a rule"), actor="rule:x@1"),
        replace(entry(5, "status_changed", 7, status="mitigated"), actor="rule:quiet@1"),
    ]
    marks = timeline.marks(timeline.entry_lines(log, sentences.sentence))
    assert [(mark.id, mark.pinned) for mark in marks] == [("e1", False), ("e3", True), ("e5", False)]
    assert marks[1].label == "alice: seen"


# --- window and phases ----------------------------------------------------------------------------------------------

OPEN = Incident("i", "Down", "open", Severity.ERROR, "g", (), at(0), at(0), "rule:r@1", Moment(at(0)))
OVER = replace(
    OPEN, status="resolved", impact_started_at=Moment(at(-10)), mitigated_at=Moment(at(40)), resolved_at=Moment(at(90))
)


def test_the_window_holds_the_whole_incident_with_room_beside() -> None:
    since, until = timeline.window(OVER, [], at(5000))
    assert (since, until) == (at(-30), at(100))
    since, until = timeline.window(OPEN, [], at(60))
    assert since < at(0)
    assert until == at(60)


def test_a_window_is_never_too_narrow_to_read() -> None:
    since, until = timeline.window(replace(OPEN, status="resolved", resolved_at=Moment(at(1))), [], at(5000))
    assert until - since >= timedelta(minutes=30)


def test_phases_follow_one_another_and_fill_the_window() -> None:
    phases = timeline.phases(OVER, at(-30), at(100))
    assert [(p.name, p.since, p.until, p.open_ended) for p in phases] == [
        ("before", at(-30), at(-10), False),
        ("impact", at(-10), at(40), False),
        ("mitigated", at(40), at(90), False),
        ("resolved", at(90), at(100), False),
    ]
    assert [(p.name, p.open_ended) for p in timeline.phases(OPEN, at(-30), at(100))] == [
        ("before", False),
        ("impact", True),
    ]
    assert [p.name for p in timeline.phases(OVER, at(50), at(60))] == ["mitigated"]


# --- as known at a moment, through the store ------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def one_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each backend for the whole module."""
    yield from kept(request, tmp_path_factory.mktemp("store"))


@pytest.fixture
def store(one_store: Store) -> Store:
    """A store without a row."""
    return emptied(one_store)


@pytest.fixture
def world(store: Store) -> World:
    """An afternoon with a late arrival, people, and an end."""
    world = World(store).at("10:00").alertmanager(firing("db-1"))
    world.at("10:05").status("acknowledged")
    world.at("10:30").alertmanager(resolved("db-1"))
    world.at("11:00").act(lambda a: a.note(world.only().id, {"text": "A fuse", "happened_at": "2026-03-02T09:58:00Z"}))
    world.at("14:00").alertmanager(firing("ups-1", "warning", since="10:02"))
    world.at("14:10").alertmanager(resolved("ups-1", "warning", since="10:02", until="10:20"))
    return world.at("20:00")


def test_the_whole_timeline_with_the_late_marked(world: World) -> None:
    assert (
        world.timeline()
        == """
09:58 A fuse [user:alice] (late)
10:00 Incident opened by rule critical-alert@1, critical: Sacramento: db-1 is down [rule:critical-alert@1]
10:00 1 alert joined: Down [rule:span@1]
10:00 db-1 is down
10:02 ups-1 is down (late)
10:05 Acknowledged [user:alice]
10:20 ups-1 is down: ended (late)
10:30 db-1 is down: ended
11:00 Mitigated: all alerts have ended for 30 min [rule:quiet@1]
11:00 Acknowledged: 1 alert is on again [rule:quiet@1] (late)
11:00 Mitigated: all alerts have ended for 30 min [rule:quiet@1] (late)
14:00 1 alert joined: Down [rule:span@1]
17:00 Resolved: quiet for 6 h since it was mitigated [rule:quiet@1]
"""
    )


@pytest.mark.parametrize(
    ("as_of", "last", "alerts", "status"),
    [
        ("10:00", "10:00 db-1 is down", 1, "open"),
        ("10:29", "10:05 Acknowledged [user:alice]", 1, "acknowledged"),
        ("10:59", "10:30 db-1 is down: ended", 1, "acknowledged"),
        ("13:59", "11:00 Mitigated: all alerts have ended for 30 min [rule:quiet@1]", 1, "mitigated"),
    ],
)
def test_as_known_then_nothing_later_shows(world: World, as_of: str, last: str, alerts: int, status: str) -> None:
    view = world.view(as_of=as_of)
    assert (view.incident.members.alerts, view.incident.status) == (alerts, status)
    assert world.timeline(as_of=as_of).strip().splitlines()[-1] == last
    assert all(line.recorded_at <= instant(as_of) for line in view.lines)
    assert "ups-1" not in world.timeline(as_of=as_of)


def test_every_line_leads_to_its_evidence(world: World) -> None:
    for line in world.view().lines:
        if line.actor.startswith("source:"):
            assert line.trace.adapter == "alertmanager@1"
            assert line.trace.delivery
            assert len(line.trace.sha256 or "") == 64
        else:
            assert line.trace.entry


def test_the_same_record_has_the_same_revision_and_another_another(world: World) -> None:
    before = world.view().revision
    assert world.view().revision == before
    world.act(lambda a: a.note(world.only().id, {"text": "More"}))
    assert world.view().revision != before


def test_a_time_ahead_of_when_it_was_told_is_its_senders_and_no_fact(store: Store) -> None:
    world = World(store)
    check = {"key": "k", "title": "Down", "severity": "critical", "labels": {"datacenter": "smf1"}}
    began = {"status": "firing", "starts_at": "2026-03-02T10:04:00Z"}
    world.at("10:00").send("any", check | began)
    assert "by its sender" not in world.timeline(), "clocks are never quite alike"
    world.at("10:02").send("any", check | began | {"status": "resolved", "ends_at": "2026-03-03T09:00:00Z"})
    assert "Down: ended (by its sender’s clock, 22 h 58 min after we were told)" in world.timeline()
    world.send("any", check | {"key": "l", "title": "Gone", "status": "firing", "starts_at": "2026-03-02T18:00:00Z"})
    assert "18:00 Gone (by its sender’s clock, 7 h 58 min after we were told)" in world.timeline(
        world.incidents()[-1].id
    )
