"""Stretches of the calendar that a report speaks of: a month, a quarter, a year, or from one day to another. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Every = Literal["month", "quarter", "year"]
EVERY: tuple[Every, ...] = get_args(Every)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_NAMED = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|[Qq]([1-4])))?", re.ASCII)
_IN_FULL = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """From one local midnight to the last microsecond before another; `name` is fit for the name of a file."""

    name: str
    title: str
    since: datetime
    until: datetime


def named(text: str, zone: str, now: datetime) -> Period:
    """`2026-10`, `2026-Q3`, `2026`, `last-month`, `last-quarter` or `last-year`, in a zone. Raises ValueError."""
    if text.startswith("last-") and text[5:] in _MONTHS:
        return last(text[5:], zone, now)  # type: ignore[arg-type]  # one of the three
    found = _NAMED.fullmatch(text)
    if found is None or found[1] == "0000":
        raise ValueError("a month (2026-10), a quarter (2026-Q3), a year (2026) or last-month is expected")
    year, month, quarter = int(found[1]), found[2], found[3]
    if month:
        return _of(year, int(month), "month", zone)
    return _of(year, 3 * int(quarter) - 2, "quarter", zone) if quarter else _of(year, 1, "year", zone)


def last(every: Every, zone: str, now: datetime) -> Period:
    """The last whole month, quarter or year before now."""
    return latest(every, zone, now, 1)[0]


def latest(every: Every, zone: str, now: datetime, most: int) -> list[Period]:
    """So many whole months, quarters or years before now, the last one first."""
    today, months = now.astimezone(ZoneInfo(zone)), _MONTHS[every]
    begun = today.year * 12 + (today.month - 1) // months * months
    found = [begun - n * months for n in range(1, most + 1)]
    return [_of(first // 12, first % 12 + 1, every, zone) for first in found]


def between(first: date, final: date, zone: str) -> Period:
    """From the beginning of one local day to the end of another. Raises ValueError where they lie the other way."""
    if final < first:
        raise ValueError("the last day lies before the first")
    title = f"{_day(first)} to {_day(final)}" if final != first else _day(first)
    return Period(f"{first}-{final}", title, _midnight(first, zone), _before(final + timedelta(days=1), zone))


def _of(year: int, month: int, every: Every, zone: str) -> Period:
    following = year * 12 + month - 1 + _MONTHS[every]
    if not 1 <= year <= 9998:
        raise ValueError("the year: one from 1 to 9998 is expected")
    names = {
        "month": (f"{year:04}-{month:02}", f"{_IN_FULL[month - 1]} {year}"),
        "quarter": (f"{year:04}-Q{(month + 2) // 3}", f"{year}, quarter {(month + 2) // 3}"),
        "year": (f"{year:04}", f"{year}"),
    }
    first, after = date(year, month, 1), date(following // 12, following % 12 + 1, 1)
    return Period(*names[every], _midnight(first, zone), _before(after, zone))


def _midnight(day: date, zone: str) -> datetime:
    try:
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, time(), UTC)


def _before(day: date, zone: str) -> datetime:
    return _midnight(day, zone) - timedelta(microseconds=1)


def _day(day: date) -> str:
    return f"{day.day} {_IN_FULL[day.month - 1]} {day.year}"
