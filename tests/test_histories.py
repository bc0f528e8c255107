"""Past incidents from elsewhere: carried over as a story that plays, and what is not carried over is listed."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import histories
from incidents.histories import Made
from incidents.store import Store
from service.intake.replayed import Outcome, outcome
from service.replay import Player, story_of

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = {
    "page": {"name": "Acme"},
    "incidents": [
        {
            "id": "b", "name": "Slow <b>search</b>", "impact": "minor", "created_at": "2026-03-02T10:00:00Z",
            "resolved_at": "2026-03-02T11:30:00Z", "components": [{"name": "Search"}],
            "incident_updates": [
                {"status": "resolved", "body": "Over.", "display_at": "2026-03-02T11:30:00Z"},
                {"status": "identified", "body": "A full disk.", "display_at": "2026-03-02T10:20:00Z"},
                {"status": "investigating", "body": "We look &amp; see.", "created_at": "2026-03-02T10:05:00Z"},
                {"status": "monitoring", "body": "No time"},
            ],
        },
        {"id": "a", "name": "Down", "impact": "critical", "created_at": "2026-03-02T10:30:00Z", "resolved_at": None},
        {"id": "c", "name": "", "created_at": "2026-03-02T10:30:00Z"},
        {"id": "d", "name": "Never", "created_at": "soon"},
        7,
    ],
}  # fmt: skip
TABLE = (
    "Ticket,Summary,Begin,End,Ack,Prio,Text\r\n"
    'T-1,"Disk, full",2026-03-01 09:00,2026-03-01 10:00,2026-03-01 09:05,P1,"=cmd|calc"\r\n'
    "T-2,Loss,2026-03-03 09:00,later,,odd,\r\n"
    "T-3,,2026-03-03 09:00,,,,\r\n"
)
MAPPING = {
    "title": "Summary",
    "started_at": "Begin",
    "resolved_at": "End",
    "acknowledged_at": "Ack",
    "severity": "Prio",
}


def played(made: Made, tmp_path: Path) -> Outcome:
    story = story_of(json.dumps(made.story).encode(), "history", NOW)
    with closing(Store(f"sqlite:///{tmp_path / 'h.db'}")) as store:
        store.migrate()
        Player(store).play(story, NOW)
        return outcome(store, story.config, NOW)


def test_the_history_of_a_page_plays_as_it_happened(tmp_path: Path) -> None:
    made = histories.of_statuspage(json.dumps(PAGE).encode())
    views = {view.incident.title: view for view in played(made, tmp_path).views}
    assert set(views) == {"Slow search", "Down"}
    slow = views["Slow search"].incident
    assert (slow.status, str(slow.severity)) == ("resolved", "warning")
    assert slow.impact_started_at is not None
    assert slow.impact_started_at.at == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert slow.acknowledged_at is not None
    assert slow.acknowledged_at.at == datetime(2026, 3, 2, 10, 20, tzinfo=UTC)
    assert slow.resolved_at is not None
    assert slow.resolved_at.at == datetime(2026, 3, 2, 11, 30, tzinfo=UTC)
    assert any("We look & see." in line.text for line in views["Slow search"].lines)
    assert views["Down"].incident.status == "open"


def test_what_is_not_carried_over_is_listed() -> None:
    made = histories.of_statuspage(json.dumps(PAGE).encode())
    told = "\n".join(made.left_out)
    for said in (
        "incident 1: an update without a time",
        "incident 1: components are not carried over",
        "incident 3: it has no title",
        "incident 4:",
        "incident 5: an object is expected",
    ):
        assert said in told


def test_the_history_page_gives_one_entry_for_each_incident(tmp_path: Path) -> None:
    stamp = "Dec <var data-var='date'>31</var>, <var data-var='time'>23:50</var> - Jan <var data-var='date'>1</var>, "
    row = {"code": "x1", "name": "New year", "impact": "major", "message": "Over."}
    rows = [
        {**row, "timestamp": stamp + "<var data-var='time'>00:40</var> UTC"},
        {**row, "code": "x2", "timestamp": "Dec 3, 10:00 PST"},
        {**row, "code": "x3", "timestamp": "one day"},
    ]
    made = histories.of_statuspage(json.dumps({"months": [{"year": 2025, "incidents": rows}]}).encode())
    [view] = played(made, tmp_path).views
    assert view.incident.resolved_at is not None
    assert view.incident.resolved_at.at == datetime(2026, 1, 1, 0, 40, tzinfo=UTC)
    assert any("x2: its times are in PST" in each for each in made.left_out)
    assert any("x3: its times cannot be read" in each for each in made.left_out)


def test_a_table_is_read_by_its_mapping(tmp_path: Path) -> None:
    made = histories.of_csv(TABLE.encode(), MAPPING, zone="Europe/Berlin")
    views = {view.incident.title: view.incident for view in played(made, tmp_path).views}
    disk = views["Disk, full"]
    assert str(disk.severity) == "critical"
    assert disk.resolved_at is not None
    assert disk.resolved_at.at == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert views["Loss"].status == "open"
    told = "\n".join(made.left_out)
    for said in (
        "row 3: resolved_at: 'later'",
        "row 3: severity: 'odd'",
        "row 4: it has no title",
        "column 'Text'",
        "column 'Ticket'",
    ):
        assert said in told


@pytest.mark.parametrize(
    ("mapping", "why"),
    [
        ({"title": "Summary"}, "started_at"),
        ({**MAPPING, "title": "Nothing"}, "no column"),
        ({**MAPPING, "owner": "Ack"}, "none of"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_told(mapping: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        histories.of_csv(TABLE.encode(), mapping)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe", b'{"incidents": 7}', b"[" * 9000])
def test_what_is_no_history_is_told(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|JSON|neither"):
        histories.of_statuspage(content)
    with pytest.raises(ValueError, match=r"column|UTF-8"):
        histories.of_csv(content, MAPPING)


_KEYS = ["name", "impact", "created_at", "resolved_at", "incident_updates", "status", "body", "display_at"]
_WORDS = st.text(max_size=8) | st.sampled_from(["2026-03-02T10:00:00Z", "resolved"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(_JSON, max_size=4))
def test_no_history_breaks_the_reader(rows: list[Any]) -> None:
    made = histories.of_statuspage(json.dumps({"incidents": rows}).encode())
    assert made.incidents + len(made.left_out) >= len(rows)
