"""Times in words, and ticks that are round in the reader's zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dashboards import axis
from dashboards.axis import zone_of
from dashboards.typeface import width

LONDON, KATHMANDU = zone_of("Europe/London"), zone_of("Asia/Kathmandu")
DAY = datetime(2022, 7, 19, 8, tzinfo=UTC)
ZONES = ["UTC", "Europe/London", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca"]


def words(since: datetime, until: datetime, zone: str, pixels: float) -> list[str]:
    return [tick.words for tick in axis.ticks(since, until, zone_of(zone), pixels)]


def test_hours_are_told_with_the_day_at_the_first_and_at_midnight() -> None:
    found = axis.ticks(DAY, DAY + timedelta(hours=17), LONDON, 1222)
    assert [tick.words for tick in found][:3] == ["09:00", "10:00", "11:00"]
    assert [(tick.words, tick.beneath) for tick in found if tick.beneath] == [
        ("09:00", "Tue 19 Jul"),
        ("00:00", "Wed 20 Jul"),
    ]
    assert [tick.level for tick in found if tick.words == "00:00"] == [2]


def test_ticks_are_round_where_the_offset_is_not() -> None:
    found = words(DAY, DAY + timedelta(hours=12), "Asia/Kathmandu", 900)
    assert found[0] == "14:00"
    assert all(tick.endswith(":00") for tick in found)


def test_repeated_hour_is_told_twice_and_in_order() -> None:
    since = datetime(2022, 10, 29, 23, tzinfo=UTC)
    found = axis.ticks(since, since + timedelta(hours=5), LONDON, 900)
    assert [tick.words for tick in found] == [
        "00:00", "00:30", "01:00", "01:30", "01:00", "01:30", "02:00", "02:30", "03:00", "03:30", "04:00",
    ]  # fmt: skip
    assert [tick.at for tick in found] == sorted(tick.at for tick in found)


def test_skipped_hour_is_not_told() -> None:
    since = datetime(2022, 3, 26, 23, tzinfo=UTC)
    assert "01:00" not in words(since, since + timedelta(hours=6), "Europe/London", 600)


def test_change_of_the_clock_names_both_offsets() -> None:
    since = datetime(2022, 10, 29, 20, tzinfo=UTC)
    (change,) = axis.clock_changes(since, since + timedelta(hours=12), LONDON)
    assert change.at == datetime(2022, 10, 30, 1, tzinfo=UTC)
    assert change.words == "UTC+1 \u2192 UTC"
    assert axis.clock_changes(DAY, DAY + timedelta(days=3), LONDON) == []


def test_minutes_and_months_have_their_own_words() -> None:
    assert words(DAY, DAY + timedelta(minutes=1), "Europe/London", 300)[:2] == ["09:00:00", "09:00:15"]
    assert words(DAY, DAY + timedelta(days=400), "UTC", 600) == ["Oct", "Jan", "Apr", "Jul"]


@given(
    st.integers(315_532_800, 3_471_292_800),
    st.floats(1, 3e8),
    st.sampled_from(ZONES),
    st.sampled_from([150, 292, 900, 1222]),
)
def test_ticks_never_touch_and_stay_inside(second: int, seconds: float, zone: str, pixels: float) -> None:
    since = datetime.fromtimestamp(second, UTC)
    until = since + timedelta(seconds=seconds)
    found = axis.ticks(since, until, zone_of(zone), pixels)
    assert all(since <= tick.at <= until for tick in found)
    for row in ("words", "beneath"):
        ends = [
            ((tick.at - since).total_seconds() / seconds * pixels, width(getattr(tick, row), 11, 600) / 2)
            for tick in found
            if getattr(tick, row)
        ]
        for (here, half), (there, other) in pairwise(ends):
            assert here + half + 2 <= there - other


def test_zones_are_named_with_their_offset() -> None:
    assert axis.zone_words(DAY, LONDON) == "BST, UTC+1"
    assert axis.zone_words(DAY, KATHMANDU) == "UTC+5:45"
    assert axis.zone_words(DAY, zone_of("UTC")) == "UTC"
    assert axis.zone_letters(DAY, LONDON) == "BST"


def test_moments_carry_their_day_when_it_differs() -> None:
    assert axis.moment(DAY, LONDON, DAY) == "09:00"
    assert axis.moment(DAY + timedelta(days=2), LONDON, DAY) == "21 Jul 09:00"
    assert axis.moment(DAY.replace(year=2021), LONDON, DAY) == "19 Jul 2021 09:00"


def test_ends_of_the_calendar_are_told() -> None:
    assert axis.clock(datetime(1, 1, 1, tzinfo=UTC), zone_of("America/St_Johns")) == "00:00"
