"""Retelling: what is left out of a subject's statements changes neither its occurrences nor its lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incidents import timeline
from incidents.model import Event, Occurrence, Post, Said, Severity
from incidents.records import said_of, statement_text
from incidents.retelling import telling
from incidents.spoken import digest
from incidents.views.view import Line
from tests.world import DAY


@dataclass(frozen=True, slots=True)
class Row:
    """A recorded statement as the table holds it."""

    id: int
    said_at: datetime
    recorded_at: datetime
    digest: str
    statement: str
    source: str = "am"
    delivery_id: int = 1
    adapter: str = "alertmanager@1"


def at(minute: int) -> datetime:
    """The instant so many minutes after the beginning of the day."""
    return DAY + timedelta(minutes=minute)


def row(number: int, event: Event, minute: int, recorded: int) -> Row:
    """An event said at a minute and recorded at one."""
    return Row(number, at(minute), at(recorded), digest(event), statement_text(event, at(minute)))


instants = st.sampled_from([None, at(0), at(0), at(0), at(3), at(6)])
events = st.builds(
    Event,
    key=st.just("k"),
    kind=st.sampled_from(["alert"] * 15 + ["hazard"]),
    title=st.sampled_from(["Down", "Down", "Slow", ""]),
    severity=st.sampled_from([Severity.ERROR, Severity.ERROR, Severity.CRITICAL, Severity.UNKNOWN]),
    starts_at=instants,
    ends_at=instants,
    ends_assumed=st.booleans(),
    ends_expected=st.sampled_from([False, False, True]),
    final=st.booleans(),
    test=st.sampled_from([False, False, True]),
    labels=st.sampled_from([{}, {"a": "1"}, {"a": "2"}]),
    text=st.sampled_from([None, "1", "2", "3", "4", "5"]),
    posts=st.sampled_from([(), (), (), (Post(at(1), "one"),)]),
)
told = st.lists(st.tuples(events, st.integers(0, 9), st.integers(0, 12), st.integers(1, 4)), min_size=1, max_size=8)
"""Events with the minutes at which they are said and recorded, and how often each is said again in other words."""


def rows_of(happens: Iterable[tuple[Event, int, int, int]]) -> list[Row]:
    """Every statement once, as a table with a unique digest holds them."""
    found: dict[str, Row] = {}
    for event, minute, recorded, times in happens:
        for nth in range(times):
            said = replace(event, text=f"{event.text} {nth}" if event.text else None, said_at=at(minute + nth))
            new = row(len(found) + 1, said, minute + nth, recorded + nth)
            found.setdefault(new.digest, new)
    return list(found.values())


def folded(rows: Iterable[Row]) -> list[tuple[Occurrence, list[Line]]]:
    """The occurrences, but for the number of statements, each with its lines, but for the place in their ids."""
    return [
        (replace(item.occurrence, statements=0), [_placeless(line) for line in timeline.occurrence_lines(item)])
        for item in timeline.known([said_of(one) for one in rows], {}, at(1000))
    ]


def _placeless(line: Line) -> Line:
    name, *rest = line.id.split(".")
    return replace(line, id=".".join([name, *rest[:1], *rest[2:]]))


@given(told)
def test_what_is_left_out_changes_nothing_that_is_shown(happens: list[tuple[Event, int, int, int]]) -> None:
    rows = rows_of(happens)
    kept = telling(rows)
    assert {one.id for one in kept} <= {one.id for one in rows}
    assert folded(kept) == folded(rows)


def test_only_the_first_and_the_last_of_a_long_stretch_are_kept() -> None:
    event = Event("k", "alert", "Down", Severity.ERROR, starts_at=at(0), labels={"a": "1"})
    rows = [row(n, replace(event, text=f"value {n}"), n, n) for n in range(100)]
    worse = [row(n, replace(event, text=f"value {n}", severity=Severity.CRITICAL), n, n) for n in range(100, 200)]
    assert [one.id for one in telling([*worse, *rows])] == [0, 99, 100, 199]
    assert isinstance(said_of(rows[0]), Said)


def test_what_came_early_though_said_late_is_kept_for_when_it_was_known() -> None:
    event = Event("k", "alert", "Down", Severity.ERROR, starts_at=at(0))
    rows = [row(n, replace(event, text=f"value {n}"), n, (5, 3, 6, 7)[n]) for n in range(4)]
    assert [one.id for one in telling(rows)] == [0, 1, 3]
