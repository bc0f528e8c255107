"""Times, lengths and decisions in words."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import sentences, words
from incidents import instants
from incidents.model import Measurement, Moment

HOT = datetime(2022, 7, 19, 13, 36, 8, tzinfo=UTC)
HOSTILE = "\x1b[31m\u202etxt.exe\u2066\x00line one\r\nline two <b>&amp;</b>\u2028" + "x" * 500
BANNED = re.compile(r"\b(caus\w*|because|due to|root cause|culprit|impact of)\b", re.IGNORECASE)
ENTRIES = {
    "opened": {"title": HOSTILE, "severity": "critical", "rule": "critical-at-site@1", "alert": "a1"},
    "alerts_joined": {"count": 412, "names": ["DiskFull", "DiskFull", HOSTILE, "C", "D"]},
    "alerts_left": {"count": 2},
    "status_changed": {"status": "mitigated", "note": HOSTILE},
    "note": {"text": HOSTILE},
    "field_changed": {"field": "owner", "was": HOSTILE, "now": "ana"},
    "link_proposed": {"occurrence": "o", "title": HOSTILE, "kind": "hazard", "tier": "strong", "score": 9.23},
    "link_scored": {"occurrence": "o", "title": HOSTILE, "kind": "hazard", "tier": "context", "score": -0.4},
    "link_judged": {"link": "o", "title": HOSTILE, "verdict": "attributed", "quote": HOSTILE, "speaker": "Ops"},
    "correction": {"text": HOSTILE, "was": HOSTILE},
    "retraction": {},
    "merged": {"into": "42"},
    "split": {"alerts": ["a", "b"], "into": "43"},
    "unmerged": {"from": "42"},
}


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (42, "42 s"),
        (59.6, "59 s"),
        (25 * 60, "25 min"),
        (3600, "1 h"),
        (3 * 3600 + 29 * 60, "3 h 29 min"),
        (34 * 3600 + 37 * 60, "34 h 37 min"),
        (71.9999 * 3600, "71 h 59 min"),
        (75 * 3600, "3 d 3 h"),
        (-180, "3 min"),
    ],
)
def test_lengths(seconds: float, told: str) -> None:
    assert instants.length(seconds) == told


@given(st.floats(0, 10**9))
def test_a_length_never_shows_sixty_minutes_or_a_day_of_hours(seconds: float) -> None:
    told = instants.length(seconds)
    assert "60 min" not in told
    assert " 24 h" not in told


def test_bounds_that_read_alike_are_one_length() -> None:
    assert words.lengths(9540, 13020) == "2 h 39 min \N{EN DASH} 3 h 37 min"
    assert words.lengths(9540, 9541) == words.lengths(9540, None) == "2 h 39 min"


@pytest.mark.parametrize(
    ("zone", "month", "label"),
    [
        ("Europe/London", 7, "BST, UTC+1"),
        ("Europe/London", 1, "GMT, UTC"),
        ("UTC", 1, "UTC"),
        ("Asia/Kolkata", 1, "IST, UTC+5:30"),
        ("America/Sao_Paulo", 1, "UTC\N{MINUS SIGN}3"),
    ],
)
def test_zone_labels_name_the_offset(zone: str, month: int, label: str) -> None:
    assert words.zone_label(zone, datetime(2022, month, 15, 12, tzinfo=UTC)) == label


def test_the_day_is_named_where_it_differs() -> None:
    zone = "Europe/London"
    midnight = datetime(2022, 7, 19, 23, 24, tzinfo=UTC)
    assert words.moment(HOT, zone) == "19 Jul 2022 14:36"
    assert words.moment(HOT, zone, beside=HOT) == "14:36"
    assert words.moment(midnight, zone, beside=HOT) == "20 Jul 00:24"
    assert words.moment(Moment(HOT, midnight), zone, beside=HOT) == "14:36 \N{EN DASH} 20 Jul 00:24"
    assert words.full(HOT, zone) == "19 Jul 2022 14:36:08 BST, 13:36:08 UTC"


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_the_calendar_are_told(year: int) -> None:
    edge = datetime(year, 1, 1, tzinfo=UTC) if year == 1 else datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    for zone in ("Pacific/Auckland", "America/Los_Angeles"):
        assert str(edge.year) in words.full(edge, zone) + words.moment(edge, zone)


def test_after_is_a_range_where_either_end_is_one() -> None:
    start = Moment(HOT)
    assert words.after(Moment(HOT + timedelta(minutes=3)), start) == "after 3 min"
    assert words.after(Moment(HOT - timedelta(minutes=3)), start) == "3 min before"
    late = Moment(HOT + timedelta(minutes=10), HOT + timedelta(minutes=70))
    assert words.after(late, start) == "after 10 min \N{EN DASH} 1 h 10 min"


@pytest.mark.parametrize(
    ("measurement", "told"),
    [
        (Measurement("a", "recorded", 180.0), "3 min"),
        (Measurement("a", "recorded", 180.0, 600.0), "3 min \N{EN DASH} 10 min"),
        (Measurement("a", "pending", 6840.0), "1 h 54 min so far"),
        (Measurement("a", "pending"), "not yet"),
        (Measurement("a", "not_applicable", reason="nobody said"), "does not apply: nobody said"),
        (Measurement("a", "invalid"), "cannot be told"),
    ],
)
def test_measurements_say_what_they_came_to(measurement: Measurement, told: str) -> None:
    assert words.measured(measurement) == told


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_sentence_is_one_short_inert_line(kind: str) -> None:
    told = sentences.sentence(kind, ENTRIES[kind])
    assert told
    assert len(told) < 3 * words.PAYLOAD or kind in {"note", "correction"}
    assert words.plain(told) == told
    assert "\x1b" not in told
    assert "\u202e" not in told
    assert not BANNED.search(told.replace("x" * 20, ""))


@pytest.mark.parametrize(
    ("kind", "params", "told"),
    [
        ("alerts_joined", {"count": 1, "names": ["DiskFull"]}, "1 alert joined: DiskFull"),
        ("alerts_joined", {"count": 1204, "names": list("ABCDE")}, "1,204 alerts joined: A, B, C and 2 more"),
        ("status_changed", {"status": "open"}, "Reopened"),
        ("status_changed", {"status": "mitigated", "note": "traffic moved"}, "Mitigated: traffic moved"),
        ("field_changed", {"field": "severity", "was": "warning", "now": "critical"},
         "Severity changed from warning to critical"),
        ("field_changed", {"field": "impact_started_at", "was": None, "now": "2022-07-19T13:33:00.000000Z"},
         "Impact began set to 19 Jul 2022 13:33 UTC"),
        ("field_changed", {"field": "owner", "was": "ana", "now": None}, "Owner removed, was ana"),
        ("link_proposed", {"title": "Heat", "tier": "strong", "score": 9.23},
         "Link proposed: coincided with Heat (strong, 9.2 bits)"),
        ("link_judged", {"title": "Heat", "verdict": "rejected", "note": "other metro"},
         "Link rejected: Heat: other metro"),
        ("link_judged", {"title": "Heat", "verdict": "attributed", "quote": "it was the heat", "speaker": "Ops lead"},
         "Ops lead on Heat: \u201cit was the heat\u201d"),
        ("merged", {"from": "7"}, "Incident 7 merged into this one"),
        ("something_new", {"text": "of a later version"}, "Something new: of a later version"),
    ],
)  # fmt: skip
def test_sentences(kind: str, params: dict[str, object], told: str) -> None:
    assert sentences.sentence(kind, params) == told


@pytest.mark.parametrize("kind", ENTRIES)
def test_a_sentence_needs_no_param(kind: str) -> None:
    assert sentences.sentence(kind, {})


def test_a_note_is_told_whole() -> None:
    note = "Moved traffic to Frankfurt. " * 20
    assert sentences.sentence("note", {"text": note}) == note.strip()


def test_a_quantity_has_its_unit() -> None:
    assert words.quantity("dry_bulb_c", 35.0) == "dry bulb 35\N{NO-BREAK SPACE}°C"
    assert words.quantity("load_share", 0.5) == "load share 0.5"


def test_who_drops_only_the_sorts_that_we_name() -> None:
    assert [words.who(actor) for actor in ("user:ana", "rule:links@3", "source:nws", "a:b", "ana")] == [
        "ana", "links@3", "nws", "a:b", "ana",
    ]  # fmt: skip


@given(st.text())
def test_plain_text_is_one_line_without_control_or_direction(text: str) -> None:
    shown = words.plain(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", shown)
    assert words.plain(shown) == shown
    assert all(len(words.plain(text, limit)) <= limit for limit in (2, 60))


def test_no_two_statuses_read_alike() -> None:
    told = [
        sentences.sentence("status_changed", {"status": each})
        for each in ("open", "acknowledged", "mitigated", "resolved")
    ]
    assert all(a != b for a, b in itertools.combinations(told, 2))
