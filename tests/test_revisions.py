"""Revisions, back-dated starts and provider lag from statements, without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import fold, provider_lag, spoken
from incidents.model import (
    Area,
    Event,
    Evidence,
    Incident,
    Link,
    LinkState,
    Members,
    Moment,
    Post,
    Said,
    Severity,
    Tier,
)
from incidents.provider_lag import LedgerRow, lag, ledgers
from incidents.revisions import backdated, diff, revisions, sentence

DAY = datetime(2026, 11, 20, tzinfo=UTC)


def at(minute: float) -> datetime:
    return DAY + timedelta(minutes=minute)


def said(event: Event, minute: float) -> Said:
    return Said(event, spoken.digest(event), "p", event.said_at or at(minute), at(minute), int(minute), "1", "a@1")


BEGUN = Event(
    "k",
    "provider_incident",
    "Errors",
    Severity.ERROR,
    at(30),
    starts_at=at(0),
    posts=(Post(at(30), "We look into it."),),
)


def test_a_post_whose_words_changed_is_a_revision_with_a_diff() -> None:
    later = replace(BEGUN, said_at=at(60), posts=(Post(at(30), "We looked into it."), Post(at(60), "Over.")))
    (one,) = revisions([said(later, 61), said(BEGUN, 31)])
    assert (one.subject, one.post_at, one.was, one.now) == ("post", at(30), "We look into it.", "We looked into it.")
    assert one.said.recorded_at == at(61)
    assert [(part.kind, part.words.strip()) for part in one.parts] == [
        ("same", "We"), ("gone", "look"), ("new", "looked"), ("same", "into it."),
    ]  # fmt: skip


def test_a_new_post_a_repeat_and_a_dropped_post_are_no_revisions() -> None:
    more = replace(BEGUN, said_at=at(60), posts=(*BEGUN.posts, Post(at(60), "Over.")))
    fewer = replace(BEGUN, said_at=at(90), posts=(Post(at(60), "Over."),))
    assert revisions([said(BEGUN, 31), said(more, 61), said(fewer, 91)]) == ()


def test_the_text_of_a_warning_its_title_and_severity_are_compared_where_it_has_no_posts() -> None:
    warning = Event("w", "hazard", "Heat", Severity.WARNING, at(1), text="Up to 38 degrees.", starts_at=at(5))
    worse = replace(warning, said_at=at(9), title="Extreme heat", severity=Severity.CRITICAL, text="Up to 41 degrees.")
    assert [(one.subject, one.was, one.now) for one in revisions([said(warning, 1), said(worse, 9)])] == [
        ("title", "Heat", "Extreme heat"),
        ("severity", "warning", "critical"),
        ("text", "Up to 38 degrees.", "Up to 41 degrees."),
    ]


@given(st.text("ab c\n", max_size=40), st.text("ab c\n", max_size=40))
def test_the_parts_of_a_diff_give_both_texts_back(was: str, now: str) -> None:
    parts = diff(was, now)
    assert " ".join(" ".join(p.words for p in parts if p.kind != "new").split()) == " ".join(was.split())
    assert " ".join(" ".join(p.words for p in parts if p.kind != "gone").split()) == " ".join(now.split())


def test_texts_of_few_words_said_often_are_compared_by_sentences_or_told_whole() -> None:
    was, now = "word " * 2400, "word other " * 1200
    assert [part.kind for part in diff(was, now)] == ["gone", "new"]
    assert [part.words for part in diff(f"{was}. Over.", f"{was}. Not over.")][-2:] == ["Over.", "Not over."]
    assert [part.kind for part in diff("a. " * 3000, "a. " * 3000)] == ["gone", "new"]


def test_all_revisions_of_an_occurrence_have_a_bound_of_their_own() -> None:
    texts = [f"{'word ' * 140}{n}" for n in range(60)]
    events = [replace(BEGUN, said_at=at(31 + n), posts=(Post(at(30), text),)) for n, text in enumerate(texts)]
    found = revisions([said(event, 31 + n) for n, event in enumerate(events)])
    assert len(found) == 59
    assert [part.kind for part in found[0].parts] == ["same", "gone", "new"]
    assert [part.kind for part in found[-1].parts] == ["gone", "new"]


def told(*events: tuple[Event, float]) -> list[tuple[str, str]]:
    statements = [said(event, minute) for event, minute in events]
    return [(one.kind, sentence(one)) for one in backdated(fold.occurrence(statements), statements)]


def test_a_claimed_start_well_before_the_first_post_is_flagged() -> None:
    assert told((BEGUN, 31)) == [
        ("claimed", "Back-dated: the claimed start, 00:00 UTC, lies 30 min before the first post, 00:30 UTC.")
    ]
    assert told((replace(BEGUN, starts_at=at(20)), 31)) == []
    assert told((replace(BEGUN, starts_at=at(19)), 31)) != []
    assert told((replace(BEGUN, event="Scheduled maintenance"), 31)) == []
    assert told((replace(BEGUN, kind="alert"), 31)) == []
    assert told((replace(BEGUN, starts_at=None), 31)) == []


def test_a_start_that_a_later_statement_moved_is_flagged_once() -> None:
    late = replace(BEGUN, starts_at=at(30))
    moved = replace(BEGUN, said_at=at(600), starts_at=at(-90))
    assert told((late, 31), (moved, 601)) == [
        ("moved", "Back-dated: the start was moved 2 h earlier, from 00:30 to 19 November 22:30 UTC.")
    ]
    assert told((moved, 31), (replace(late, said_at=at(700)), 601)) == []


# Provider lag


def incident(**fields: object) -> Incident:
    base = Incident("i", "t", "resolved", Severity.ERROR, "g", (), at(0), at(0), "rule:x@1")
    members = Members(alerts=1, first_starts_at=at(10))
    return replace(base, members=members, mitigated_at=Moment(at(100)), **fields)  # type: ignore[arg-type]


def lengths(ours: Incident, *events: Event) -> dict[str, tuple[str, float | None]]:
    theirs = fold.occurrence([said(event, 1000 + nth) for nth, event in enumerate(events)])
    return {one.name: (one.outcome, one.seconds) for one in lag(ours, theirs).measurements}


def test_lag_runs_from_what_we_saw_to_what_they_said() -> None:
    over = replace(BEGUN, said_at=at(120), ends_at=at(90), posts=(*BEGUN.posts, Post(at(120), "Over.")))
    assert lengths(incident(), BEGUN, over) == {
        "claimed_start_after_symptom": ("recorded", -600),
        "first_post_after_symptom": ("recorded", 1200),
        "first_post_after_claimed_start": ("recorded", 1800),
        "last_update_after_recovery": ("recorded", 1200),
        "claimed_end_after_recovery": ("recorded", -600),
    }


def test_what_is_to_come_is_pending_and_what_nobody_said_does_not_apply() -> None:
    ours = incident(status="open")
    ours = replace(ours, mitigated_at=None)
    found = lengths(ours, BEGUN)
    assert found["claimed_end_after_recovery"] == found["last_update_after_recovery"] == ("pending", None)
    assert lengths(incident(), BEGUN)["claimed_end_after_recovery"] == ("pending", None)
    unsaid = replace(BEGUN, starts_at=None, ends_at=at(200), ends_assumed=True)
    found = lengths(incident(), unsaid)
    assert found["claimed_start_after_symptom"] == ("not_applicable", None)
    assert found["claimed_end_after_recovery"] == ("not_applicable", None)


def test_a_range_of_ours_makes_a_range_of_the_lag() -> None:
    ours = replace(incident(impact_started_at=Moment(at(0), at(10))), members=Members())
    theirs = fold.occurrence([said(BEGUN, 31)])
    first = lag(ours, theirs).measurements[1]
    assert (first.seconds, first.seconds_max) == (1200, 1800)


def row(name: str, minutes: float, provider: str) -> LedgerRow:
    event = replace(BEGUN, key=name, starts_at=at(minutes), labels={"provider": provider})
    theirs, ours = fold.occurrence([said(event, 31)]), replace(incident(), id=name, opened_at=at(minutes))
    return LedgerRow(ours, theirs, "confirmed", "strong", lag(ours, theirs))


def test_a_ledger_of_each_provider_has_its_medians_and_the_latest_first() -> None:
    aws, gcp = ledgers([row("a", 0, "aws"), row("b", 20, "aws"), row("c", 4, "aws"), row("d", 10, "gcp")])
    assert [one.incident.id for one in aws.rows] == ["b", "c", "a"]
    assert aws.medians["claimed_start_after_symptom"] == (-360, 3)
    assert (gcp.provider, gcp.medians["first_post_after_symptom"]) == ("gcp", (1200, 1))
    assert "claimed_end_after_recovery" not in gcp.medians


@pytest.mark.parametrize(
    ("state", "tier", "counted"),
    [("confirmed", "context", True), ("attributed", "context", True), ("proposed", "plausible", True),
     ("proposed", "context", False), ("rejected", "strong", False), ("retracted", "strong", False)],
)  # fmt: skip
def test_a_ledger_counts_links_that_hold(state: LinkState, tier: Tier, counted: bool) -> None:
    link = Link("o", Evidence(tier, 1.0, ()), state, "rule:x@1", at(0))
    assert provider_lag.counts(link) is counted


def test_a_provider_is_named_by_its_label_its_page_its_region_or_its_source() -> None:
    def name(**fields: object) -> str:
        event = replace(BEGUN, **fields)  # type: ignore[arg-type]
        return provider_lag.provider_of(fold.occurrence([said(event, 31)]))

    assert name(labels={"provider": "aws", "page": "x"}) == "aws"
    assert name(labels={"page": "Tallow Cloud"}) == "Tallow Cloud"
    assert name(area=Area(regions=("gcp:europe-west2",))) == "gcp"
    assert name() == "p"
