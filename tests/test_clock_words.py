"""The grammar of times: what is read, where it stops making sense, and the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import clock_words
from incidents.clock_words import PlaceError

NOW = datetime(2026, 7, 15, 13, 45, 30, 500_000, tzinfo=UTC)  # a Wednesday
ZONES = (
    "UTC",
    "Europe/London",
    "America/New_York",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
)
a_zone = st.sampled_from(ZONES)
an_instant = st.datetimes(min_value=datetime(1995, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # given a zone beside
a_unit = st.sampled_from(clock_words.UNITS.split())


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-07-15T13:45:30.500Z"),
        ("now-6h", "2026-07-15T07:45:30.500Z"),
        ("now+30m", "2026-07-15T14:15:30.500Z"),
        ("now-90s", "2026-07-15T13:44:00.500Z"),
        ("now-2w", "2026-07-01T13:45:30.500Z"),
        ("now-h", "2026-07-15T12:45:30.500Z"),
        ("now-1M", "2026-06-15T13:45:30.500Z"),
        ("now-5M/M", "2026-02-01T00:00:00Z"),
        ("now-1y", "2025-07-15T13:45:30.500Z"),
        ("now/h", "2026-07-15T13:00:00Z"),
        ("now/d", "2026-07-15T00:00:00Z"),
        ("now/w", "2026-07-13T00:00:00Z"),
        ("now/M", "2026-07-01T00:00:00Z"),
        ("now/y", "2026-01-01T00:00:00Z"),
        ("now-1d/d", "2026-07-14T00:00:00Z"),
        ("now/d+9h", "2026-07-15T09:00:00Z"),
        (" now-1d/d ", "2026-07-14T00:00:00Z"),
        ("2026-03-01T14:00:00Z", "2026-03-01T14:00:00Z"),
        ("2026-03-01T14:00:00+02:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01 14:00", "2026-03-01T14:00:00Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("1767225600000", "2026-01-01T00:00:00Z"),
        ("1767225600", "2026-01-01T00:00:00Z"),
    ],
)
def test_what_is_meant(text: str, meant: str) -> None:
    assert clock_words.read(text, now=NOW) == at(meant)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("now/d", "2026-07-16"), ("now-1d/d", "2026-07-15"), ("now/M", "2026-08-01"), ("now/y", "2027-01-01")],
)
def test_the_end_of_a_window_is_rounded_to_the_end_of_its_unit(text: str, meant: str) -> None:
    assert clock_words.read(text, now=NOW, end=True) == at(f"{meant}T00:00:00Z")


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("now-6x", 6, "a unit of s m h d w M y is expected, not 'x'"),
        ("now-", 5, "nothing follows"),
        ("now-12", 7, "nothing follows"),
        ("now6h", 4, "+, - or / is expected, not '6'"),
        ("now-1d/q", 8, "not 'q'"),
        ("now/", 5, "nothing follows"),
        ("now-1234567h", 5, "six digits"),
        ("now-999999y", 4, "beyond the calendar"),
        ("now-100y", 1, "before 1970"),
        ("2026-03-1x", 10, "is expected"),
        ("2026/13/01", 5, "is expected"),
        ("yesterday", 1, "now-6h"),
        ("  noon", 3, "now-6h"),
        ("", 1, "an instant"),
        ("n" * 101, 101, "longer"),
        ("now-٣h", 5, "not '٣'"),
    ],
)
def test_errors_name_the_place(text: str, place: int, told: str) -> None:
    with pytest.raises(PlaceError, match="character") as raised:
        clock_words.read(text, now=NOW)
    assert raised.value.place == place
    assert told in str(raised.value)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_is_as_long_as_its_zone_makes_it(day: str, hours: int) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=ZoneInfo("Europe/London"))
    first, last = (clock_words.read("now/d", now=noon, zone="Europe/London", end=end) for end in (False, True))
    assert last - first == timedelta(hours=hours)


def test_a_day_earlier_is_the_same_time_on_the_wall() -> None:
    zone = ZoneInfo("Europe/London")
    monday = datetime(2026, 3, 30, 9, 0, tzinfo=zone)
    assert clock_words.read("now-2d", now=monday, zone="Europe/London") == datetime(2026, 3, 28, 9, 0, tzinfo=zone)
    assert clock_words.read("now-48h", now=monday, zone="Europe/London") == datetime(2026, 3, 28, 8, 0, tzinfo=zone)


def test_a_month_earlier_ends_with_the_shorter_month() -> None:
    last = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert clock_words.read("now-1M", now=last) == datetime(2026, 2, 28, 12, tzinfo=UTC)


def test_an_hour_that_comes_twice_is_two_hours() -> None:
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # 01:30 for the second time in London
    assert clock_words.read("now/h", now=second, zone="Europe/London") == datetime(2026, 10, 25, 1, tzinfo=UTC)


@given(an_instant, a_unit, a_zone)
def test_rounding_goes_to_a_beginning_and_stays_there(now: datetime, unit: str, zone: str) -> None:
    begun = clock_words.read(f"now/{unit}", now=now, zone=zone)
    ended = clock_words.read(f"now/{unit}", now=now, zone=zone, end=True)
    assert begun <= now < ended
    assert clock_words.floor(begun, unit, zone) == begun


@given(an_instant, an_instant, a_unit, a_zone)
def test_rounding_keeps_the_order(one: datetime, other: datetime, unit: str, zone: str) -> None:
    first, second = sorted([one, other])
    assert clock_words.floor(first, unit, zone) <= clock_words.floor(second, unit, zone)


@given(an_instant, st.integers(0, 400), st.sampled_from("smhdw"), a_zone)
def test_back_and_forth_is_nearly_where_it_began(now: datetime, amount: int, unit: str, zone: str) -> None:
    back = clock_words.read(f"now-{amount}{unit}", now=now, zone=zone)
    assert back <= now
    again = clock_words.read(f"now+{amount}{unit}", now=back, zone=zone)
    # A wall clock time that is left out or comes twice is the one exception, and it is off by the change alone.
    assert abs(again - now) <= timedelta(hours=24 if zone == "Pacific/Apia" else 1 if unit in "dw" else 0)


@given(st.text(max_size=30) | st.text("now+-/0123456789smhdwMyQT:Z ", max_size=20).map("now".__add__), a_zone)
def test_anything_is_an_instant_or_an_error_with_a_place(text: str, zone: str) -> None:
    try:
        found = clock_words.read(text, now=NOW, zone=zone)
    except PlaceError as error:
        assert 1 <= error.place <= len(text) + 1  # noqa: PT017  # either outcome is right
    else:
        assert found.tzinfo is UTC
