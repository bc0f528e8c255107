"""Folds: an occurrence is a function of the set of its statements, an incident of its entries and its alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import fold, incident_fold, instants
from incidents.model import Area, Entry, Event, Evidence, Members, Moment, Occurrence, Post, Reason, Said, Severity
from incidents.spoken import digest
from tests.world import DAY

# --- occurrences ----------------------------------------------------------------------------------------------------


def at(minute: float) -> datetime:
    """The instant so many minutes after the beginning of the day."""
    return DAY + timedelta(minutes=minute)


def said(event: Event, minute: int, *, recorded: int | None = None) -> Said:
    """The event as said at a minute and recorded then or at another one."""
    return Said(event, digest(event), "am", at(minute), at(minute if recorded is None else recorded))


def fires(minute: int, *, starts: int | None = 0, **fields: Any) -> Said:
    """A firing alert, said at a minute."""
    starts_at = None if starts is None else at(starts)
    event = Event(
        "k", "alert", "Down", Severity.ERROR, said_at=at(minute), starts_at=starts_at, final=starts_at is not None
    )
    return said(replace(event, **fields), minute)


def ends(minute: int, *, ended: int | None = None, starts: int | None = 0, **fields: Any) -> Said:
    """A resolved alert, said at a minute; where no end is given, the end is assumed."""
    event = Event(
        "k",
        "alert",
        "",
        said_at=at(minute),
        starts_at=None if starts is None else at(starts),
        ends_at=at(minute if ended is None else ended),
        ends_assumed=ended is None,
        final=starts is not None,
    )
    return said(replace(event, **fields), minute)


minutes = st.integers(0, 12)
maybe_minute = st.none() | minutes
events = st.builds(
    Event,
    key=st.just("k"),
    kind=st.sampled_from(["alert", "hazard"]),
    title=st.sampled_from(["", "Down", "Still down"]),
    severity=st.sampled_from(list(Severity)),
    starts_at=maybe_minute.map(lambda m: None if m is None else at(m)),
    starts_until=st.none() | st.just(at(20)),
    ends_at=maybe_minute.map(lambda m: None if m is None else at(m)),
    ends_expected=st.booleans(),
    ends_assumed=st.booleans(),
    final=st.booleans(),
    test=st.booleans(),
    labels=st.sampled_from([{}, {"host": "a"}, {"host": "b", "region": "c"}]),
    url=st.none() | st.just("https://example.com/"),
    text=st.none() | st.just("long"),
    group=st.none() | st.sampled_from(["g", "h"]),
    event=st.none() | st.just("Heat"),
    area=st.none() | st.just(Area(zones=("CAC067",))),
    posts=st.lists(st.builds(Post, minutes.map(at), st.sampled_from(["seen", "fixed"])), max_size=2).map(tuple),
)
statements = st.lists(
    st.builds(said, events, minutes, recorded=minutes), min_size=1, max_size=7, unique_by=lambda s: s.digest
)


def in_batches(batches: Sequence[Sequence[Said]]) -> list[Occurrence]:
    """As ingest does it: extend the latest that is cached, and fold the whole set where that cannot tell."""
    cached: list[Occurrence] = []
    heard: dict[str, Said] = {}
    for batch in batches:
        new = [s for s in batch if s.digest not in heard]
        heard |= {s.digest: s for s in new}
        if new:
            longer = fold.extend(cached[-1], new) if cached else None
            cached = fold.occurrences(heard.values()) if longer is None else [*cached[:-1], *longer]
    return cached


@given(statements, st.data())
def test_neither_order_nor_repeats_nor_batches_matter(heard: list[Said], data: st.DataObject) -> None:
    whole = fold.occurrences(heard)
    repeated = heard + data.draw(st.lists(st.sampled_from(heard), max_size=4))
    shuffled = data.draw(st.permutations(repeated))
    assert fold.occurrences(shuffled) == whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    batches = [shuffled[a:b] for a, b in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    assert in_batches(batches) == whole


@given(statements)
def test_the_fold_counts_and_dates_what_it_heard(heard: list[Said]) -> None:
    found = fold.runs(heard)
    assert sorted(s.digest for run in found for s in run.statements) == sorted(s.digest for s in heard)
    for folded, said_of_it in ((run.occurrence, run.statements) for run in found):
        last = max(said_of_it, key=lambda s: (s.said_at, s.digest))
        assert folded.statements == len(said_of_it)
        assert folded.recorded_at == min(s.recorded_at for s in said_of_it)
        assert folded.first_said_at == min(s.said_at for s in said_of_it)
        assert (folded.said_at, folded.digest) == (last.said_at, last.digest)
        assert folded.test == all(s.event.test for s in said_of_it)
        assert set(folded.posts) == {post for s in said_of_it for post in s.event.posts}
        assert list(folded.posts) == sorted(folded.posts, key=lambda p: (p.at, p.text))


@given(statements)
def test_each_occurrence_of_a_subject_begins_once_the_one_before_was_over(heard: list[Said]) -> None:
    found = fold.occurrences(heard)
    assert [o.followed for o in found] == [True] * (len(found) - 1) + [False]
    assert {o.subject for o in found} == {fold.subject_of(o.id) for o in found} == {fold.subject_id("am", "k")}
    assert len({o.id for o in found}) == len(found)
    first = min(fold.runs(heard), key=lambda run: min((s.recorded_at, s.said_at, s.digest) for s in run.statements))
    assert (first.occurrence.id, first.occurrence.key) == (fold.subject_id("am", "k"), "k")
    for run, later in pairwise(fold.runs(heard)):
        opening, ended = later.statements[0], run.occurrence.ends_at
        assert ended is not None
        assert (opening.event.starts_at or opening.said_at) >= ended


@given(statements)
def test_a_final_end_is_terminal(heard: list[Said]) -> None:
    for run in fold.runs(heard):
        is_final = any(s.event.final and s.event.ends_at for s in run.statements)
        assert run.occurrence.final == is_final
        assert not is_final or run.occurrence.ends_at is not None


@given(statements, statements)
def test_extend_refuses_exactly_what_speaks_from_the_past_or_was_heard_before(
    heard: list[Said], more: list[Said]
) -> None:
    known = {s.digest for s in heard}
    fresh = [s for s in more if s.digest not in known]
    last, cached = max((s.said_at, s.digest) for s in heard), fold.occurrence(heard)
    assert cached.recorded_at is not None
    refused = any((s.said_at, s.digest) <= last or s.recorded_at < cached.recorded_at for s in fresh)
    assert (fold.extend(cached, fresh) is None) == refused


def test_two_outages_that_open_with_the_same_start_are_two() -> None:
    """The first is moved back by a correction, after which its old start is said anew."""
    heard = [over(5, ended=5), ongoing(10, starts=10), over(12, ended=7, starts=6), ongoing(13, starts=10)]
    found = fold.occurrences(heard)
    assert len({o.id for o in found}) == len(found)


def test_an_outage_that_is_heard_of_late_takes_no_id_away() -> None:
    known = ongoing(30, starts=30)
    (alone,) = fold.occurrences([known])
    earlier = [replace(s, recorded_at=at(50)) for s in (ongoing(0, starts=0), over(10, ended=10, starts=0))]
    first, second = fold.occurrences([*earlier, known])
    assert (first.starts_at, second.starts_at) == (at(0), at(30))
    assert second.id == alone.id == alone.subject
    assert first.subject == alone.subject != first.id


def spans(*heard: Said) -> list[tuple[datetime, datetime | None]]:
    return [(o.starts_at, o.ends_at) for o in fold.occurrences(heard)]


def ongoing(minute: int, *, starts: int | None = None, **fields: Any) -> Said:
    """A firing alert of a sender whose key does not hold the start."""
    return fires(minute, starts=starts, **{"final": False, **fields})


def over(minute: int, *, ended: int | None = None, starts: int | None = None) -> Said:
    """A resolved alert of such a sender."""
    return ends(minute, ended=ended, starts=starts, final=False)


@pytest.mark.parametrize("starts", [0, None])
def test_a_second_outage_under_one_key_is_a_second_occurrence(starts: int | None) -> None:
    later = None if starts is None else 29
    heard = [
        ongoing(0, starts=starts),
        over(10, ended=10, starts=starts),
        ongoing(30, starts=later),
        over(40, ended=41, starts=later),
    ]
    first, second = fold.occurrences(heard)
    begins = at(later or 30)
    assert (first.key, first.starts_at, first.ends_at) == ("k", at(0), at(10))
    assert (second.key, second.starts_at, second.ends_at) == (f"k@{instants.text(begins)}", begins, at(41))
    assert first.id == second.subject == fold.subject_of(second.id) != second.id
    for order in permutations(heard):
        assert fold.occurrences(order) == [first, second]


def test_what_began_before_the_end_goes_on_after_all() -> None:
    assert spans(ongoing(0, starts=0), over(10, ended=10), ongoing(12, starts=0)) == [(at(0), None)]
    assert spans(ongoing(0, starts=0), over(10, ended=10), ongoing(12, starts=11)) == [
        (at(0), at(10)),
        (at(11), None),
    ]


def test_a_second_end_said_with_its_own_start_stands_for_an_outage_whose_firing_was_lost() -> None:
    assert spans(ongoing(0, starts=0), over(10, ended=10), over(40, ended=40, starts=35)) == [
        (at(0), at(10)),
        (at(35), at(40)),
    ]
    assert spans(ongoing(0, starts=0), over(10, ended=10), over(40, ended=9)) == [(at(0), at(9))]


def test_what_is_said_again_after_an_assumed_time_out_is_another_occurrence() -> None:
    timed = [ongoing(m, ends_at=at(m + 5), ends_assumed=True) for m in (0, 3, 20)]
    assert spans(*timed) == [(at(0), at(8)), (at(20), at(25))]


def test_a_forecast_end_that_has_passed_ends_nothing() -> None:
    forecast = [ongoing(m, ends_at=at(m + 5), ends_expected=True) for m in (0, 20)]
    assert spans(*forecast) == [(at(0), at(25))]


def test_a_repeat_of_firing_read_late_does_not_reopen() -> None:
    whole = fold.occurrence([fires(0), ends(10, ended=9), fires(12, severity=Severity.CRITICAL)])
    assert whole.ends_at == at(9)
    assert whole.severity is Severity.CRITICAL
    assert not whole.is_on(at(12))


def test_a_final_end_may_still_be_corrected_by_another_final_end() -> None:
    assert fold.occurrence([fires(0), ends(10, ended=9), ends(11, ended=8)]).ends_at == at(8)


def test_an_assumed_end_does_not_move_one_that_was_said() -> None:
    whole = fold.occurrence([fires(0), ends(10, ended=9), ends(14)])
    assert (whole.ends_at, whole.ends_assumed) == (at(9), False)
    assert fold.occurrence([fires(0), ends(14)]).ends_assumed


def test_the_start_is_what_was_said_last_and_the_first_word_where_none_was() -> None:
    assert fold.occurrence([fires(5, starts=3), fires(6, starts=1)]).starts_at == at(1)
    assert fold.occurrence([fires(5, starts=None), fires(6, starts=None)]).starts_at == at(5)
    ended_before = fold.occurrence([fires(5, starts=None), ends(6, ended=4, starts=None)])
    assert (ended_before.starts_at, ended_before.ends_at) == (at(4), at(4))


def test_a_narrower_start_replaces_a_range() -> None:
    whole = fold.occurrence([fires(5, starts=1, starts_until=at(4)), fires(6, starts=2)])
    assert (whole.starts_at, whole.starts_until) == (at(2), None)


def test_silence_does_not_unsay() -> None:
    spoken = fires(
        0, labels={"host": "a"}, url="https://example.com/", text="t", group="g", event="e", area=Area(zones=("Z",))
    )
    whole = fold.occurrence([spoken, ends(5, ended=5)])
    assert (whole.title, whole.severity, whole.labels) == ("Down", Severity.ERROR, {"host": "a"})
    assert (whole.url, whole.text, whole.group, whole.event) == ("https://example.com/", "t", "g", "e")
    assert whole.area == Area(zones=("Z",))


def test_ids_come_from_source_and_key_alone() -> None:
    assert fold.subject_id("am", "k") == fold.occurrence([fires(0)]).id
    assert len({fold.subject_id("am", "k"), fold.subject_id("a", "mk"), fold.subject_id("am-2", "k")}) == 3


# --- members --------------------------------------------------------------------------------------------------------

alerts = st.builds(
    Occurrence,
    id=st.just(""),
    source=st.just("am"),
    key=st.just("k"),
    kind=st.just("alert"),
    title=st.just("Down"),
    severity=st.sampled_from(list(Severity)),
    starts_at=minutes.map(at),
    ends_at=maybe_minute.map(lambda m: None if m is None else at(m)),
)


@given(st.lists(alerts, max_size=5), st.lists(alerts, max_size=4), st.data())
def test_moved_members_are_what_a_recount_gives(
    before: list[Occurrence], joined: list[Occurrence], data: st.DataObject
) -> None:
    changed = data.draw(st.lists(alerts, max_size=len(before)))
    moved = list(zip(before, changed, strict=False))
    after = [*changed, *before[len(changed) :], *joined]
    sums = incident_fold.move_members(incident_fold.members(before), joined, moved)
    assert sums is None or sums == incident_fold.members(after)


@given(st.lists(alerts, max_size=5), st.lists(alerts, max_size=4))
def test_joining_never_needs_a_recount(before: list[Occurrence], joined: list[Occurrence]) -> None:
    assert incident_fold.move_members(incident_fold.members(before), joined, []) == incident_fold.members(
        [*before, *joined]
    )


def test_sums_of_nothing_and_of_a_few() -> None:
    assert incident_fold.members([]) == Members()
    on = replace(fold.occurrence([fires(3, starts=3)]), id="b")
    over = fold.occurrence([fires(0), ends(9, ended=8, severity=Severity.CRITICAL)])
    assert incident_fold.members([on, over]) == Members(2, 1, at(0), at(8), Severity.CRITICAL)


# --- incidents ------------------------------------------------------------------------------------------------------


class Log:
    """Entries in the order in which they are appended, a minute apart."""

    def __init__(self, **opened: Any) -> None:
        self.entries: list[Entry] = []
        params = {"title": "Down", "severity": "error", "group": "site:smf", "sites": ["smf"], **opened}
        self.add("opened", 0, params, actor="rule:critical-alert@1")

    def add(
        self,
        kind: str,
        happened: float | tuple[float, float],
        params: dict[str, Any],
        *,
        actor: str = "user:alice",
        supersedes: int | None = None,
    ) -> int:
        """Append an entry that happened at a minute, or between two; its id."""
        since, until = happened if isinstance(happened, tuple) else (happened, None)
        number = len(self.entries) + 1
        self.entries.append(
            Entry(
                id=number,
                incident="i",
                kind=kind,
                params=params,
                actor=actor,
                happened_at=at(since),
                recorded_at=at(100 + number),
                happened_until=None if until is None else at(until),
                supersedes=supersedes,
            )
        )
        return number

    def status(self, status: str, happened: float | tuple[float, float], *, actor: str = "user:alice") -> int:
        """Append a change of status."""
        return self.add("status_changed", happened, {"status": status}, actor=actor)

    def retract(self, entry: int) -> int:
        """Withdraw an entry."""
        return self.add("retraction", 200, {}, supersedes=entry)

    def correct(self, entry: int, happened: float | None = None, **params: Any) -> int:
        """Correct the time or the words of an entry."""
        if happened is not None:
            params["happened_at"] = instants.text(at(happened))
        return self.add("correction", happened or 0, params, supersedes=entry)

    def fold(self, sums: Members | None = None) -> Any:
        """The incident."""
        return incident_fold.incident(self.entries, sums or Members())


def test_without_an_opening_there_is_no_incident() -> None:
    with pytest.raises(ValueError, match="opened"):
        incident_fold.incident([], Members())


def test_the_order_of_the_entries_does_not_matter() -> None:
    log = Log()
    log.status("acknowledged", 5)
    log.add("field_changed", 6, {"field": "title", "was": "Down", "now": "All down"})
    log.retract(log.status("resolved", 7))
    assert incident_fold.incident(reversed(log.entries), Members()) == log.fold()


def test_statuses_hold_in_the_order_in_which_they_happened() -> None:
    log = Log()
    log.status("resolved", 30)
    log.status("acknowledged", 5)
    incident = log.fold()
    assert incident.status == "resolved"
    assert incident.acknowledged_at == Moment(at(5))
    assert incident.resolved_at == Moment(at(30))


def test_the_first_acknowledgement_and_the_last_stretch_of_mitigation_count() -> None:
    log = Log()
    for status, minute in (("acknowledged", 5), ("mitigated", 10), ("open", 15), ("acknowledged", 17)):
        log.status(status, minute)
    assert log.fold().acknowledged_at == Moment(at(5))
    assert log.fold().mitigated_at is None
    log.status("mitigated", 20)
    log.status("mitigated", 25)
    log.status("resolved", (30, 40))
    assert log.fold().mitigated_at == Moment(at(20))
    assert log.fold().resolved_at == Moment(at(30), at(40))


def test_a_person_who_says_later_that_it_was_over_earlier_overrules_the_rules() -> None:
    log = Log()
    log.status("mitigated", 60, actor="rule:quiet@1")
    log.status("resolved", 31)
    assert (log.fold().status, log.fold().resolved_at, log.fold().mitigated_at) == ("resolved", Moment(at(31)), None)
    assert not incident_fold.is_status_of_rule(log.entries)


def test_a_late_acknowledgement_does_not_undo_what_a_rule_derived() -> None:
    log = Log()
    log.status("mitigated", 60, actor="rule:quiet@1")
    log.status("acknowledged", 2)
    assert (log.fold().status, log.fold().acknowledged_at) == ("mitigated", Moment(at(2)))
    assert incident_fold.is_status_of_rule(log.entries)


def test_noise_after_a_person_said_it_was_over_reopens_it() -> None:
    log = Log()
    log.status("mitigated", 31)
    log.status("open", 60, actor="rule:quiet@1")
    assert log.fold().status == "open"


def test_a_withdrawn_status_never_was() -> None:
    log = Log()
    log.status("acknowledged", 5)
    withdrawal = log.retract(log.status("resolved", 30))
    assert (log.fold().status, log.fold().resolved_at) == ("acknowledged", None)
    log.retract(withdrawal)
    assert (log.fold().status, log.fold().resolved_at) == ("resolved", Moment(at(30)))


def test_a_corrected_status_holds_at_its_corrected_time() -> None:
    log = Log()
    acknowledged = log.status("acknowledged", 15)
    correction = log.correct(acknowledged, 5)
    assert (log.fold().status, log.fold().acknowledged_at) == ("acknowledged", Moment(at(5)))
    log.retract(correction)
    assert log.fold().acknowledged_at == Moment(at(15))


def test_a_corrected_opening_keeps_what_it_said() -> None:
    log = Log(by_hand=True, impact_started_at={"at": instants.text(at(-60)), "until": None})
    log.correct(1, -30)
    assert (log.fold().opened_at, log.fold().impact_started_at) == (at(-30), Moment(at(-60)))


def test_corrections_of_words_and_of_time_add_up() -> None:
    log = Log()
    note = log.add("note", 10, {"text": "two of three"})
    log.correct(note, text="three of three", was="two of three")
    log.correct(note, 8)
    now = incident_fold.standing(log.entries)[note]
    assert (now.params["text"], now.happened_at) == ("three of three", at(8))


def test_what_was_set_by_hand_holds_over_what_was_derived() -> None:
    log = Log()
    log.status("resolved", 30)
    for name, value in {
        "severity": "info",
        "owner": "alice",
        "services": ["shop"],
        "resolved_at": {"at": instants.text(at(20)), "until": instants.text(at(25))},
        "impact_started_at": {"at": instants.text(at(-5)), "until": None},
        "impact_windows": [{"at": instants.text(at(-5)), "until": instants.text(at(20))}],
    }.items():
        log.add("field_changed", 40, {"field": name, "was": None, "now": value})
    incident = log.fold(Members(1, 0, at(-2), at(9), Severity.CRITICAL))
    assert incident.severity is Severity.INFO
    assert (incident.owner, incident.services) == ("alice", ("shop",))
    assert incident.resolved_at == Moment(at(20), at(25))
    assert incident.impact_started_at == Moment(at(-5))
    assert incident.impact_windows == (Moment(at(-5), at(20)),)
    assert incident.opened_at == at(-2)


def test_a_field_set_to_nothing_falls_back_to_what_was_derived() -> None:
    log = Log()
    log.status("acknowledged", 5)
    for value in ({"at": instants.text(at(3)), "until": None}, None):
        log.add("field_changed", 40, {"field": "acknowledged_at", "was": None, "now": value})
    assert log.fold().acknowledged_at == Moment(at(5))


def test_severity_is_the_gravest_of_opening_and_alerts() -> None:
    assert Log().fold(Members(1, 1, at(0), None, Severity.INFO)).severity is Severity.ERROR
    assert Log().fold(Members(1, 1, at(0), None, Severity.CRITICAL)).severity is Severity.CRITICAL


def test_an_incident_opened_by_hand_is_detected_at_its_opening_only_without_an_impact() -> None:
    assert Log(by_hand=True).fold().detected_at == Moment(at(0))
    ranged = {"at": instants.text(at(0)), "until": instants.text(at(1440))}
    incident = Log(by_hand=True, impact_started_at=ranged).fold(Members(1, 1, at(-300)))
    assert incident.detected_at is None
    assert incident.impact_started_at == Moment(at(0), at(1440))
    assert incident.opened_at == at(0)


def test_merging_and_unmerging() -> None:
    log = Log()
    log.add("merged", 10, {"into": "other"})
    assert log.fold().merged_into == "other"
    log.add("unmerged", 20, {"from": "other"})
    assert log.fold().merged_into is None


def test_links_take_the_last_evidence_and_the_last_verdict() -> None:
    weak = Evidence("context", 0.5, (Reason("time", 0.5, "began within the hour"),))
    strong = Evidence("strong", 7.5, (Reason("place", 7.5, "at the site"),), would_change="an end before the start")
    log = Log()
    log.add("link_proposed", 1, {"occurrence": "a", **incident_fold.evidence_params(weak)}, actor="rule:links@3")
    log.add("link_proposed", 1, {"occurrence": "b", **incident_fold.evidence_params(strong)}, actor="rule:links@3")
    confirmed = log.add("link_judged", 2, {"link": "a", "verdict": "confirmed", "note": "seen by eye"})
    log.add("link_scored", 3, {"occurrence": "a", **incident_fold.evidence_params(strong)}, actor="rule:links@3")
    log.add("link_judged", 3, {"link": "nothing", "verdict": "confirmed"})
    a, b = log.fold().links
    assert (a.id, a.evidence, a.state, a.judged_by, a.note) == ("a", strong, "confirmed", "user:alice", "seen by eye")
    assert (b.id, b.state, b.proposed_by, b.judged_by) == ("b", "proposed", "rule:links@3", None)
    log.retract(confirmed)
    assert log.fold().links[0].state == "proposed"


def test_the_version_counts_all_entries() -> None:
    log = Log()
    log.retract(log.status("resolved", 5))
    assert log.fold().version == 3
    assert incident_fold.incident(log.entries, Members(), version=9).version == 9
