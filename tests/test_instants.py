"""Instants as senders write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents import instants

AT = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
SECONDS = 1_795_168_800


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20T10:00:00Z",
        "2026-11-20T10:00:00.0Z",
        "2026-11-20T10:00:00.000000000Z",
        "2026-11-20t10:00:00z",
        "2026-11-20 10:00:00Z",
        "2026-11-20 10:00:00 Z",
        "2026-11-20T10:00Z",
        "2026-11-20T12:00:00+02:00",
        "2026-11-20T12:00:00+0200",
        "2026-11-20T12:00:00+02",
        "2026-11-20T11:00:00+01.00",
        "2026-11-20T04:30:00-05:30",
        "2026-11-20T10:00:00+0000",
        "2026-11-20T10:00:00-00:00",
        "2026-11-20T10:00:00",
        "2026-11-20 10:00:00",
        "2026-11-20 10:00:00 UTC",
        "2026/11/20 10:00:00 GMT",
        "2026-11-20 10:00:00 +0000 UTC",
        "2026-11-20 11:00:00 +0100 CET m=+0.002",
        "Fri, 20 Nov 2026 10:00:00 GMT",
        "Fri, 20 Nov 2026 02:00:00 PST",
        "20 Nov 2026 11:00:00 +0100",
        "Friday, 20-Nov-2026 10:00:00 UTC",
        "  2026-11-20T10:00:00Z\n",
        SECONDS,
        float(SECONDS),
        str(SECONDS),
        f"{SECONDS}.0",
        SECONDS * 10**3,
        f"{SECONDS}000",
        SECONDS * 10**6,
        SECONDS * 10**9,
        f"{SECONDS}000000000",
    ],
)
def test_one_instant_in_the_ways_it_is_written(written: object) -> None:
    assert instants.parse(written) == AT
    assert instants.parse(written).tzinfo is UTC  # type: ignore[union-attr]  # the line above says it is there


@pytest.mark.parametrize(
    ("written", "microsecond"),
    [
        ("2026-11-20T10:00:00.1Z", 100_000),
        ("2026-11-20T10:00:00,25+00:00", 250_000),
        ("2026-11-20T10:00:00.123456789Z", 123_456),
        ("2026-11-20T10:00:00.9999999Z", 999_999),
        ("2026-11-20 10:00:00.266529825 +0000 UTC", 266_529),
        (1_795_168_800.5, 500_000),
        ("1795168800.1234569", 123_456),
        (SECONDS * 10**9 + 123_456_999, 123_456),
        (SECONDS * 10**3 + 7, 7_000),
    ],
)
def test_precision_is_cut_and_not_rounded(written: object, microsecond: int) -> None:
    assert instants.parse(written) == AT.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    "absent",
    [
        None, "", "  ", "None", "null", "NIL", 0, 0.0, "0", -1, "-1", "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "0001-01-01 00:00:00 +0000 UTC", "0000-00-00 00:00:00", "1970-01-01T00:00:00Z",
    ],
)  # fmt: skip
def test_senders_ways_of_saying_no_time(absent: object) -> None:
    assert instants.parse(absent) is None


@pytest.mark.parametrize(
    ("unreadable", "reason"),
    [
        ("yesterday", "not an instant: 'yesterday'"),
        ("2026-13-01T00:00:00Z", "month must be in 1..12"),
        ("2026-02-30T00:00:00Z", "day is out of range"),
        ("2026-02-28T25:00:00Z", "hour must be in 0..23"),
        ("2026-02-28T00:00:61Z", "second must be in 0..59"),
        ("9999-12-31T23:59:59-05:00", "date value out of range"),
        ("2026-02-28T00:00:00+99:00", "offset must be"),
        ("2026-02-28T00:00:00 IST", "the zone IST is ambiguous"),
        ("Fri, 20 Foo 2026 10:00:00 GMT", "no month is called Foo"),
        ("٢٠٢٦-11-20T10:00:00Z", "not an instant"),
        ("{EVENT.TIME}", "not an instant"),
        ("9" * 500, "not an instant: '999"),
        ("9" * 24, "not an instant: 99999"),
        (10**30, "not an instant: 1000"),
        (1e300, "not an instant"),
        (float("nan"), "not an instant: nan"),
        (float("-inf"), "not an instant: -inf"),
        (True, "not an instant: true or false"),
        ({"at": 1}, "not an instant: an object"),
        ([1], "not an instant: a list"),
        (b"x", "not an instant"),
    ],
)
def test_what_cannot_be_read_is_a_value_error_with_a_reason(unreadable: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        instants.parse(unreadable)


def test_a_leap_second_is_the_last_microsecond_before_it() -> None:
    last = datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert instants.parse("2016-12-31T23:59:60Z") == last
    assert instants.parse("2016-12-31T23:59:60.5Z") == last
    assert instants.parse("2016-12-31 18:59:60 -0500 EST") == last


def test_a_time_without_a_zone_is_in_the_declared_one() -> None:
    assert instants.parse("2026-07-20 10:00:00", zone="America/Los_Angeles") == datetime(2026, 7, 20, 17, tzinfo=UTC)
    assert instants.parse("2026-07-20T10:00:00Z", zone="America/Los_Angeles") == datetime(2026, 7, 20, 10, tzinfo=UTC)
    assert instants.parse(SECONDS, zone="America/Los_Angeles") == AT


def test_the_repeated_hour_is_the_first_and_the_skipped_one_goes_on_as_before() -> None:
    assert instants.parse("2026-10-25 01:30:00", zone="Europe/London") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert instants.parse("2026-03-29 01:30:00", zone="Europe/London") == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "\0", "x" * 5_000])
def test_a_zone_that_does_not_exist_is_a_reason(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone is called"):
        instants.parse("2026-07-20 10:00:00", zone=zone)


def test_text_has_six_digits_and_z_whatever_the_zone() -> None:
    assert instants.text(AT) == "2026-11-20T10:00:00.000000Z"
    assert instants.text(AT.replace(microsecond=7)) == "2026-11-20T10:00:00.000007Z"
    assert instants.text(AT.astimezone(timezone(timedelta(hours=-7)))) == "2026-11-20T10:00:00.000000Z"
    assert instants.text(datetime(33, 1, 1, tzinfo=UTC)) == "0033-01-01T00:00:00.000000Z"
    with pytest.raises(ValueError, match="without a zone"):
        instants.text(AT.replace(tzinfo=None))


FIRST, LAST = datetime(1971, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, tzinfo=UTC)
WITHIN = (FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None))
AWARE = st.datetimes(*WITHIN, timezones=st.just(UTC))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(AWARE, OFFSETS)
def test_what_is_written_is_read_back(at: datetime, offset: timezone) -> None:
    microseconds = (at - instants.EPOCH) // timedelta(microseconds=1)
    assert instants.parse(instants.text(at)) == at
    assert instants.parse(at.astimezone(offset).isoformat()) == at
    assert instants.parse(str(at.astimezone(offset))) == at
    assert instants.parse(f"{microseconds // 10**6}.{microseconds % 10**6:06}") == at
    assert instants.parse(microseconds // 10**6) == at.replace(microsecond=0)
    assert instants.parse(at.strftime("%a, %d %b %Y %H:%M:%S GMT")) == at.replace(microsecond=0)


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())
NEARLY = st.from_regex(
    r"\A[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}"
    r"(\.[0-9]{0,10})?( ?[A-Za-z]{1,4}|[+-][0-9:]{1,6})?\Z"
)


@given(ANYTHING | NEARLY, st.sampled_from([None, "Europe/London", "Pacific/Kiritimati"]))
def test_anything_is_an_instant_or_absent_or_a_value_error(value: object, zone: str | None) -> None:
    at, reason = None, ""
    try:
        at = instants.parse(value, zone=zone)
    except ValueError as error:
        reason = str(error)
    assert len(reason) < 250
    assert at is None or (at.tzinfo is UTC and instants.parse(instants.text(at)) == at)
