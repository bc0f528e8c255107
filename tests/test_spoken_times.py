"""Times in providers' texts: what they say, what they leave open, and that nothing is guessed in silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.model import Area, Occurrence, Post, Severity
from incidents.spoken_times import HOMES, SpokenTime, home_of, spoken_times, times_of, told

NEAR = datetime(2022, 7, 19, 17, 13, tzinfo=UTC)
LA = "America/Los_Angeles"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def one(text: str, home: str | None = None, regions: tuple[str, ...] = (), **options: datetime) -> SpokenTime:
    (found,) = spoken_times(text, NEAR, home, regions, **options)
    return found


@pytest.mark.parametrize(
    ("text", "words", "at", "until"),
    [
        ("[09:15 PDT] errors", "09:15 PDT", "2022-07-19T16:15", None),
        ("at 9:15 AM PDT,", "9:15 AM PDT", "2022-07-19T16:15", None),
        ("by 12:00 AM PDT.", "12:00 AM PDT", "2022-07-19T07:00", None),
        ("by 12:30 p.m. PDT", "12:30 p.m. PDT", "2022-07-19T19:30", None),
        ("since 3 PM CEST", "3 PM CEST", "2022-07-19T13:00", None),
        ("[20:43 US/Pacific]", "20:43 US/Pacific", "2022-07-20T03:43", None),
        ("at 14:00 (UTC+5:30)", "14:00 (UTC+5:30)", "2022-07-19T08:30", None),
        ("at 14:00 UTC-3", "14:00 UTC-3", "2022-07-19T17:00", None),
        ("at 18:00 Europe/Berlin", "18:00 Europe/Berlin", "2022-07-19T16:00", None),
        ("16:30Z", "16:30Z", "2022-07-19T16:30", None),
        ("between 06:00 and 08:15 US/Pacific", None, "2022-07-19T13:00", "2022-07-19T15:15"),
        ("from 23:50 to 00:20 UTC", "23:50 to 00:20 UTC", "2022-07-19T23:50", "2022-07-20T00:20"),
        ("2022-07-20, 04:28 PDT", "2022-07-20, 04:28 PDT", "2022-07-20T11:28", None),
        ("Wednesday, 2022-07-20 at 05:30 PDT", None, "2022-07-20T12:30", None),
        ("9:00 PM PST on March 2, 2026, or", "9:00 PM PST on March 2, 2026", "2026-03-03T05:00", None),
        ("by March 3 2:00 AM PST, or", "March 3 2:00 AM PST", "2022-03-03T10:00", None),
        ("On Tuesday, 14 July 2026 from 10:00 to 20:40 US/Pacific", None, "2026-07-14T17:00", "2026-07-15T03:40"),
        ("from 16:39 to 16 July 2026 07:34 US/Pacific", None, "2026-07-15T23:39", "2026-07-16T14:34"),
    ],
)
def test_a_time_becomes_an_instant_and_keeps_its_words(
    text: str, words: str | None, at: str, until: str | None
) -> None:
    found = one(text)
    assert found.at == utc(at)
    assert found.until == (utc(until) if until else None)
    assert found.doubt is None
    assert found.words in " ".join(text.split())
    assert words is None or found.words == words


@pytest.mark.parametrize(
    "text",
    ["at 09:15", "version 1:23", "25:00 UTC", "13:00 PM PDT", "12:61 UTC", "ratio 16:9", "2022-07-19T16:15:00Z", ""],
)
def test_what_has_no_zone_or_is_no_clock_is_not_read(text: str) -> None:
    assert spoken_times(text, NEAR, LA) == ()


def test_two_times_joined_by_and_are_two_and_no_range() -> None:
    first, second = spoken_times("as of Thursday, 2022-07-21 02:31 PDT and 01:00 PDT respectively", NEAR)
    assert (first.at, first.until) == (utc("2022-07-21T09:31"), None)
    assert second.words == "01:00 PDT"


@pytest.mark.parametrize(
    ("text", "home", "regions", "at", "doubt"),
    [
        ("15:30 BST", None, (), None, "BST names several zones"),
        ("15:30 BST", LA, (), None, "BST names several zones"),
        ("15:30 BST on 19 July", LA, ("Europe/London",), "2022-07-19T14:30", "by its region"),
        ("15:30 BST", "Asia/Dhaka", ("Europe/London",), "2022-07-19T09:30", "where its provider writes"),
        ("15:30 IST", None, ("Asia/Kolkata", "Europe/Dublin"), None, "IST names several zones"),
        ("15:30 IST", None, ("Asia/Kolkata",), "2022-07-19T10:00", "by its region"),
        ("11:30 CST", LA, (), "2022-07-19T17:30", "America/Chicago"),
        ("21:30 CST", None, ("Asia/Shanghai",), "2022-07-19T13:30", "by its region"),
        ("11:30 CST", None, (), None, "CST names several zones"),
        ("09:15 PST", LA, (), "2022-07-19T16:15", "PST said in summer"),
        ("09:15 PST", None, (), "2022-07-19T17:15", None),
    ],
)
def test_an_abbreviation_of_several_zones_is_settled_by_its_writer_or_left_open(
    text: str, home: str | None, regions: tuple[str, ...], at: str | None, doubt: str | None
) -> None:
    found = one(text, home, regions)
    assert found.at == (utc(at) if at else None)
    assert (found.doubt is None) == (doubt is None)
    assert (doubt or "") in (found.doubt or "")


def test_a_clock_that_may_be_of_two_days_is_left_open() -> None:
    recent, long = NEAR - timedelta(hours=3), NEAR - timedelta(days=2)
    assert one("repaired at 14:13 PDT", since=recent).at == utc("2022-07-19T21:13")
    left_open = one("repaired at 14:13 PDT", since=long)
    assert (left_open.at, left_open.doubt) == (None, "no day is written")
    assert one("repaired 18 July 2022, 14:13 PDT", since=long).at == utc("2022-07-18T21:13")


def test_a_clock_of_the_hour_that_spring_leaves_out_is_no_time() -> None:
    assert spoken_times("2022-03-13 02:30 US/Pacific", NEAR) == ()


def occurrence(region: str, **fields: object) -> Occurrence:
    return Occurrence(
        "o",
        "s",
        "k",
        "provider_incident",
        "t",
        Severity.ERROR,
        NEAR,
        area=Area(regions=(region,)),
        **fields,  # type: ignore[arg-type]
    )


def test_the_home_and_the_regions_of_an_incident_settle_its_posts() -> None:
    oracle = occurrence("oci:uk-london-1")
    assert home_of(oracle) is None
    assert home_of(occurrence("gcp:europe-west2")) == HOMES["gcp"] == LA
    (found,) = times_of(Post(NEAR, "since 15:30 BST"), oracle)
    assert found.at == utc("2022-07-19T14:30")
    (aws,) = times_of(Post(NEAR, "since 11:30 AM CST"), occurrence("aws:cn-north-1"))
    assert "America/Chicago" in (aws.doubt or "")


def test_what_is_told_names_both_clocks_and_leaves_utc_alone() -> None:
    text = "since 09:15 PDT, seen 16:20 UTC, next 2022-07-20 01:00 PDT, 15:30 BST, and 10:00 PDT"
    words = told(spoken_times(text, NEAR), NEAR)
    first, second, third, more = words.split("; ")
    assert (first, second) == ("09:15 PDT = 16:15 UTC", "2022-07-20 01:00 PDT = 20 July 08:00 UTC")
    assert (third, more) == ("15:30 BST = unknown: BST names several zones", "1 more")
    assert told(spoken_times("16:20 UTC", NEAR), NEAR) == ""


@given(st.text(st.sampled_from("0123456789:-, ()APMTUCZDIBSJulyand/"), max_size=120))
def test_any_text_is_read_and_every_instant_stands_in_order(text: str) -> None:
    for found in spoken_times(text, NEAR, LA):
        assert found.words
        assert found.at is None or found.at.tzinfo is UTC
        assert found.until is None or (found.at is not None and found.at <= found.until)
        assert found.at is not None or found.doubt
