"""How often the like of a hazard was on at this place, season and hour, by our own record of it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from incidents.model import BaseRate

LEAST_DAYS: Final = 60
"""Days of the same season on record below which the record is too short, and a shipped prior stands in."""
SEASON_DAYS: Final = 15
_DAY: Final = timedelta(days=1)
_MOST_YEARS: Final = 60


@dataclass(frozen=True, slots=True)
class Record:
    """When the like of a hazard was on at a place; `since` is from when on the place's record can be trusted."""

    since: datetime
    stretches: tuple[tuple[datetime, datetime | None], ...]
    """(start, end) of each, in any order; None where it is on still."""


def rate_of(record: Record | None, at: datetime) -> BaseRate | None:
    """The share of days within 15 days of this date, in the years on record, on which one was on at this hour.

    The last day before `at` does not count: what is weighed must not speak for itself. None where the record is short.
    """
    if record is None:
        return None
    merged = _merged(record.stretches)
    starts = [since for since, _ in merged]
    days = on = 0
    for moment in _same_season(record.since, at):
        days += 1
        nth = bisect_right(starts, moment) - 1
        on += nth >= 0 and moment < merged[nth][1]
    if days < LEAST_DAYS:
        return None
    sentence = (
        f"The like was on at this place on {on:,} of {days:,} days within {SEASON_DAYS} days of this date at "
        f"{at:%H:%M} UTC, since {record.since:%B %Y}, by our own record."
    )
    return BaseRate(on / days, days, "record", sentence)


def seasons(since: datetime, at: datetime) -> list[tuple[datetime, datetime]]:
    """The days around this date in each year on record, as (first, last)."""
    centres = [_in_year(at, year) for year in range(max(since.year - 1, at.year - _MOST_YEARS, 1), at.year + 1)]
    return [(centre - SEASON_DAYS * _DAY, centre + SEASON_DAYS * _DAY) for centre in centres]


def _same_season(since: datetime, at: datetime) -> Iterable[datetime]:
    """The same time of day on the days around this date in each year on record, without the day before `at`."""
    for first, _ in seasons(since, at):
        centre = first + SEASON_DAYS * _DAY
        for away in range(-SEASON_DAYS, SEASON_DAYS + 1):
            moment = centre + away * _DAY
            if since <= moment < at - _DAY:
                yield moment


def _in_year(at: datetime, year: int) -> datetime:
    """The same date in another year; 29 February is the 28th where there is none."""
    try:
        return at.replace(year=year)
    except ValueError:
        return at.replace(year=year, day=28)


def _merged(stretches: Iterable[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime]]:
    """The stretches without overlaps, in order."""
    merged: list[tuple[datetime, datetime]] = []
    for since, said in sorted(stretches, key=lambda stretch: stretch[0]):
        until = said or datetime.max.replace(tzinfo=since.tzinfo)
        if merged and since <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], until)
        else:
            merged.append((since, until))
    return merged
