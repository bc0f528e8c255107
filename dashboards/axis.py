"""Instants in words, and the ticks of a time axis in the reader's zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from dashboards.typeface import width

DASH = "\u2013"
MINUS = "\u2212"
THIN = "\u2009"
DEGREE = f"{THIN}\u00b0C"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS_IN_FULL = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905 - reads better
)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOUR, _DAY = 3600, 86400
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, _HOUR, 7200, 10800, 21600, 43200)
_DAY_STEPS = (1, 2, 7, 14)
_MONTH_STEPS = (1, 3, 6, 12, 24, 60, 120, 300)
_KEPT = 8192
"""Instants whose words are kept: drawings of several widths and the next reader ask for the same ones."""
_APART = 60
"""Pixels that two ticks keep from each other at least."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis. `beneath` is a date where the day is new; `level` 2 is a midnight, 1 a stronger line."""

    at: datetime
    words: str
    beneath: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Where the zone's offset changes, with both offsets in words."""

    at: datetime
    words: str


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """The zone of this IANA name."""
    return ZoneInfo(name)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock; at the ends of the calendar, where a zone would fall off it, UTC."""
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at.astimezone(UTC)


@lru_cache(_KEPT)
def clock(at: datetime, zone: ZoneInfo, *, seconds: bool = False) -> str:
    """`14:36`, or `14:36:08`."""
    wall = local(at, zone)
    return f"{wall.hour:02}:{wall.minute:02}" + (f":{wall.second:02}" if seconds else "")


@lru_cache(_KEPT)
def day(at: datetime, zone: ZoneInfo, *, year: bool = False, weekday: bool = False) -> str:
    """`19 Jul`, with its year or its weekday where asked."""
    wall = local(at, zone)
    words = f"{wall.day} {_MONTHS[wall.month - 1]}" + (f" {wall.year}" if year else "")
    return f"{_WEEKDAYS[wall.weekday()]} {words}" if weekday else words


def day_in_full(at: datetime, zone: ZoneInfo) -> str:
    """`19 July 2022`."""
    wall = local(at, zone)
    return f"{wall.day} {_MONTHS_IN_FULL[wall.month - 1]} {wall.year}"


@lru_cache(_KEPT)
def moment(at: datetime, zone: ZoneInfo, beside: datetime) -> str:
    """The clock alone on the day of `beside`, else with its day, and with the year where that differs."""
    here, there = local(at, zone), local(beside, zone)
    if here.date() == there.date():
        return clock(at, zone)
    return f"{day(at, zone, year=here.year != there.year)} {clock(at, zone)}"


def span(since: datetime, until: datetime, zone: ZoneInfo, beside: datetime) -> str:
    """Both ends with a dash between, with days as `moment` gives them."""
    return f"{moment(since, zone, beside)} {DASH} {moment(until, zone, since)}"


def offset(at: datetime, zone: ZoneInfo) -> str:
    """`UTC+1`, `UTC+5:30`, `UTC`."""
    minutes = round((local(at, zone).utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else MINUS
    return "UTC" + (f"{sign}{hours}" + (f":{rest:02}" if rest else "") if minutes else "")


def zone_words(at: datetime, zone: ZoneInfo) -> str:
    """`BST, UTC+1`; the offset alone where the zone has no letters of its own."""
    letters = local(at, zone).tzname() or ""
    known = letters.isalpha() and letters != "UTC"
    return f"{letters}, {offset(at, zone)}" if known else offset(at, zone)


def zone_letters(at: datetime, zone: ZoneInfo) -> str:
    """`BST`, or the offset where the zone has no letters of its own."""
    return zone_words(at, zone).split(",", 1)[0]


def clock_changes(since: datetime, until: datetime, zone: ZoneInfo) -> list[ClockChange]:
    """Where the offset changes within the window, to the second; none looked for beyond two years."""
    changes: list[ClockChange] = []
    if until - since > timedelta(days=731):
        return changes
    here = since
    while here < until:
        there = here + min(timedelta(days=7), until - here)
        if local(here, zone).utcoffset() != local(there, zone).utcoffset():
            at = _change_between(here, there, zone)
            before = offset(at - timedelta(seconds=1), zone)
            changes.append(ClockChange(at, f"{before} \u2192 {offset(at, zone)}"))
        here = there
    return changes


def _change_between(here: datetime, there: datetime, zone: ZoneInfo) -> datetime:
    before = local(here, zone).utcoffset()
    while there - here > timedelta(seconds=1):
        middle = here + (there - here) / 2
        if local(middle, zone).utcoffset() == before:
            here = middle
        else:
            there = middle
    return there.replace(microsecond=0)


def ticks(since: datetime, until: datetime, zone: ZoneInfo, pixels: float) -> list[Tick]:
    """Ticks at round wall-clock steps, so wide apart that neither their words nor their dates touch."""
    seconds = (until - since).total_seconds()
    least = seconds * _APART / max(pixels, 1)
    for step in _STEPS:
        if step >= least:
            return _dated(_clock_instants(since, until, zone, step), zone, step, pixels / seconds)
    for days in _DAY_STEPS:
        if days * _DAY >= least:
            return _days(_day_instants(since, until, zone, days), zone)
    months = next((step for step in _MONTH_STEPS if step * 28 * _DAY >= least), _MONTH_STEPS[-1])
    return _months(_month_instants(since, until, zone, months), zone)


def _clock_instants(since: datetime, until: datetime, zone: ZoneInfo, step: int) -> Iterator[datetime]:
    if step < 900:
        first = -(-int(since.timestamp()) // step) * step
        at = datetime.fromtimestamp(first, UTC)
        while at <= until:
            yield at
            at += timedelta(seconds=step)
        return
    today, last = local(since, zone).date(), local(until, zone).date()
    while today <= last:
        found = [at for second in range(0, _DAY, step) for at in _instants_of(today, second, zone)]
        yield from (at for at in sorted(found) if since <= at <= until)
        if today == date.max:
            return
        today += timedelta(days=1)


def _instants_of(today: date, second: int, zone: ZoneInfo) -> list[datetime]:
    """The instants at which the wall clock shows this: none in a skipped hour, two in a repeated one."""
    wall = datetime.combine(today, time(second // _HOUR, second % _HOUR // 60))
    found: list[datetime] = []
    for fold in (0, 1):
        at = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == wall and at not in found:
            found.append(at)
    return found


def _day_instants(since: datetime, until: datetime, zone: ZoneInfo, days: int) -> Iterator[datetime]:
    today, last = local(since, zone).date(), local(until, zone).date()
    today += timedelta(days=-today.toordinal() % days if days < 7 else (7 - today.weekday()) % 7)
    while today <= last:
        at = datetime.combine(today, time(), zone).astimezone(UTC)
        if since <= at <= until:
            yield at
        today += timedelta(days=days)


def _month_instants(since: datetime, until: datetime, zone: ZoneInfo, step: int) -> Iterator[datetime]:
    wall = local(since, zone)
    number = -(-(wall.year * 12 + wall.month - 1) // step) * step
    while number // 12 <= min(local(until, zone).year, 9998):
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=zone).astimezone(UTC)
        if since <= at <= until:
            yield at
        number += step


def _dated(instants: Iterator[datetime], zone: ZoneInfo, step: int, pixels_a_second: float) -> list[Tick]:
    """Clock ticks; the first one and each midnight carry the day, as far as the days keep clear of each other."""
    made: list[Tick] = []
    previous, free_from = None, None
    for at in instants:
        wall = local(at, zone)
        midnight = wall.hour == wall.minute == wall.second == 0
        beneath = day(at, zone, weekday=True) if midnight or not made else ""
        half = timedelta(seconds=(width(beneath, 11, 600) / 2 + 4) / pixels_a_second)
        if beneath and free_from is not None and at - half < free_from:
            beneath = ""
        elif beneath:
            free_from = at + half
        words = clock(at, zone, seconds=step < 60)
        strong = midnight or (step == _HOUR and wall.hour % 3 == 0) or (step != _HOUR and wall.minute == 0)
        gap = previous is not None and (at - previous).total_seconds() * pixels_a_second < _APART / 2
        if gap and not midnight:
            continue
        made.append(Tick(at, words, beneath, 2 if midnight else int(strong)))
        previous = at
    return made


def _days(instants: Iterator[datetime], zone: ZoneInfo) -> list[Tick]:
    made: list[Tick] = []
    for at in instants:
        year = not made or local(at, zone).year != local(made[-1].at, zone).year
        made.append(Tick(at, day(at, zone), str(local(at, zone).year) if year else "", 1))
    return made


def _months(instants: Iterator[datetime], zone: ZoneInfo) -> list[Tick]:
    made: list[Tick] = []
    for at in instants:
        wall = local(at, zone)
        year = not made or wall.year != local(made[-1].at, zone).year
        made.append(Tick(at, _MONTHS[wall.month - 1], str(wall.year) if year else "", 1))
    return made
