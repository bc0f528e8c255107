"""Calendars: read back by another program's parser, folded by bytes, escaped, named alike in every export."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import ics
from incidents.model import Moment
from tests.figure_views import incident, minutes

HOSTILE = 'a;b,c\\d\r\nBEGIN:VALARM\nEND:VEVENT "q" \x00\u202e\ud800 ünï 火災 ' + "x" * 300
ACTIONS: list[dict[str, Any]] = [
    {"text": "Test the chillers; both, in heat", "owner": "ana", "due": "2022-08-01", "done": False},
    {"text": HOSTILE, "owner": HOSTILE, "due": None, "done": True},
]


def parsed(content: bytes, kind: str) -> list[Any]:
    return list(icalendar.Calendar.from_ical(content).walk(kind))


def test_an_incident_is_an_event_in_utc() -> None:
    [event] = parsed(ics.of_incidents([incident()], address=lambda i: f"https://barograph.example/{i.id}"), "VEVENT")
    assert event.decoded("dtstart") == minutes(333)
    assert event.decoded("dtend") == minutes(950)
    assert str(event["summary"]) == "London: instances unreachable in europe-west2-a"
    assert str(event["uid"]) == "incident-2022-07-19-lon@barograph"
    assert str(event["url"]) == "https://barograph.example/2022-07-19-lon"
    assert "Time to mitigate: 1 h 39 min" in str(event["description"])
    assert str(event["location"]) == "lon"


def test_an_open_incident_has_no_end() -> None:
    [event] = parsed(ics.of_incidents([incident(resolved_at=None, status="open")]), "VEVENT")
    assert "dtend" not in event
    ended = incident(impact_started_at=Moment(minutes(10)), resolved_at=Moment(minutes(10)))
    [event] = parsed(ics.of_incidents([ended]), "VEVENT")
    assert "dtend" not in event


def test_actions_are_to_dos_due_on_their_day() -> None:
    first, second = parsed(ics.of_actions("2022-07-19-lon", "Heat", ACTIONS, at=minutes(0)), "VTODO")
    assert first.decoded("due") == date(2022, 8, 1)
    assert str(first["status"]) == "NEEDS-ACTION"
    assert "Owner: ana" in str(first["description"])
    assert str(second["status"]) == "COMPLETED"
    assert str(second["related-to"]) == "incident-2022-07-19-lon@barograph"


def test_actions_keep_their_names_when_others_come_before_them() -> None:
    def uids(actions: list[dict[str, Any]]) -> list[str]:
        return [str(each["uid"]) for each in parsed(ics.of_actions("i", "t", actions, at=None), "VTODO")]

    assert uids(ACTIONS) == uids([{**ACTIONS[0], "done": True, "due": None}, ACTIONS[1]])
    assert uids(ACTIONS)[1] == uids([{"text": "new"}, *ACTIONS])[2]
    assert len(set(uids([ACTIONS[0], ACTIONS[0]]))) == 2


@given(st.text(max_size=400))
def test_lines_are_75_bytes_at_most_and_a_strangers_text_stays_text(text: str) -> None:
    named = replace(incident(), title=HOSTILE + text, sites=(text or "a,b;c",))
    content = ics.of_incidents([named], address=lambda _: f"https://x.example/\r\nX:{text}")
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    [event] = parsed(content, "VEVENT")
    assert not event.subcomponents
    assert "url" not in event
    assert str(event["summary"]).startswith('a;b,c\\d BEGIN:VALARM END:VEVENT "q" \ufffd ünï 火災 xxx')


def test_a_calendar_without_events_is_one_that_parsers_take() -> None:
    assert parsed(ics.of_incidents([]), "VTIMEZONE")


@pytest.mark.parametrize("shown", [incident(), incident(resolved_at=None)])
def test_equal_records_give_equal_bytes(shown: Any) -> None:
    assert ics.of_incidents([shown]) == ics.of_incidents([replace(shown)])
