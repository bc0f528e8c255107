"""The log of askings is bounded, and what coverage says of the past stays true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from incidents.feeds import asked, polls
from incidents.feeds.asked import Record, Run
from incidents.feeds.polls import ASKED, Asking, Came
from incidents.feeds.retention import AT_ONCE, IN_SUM, Kept, alike, by, keep_bounded
from incidents.model import Request, Source
from incidents.store import Store
from service import settings

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVERY = 5 * MINUTE
ASKING = Asking("sky", Request("https://feed.example/x"), EVERY)
SOURCE = Source("sky", "generic_feed", url="https://feed.example/x")

runs = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 60), st.sampled_from(["answered", "unchanged", "failed"])), max_size=30
)


def made(steps: list[tuple[int, int, str]]) -> list[Kept]:
    at, found = NOW, []
    for n, (pause, length, outcome) in enumerate(steps):
        at += pause * MINUTE
        reason = "answered 500" if outcome == "failed" else None
        found.append(Kept((n,), outcome, at, at + length * MINUTE, 1 + length // 5, 300, n, reason))
        at += length * MINUTE
    return found


def silences(kept: list[Kept], until: datetime) -> list[tuple[datetime, datetime, str | None]]:
    told = [Run(one.first_at, one.last_at, EVERY, one.reason if one.outcome == "failed" else None) for one in kept]
    return asked.silences(Record(None, told, kept[0].first_at if kept else None, goes_on=True), NOW, until)


@given(runs)
def test_summing_what_went_alike_changes_no_silence(steps: list[tuple[int, int, str]]) -> None:
    before, until = made(steps), NOW + timedelta(days=3)
    after = alike(before)
    assert silences(after, until) == silences(before, until)
    assert sum(one.count for one in after) == sum(one.count for one in before)
    assert sorted(n for one in after for n in one.ids) == list(range(len(steps)))


@given(runs)
def test_what_is_summed_by_force_never_hides_a_silence(steps: list[tuple[int, int, str]]) -> None:
    before, until = made(steps), NOW + timedelta(days=3)
    after = by(before, lambda _: None)
    assert len(after) <= 1
    hidden = asked.without(
        [(a, b) for a, b, _ in silences(before, until)], [(a, b) for a, b, _ in silences(after, until)]
    )
    assert hidden == []


def test_an_answer_in_quarantine_is_kept_for_itself() -> None:
    good = Kept((1,), "answered", NOW, NOW, 1, 300, 7)
    odd = Kept((2,), "answered", NOW + EVERY, NOW + EVERY, 1, 300, 8, is_readable=False)
    assert len(alike([good, odd])) == 2


def filled(store: Store, days: int, *, failing: bool = False) -> None:
    """An answer that is always new every five minutes; every other one fails where that is asked for."""
    with store.writing() as connection:
        polls.sync(connection, {("sky", ASKING.id): ASKING}, NOW, 0.0)
        rows = [
            {
                "source": "sky", "request": ASKING.id, "site": None, "first_at": NOW - n * EVERY, "count": 1,
                "last_at": NOW - n * EVERY, "every_seconds": 300, "delivery_id": n, "since": None, "until": None,
                "outcome": "failed" if failing and n % 2 else "answered",
                "reason": f"answered {500 + n}" if failing and n % 2 else None,
            }
            for n in range(days * 288, -1, -1)
        ]  # fmt: skip
        for start in range(0, len(rows), 5_000):
            connection.execute(sa.insert(ASKED), rows[start : start + 5_000])


def counted(store: Store) -> tuple[int, int]:
    with store.reading() as connection:
        rows, times = connection.execute(sa.select(sa.func.count(), sa.func.sum(ASKED.c.count))).one()
    return rows, int(times)


def gaps(store: Store, since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    with store.reading() as connection:
        return [(gap.since, gap.until) for gap in asked.gaps_of(connection, SOURCE, "grid", since, until)]


def test_old_askings_are_summed_and_young_ones_are_not(store: Store) -> None:
    filled(store, days=12)
    rows, times = counted(store)
    assert rows > 3 * AT_ONCE
    with store.writing() as connection:
        hole = (NOW - timedelta(days=9), NOW - timedelta(days=8))
        connection.execute(sa.delete(ASKED).where(ASKED.c.first_at > hole[0], ASKED.c.first_at < hole[1]))
    _, times = counted(store)
    before = gaps(store, NOW - timedelta(days=12), NOW)
    assert len(before) == 1
    gone = keep_bounded(store, NOW, days=3, rows=10**6)
    left, still = counted(store)
    assert (left, still) == (3 * 288 + 1 + 2, times)
    assert gone > 2_000
    assert gaps(store, NOW - timedelta(days=12), NOW) == before
    with store.writing() as connection:
        polls.note(connection, ASKING, Came("answered"), 0, NOW + EVERY)
    assert gaps(store, NOW - timedelta(days=12), NOW + EVERY) == before
    assert keep_bounded(store, NOW, days=3, rows=10**6) == 0


def test_too_many_rows_are_summed_by_the_day_and_then_in_all(store: Store) -> None:
    filled(store, days=10, failing=True)
    _, times = counted(store)
    keep_bounded(store, NOW, days=30, rows=400)
    left, still = counted(store)
    assert left <= 288 + 2 + 10
    assert still == times
    (first, *_) = gaps(store, NOW - timedelta(days=9), NOW - timedelta(days=2))
    assert first[1] - first[0] > timedelta(days=1)  # unknown, not calm
    keep_bounded(store, NOW, days=30, rows=10)
    assert counted(store) == (288 + 2, times)
    with store.reading() as connection:
        assert connection.execute(sa.select(ASKED.c.reason).order_by(ASKED.c.id).limit(1)).scalar() == IN_SUM


@pytest.mark.parametrize(("name", "text"), [("ASKED_DAYS", "0"), ("ASKED_DAYS", "x"), ("ASKED_ROWS", "999")])
def test_bounds_that_are_none_are_refused(name: str, text: str) -> None:
    with pytest.raises(settings.SettingsError, match=name):
        settings.read({}, {f"BAROGRAPH_{name}": text})
