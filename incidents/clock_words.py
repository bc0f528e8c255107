"""Times as Grafana's users write them: `now-6h`, `now/d`, `now-1d/d`, ISO instants and epochs. Pure.

The grammar: `now`, then any number of `+` or `-` with an amount and a unit, and of `/` with a unit, from left to
right; the units are s m h d w M y, the amount is 1 where none is given. Seconds, minutes and hours are exact lengths;
days and longer keep the clock on the wall of the zone, so that a day with a change of the clocks has 23 or 25 hours.
`/` goes to the beginning of the unit in the zone, and in the end of a window to its end. Weeks begin on Monday.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from incidents import instants

EXPECTED = "now-6h, now/d, an instant such as 2026-03-01T14:00:00Z, or epoch milliseconds"
UNITS = "s m h d w M y"
LONGEST = 100
"""Characters that are read."""

_STEP = re.compile(r"(?P<sign>[+-])(?P<amount>\d{0,6})(?P<unit>[smhdwMy])|/(?P<whole>[smhdwMy])", re.ASCII)
_EXACT = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
_MONTHS = {"M": 1, "y": 12}
_DATED = "0000-00-00T00:00:00"


class PlaceError(ValueError):
    """What cannot be read; `place` is the character, counted from 1, at which it stops making sense."""

    def __init__(self, place: int, what: str) -> None:
        super().__init__(f"character {place}: {what}")
        self.place = place


def is_relative(text: str) -> bool:
    """Whether it moves with the clock, so that a link that holds it shows something else tomorrow."""
    return text.strip().startswith("now")


def read(text: str, *, now: datetime, zone: str = "UTC", end: bool = False) -> datetime:
    """The instant that is meant; `end` says that it ends a window. Raises PlaceError, and nothing else."""
    if len(text) > LONGEST:
        raise PlaceError(LONGEST + 1, f"longer than {LONGEST} characters")
    blank = len(text) - len(text.lstrip())
    if not is_relative(text):
        return _absolute(text, blank, zone)
    shown, at = text.rstrip(), now.astimezone(UTC)
    place = blank + 3
    while place < len(shown):
        step = _STEP.match(shown, place)
        if step is None:
            raise _astray(shown, place)
        try:
            at = _stepped(at, step, zone, end=end)
        except (OverflowError, ValueError):
            raise PlaceError(place + 1, "leads beyond the calendar") from None
        place = step.end()
    if not instants.EPOCH < at < instants.LATEST:
        raise PlaceError(blank + 1, "lies before 1970 or after 2199")
    return at


def _absolute(text: str, blank: int, zone: str) -> datetime:
    try:
        at = instants.parse(text, zone=zone)
    except ValueError:
        raise PlaceError(_mismatch(text, blank), f"{EXPECTED} is expected") from None
    if at is None:
        raise PlaceError(blank + 1, f"an instant from 1970 to 2199 is expected: {EXPECTED}")
    return at


def _mismatch(text: str, blank: int) -> int:
    """Where a text leaves the shape of a date: `2026-03-1x` does at its tenth character."""
    for n, (given, wanted) in enumerate(zip(text[blank:], _DATED, strict=False)):
        fits = given.isdigit() if wanted == "0" else given in (wanted, " ") if wanted == "T" else given == wanted
        if not fits:
            return blank + n + 1
    return blank + min(len(text) - blank, len(_DATED)) + 1 if len(text) - blank < len(_DATED) else blank + 1


def _astray(text: str, place: int) -> PlaceError:
    """What is wrong at the first character that no step begins with, or within a step that has begun."""
    given = text[place]
    if given not in "+-/":
        return PlaceError(place + 1, f"+, - or / is expected, not {given!r}")
    after = place + 1
    while given != "/" and after < len(text) and text[after].isascii() and text[after].isdigit():
        after += 1
    if after - place > 7:
        return PlaceError(place + 2, "at most six digits are expected")
    if after == len(text):
        return PlaceError(after + 1, f"a unit of {UNITS} is expected, and nothing follows")
    return PlaceError(after + 1, f"a unit of {UNITS} is expected, not {text[after]!r}")


def _stepped(at: datetime, step: re.Match[str], zone: str, *, end: bool) -> datetime:
    if step["whole"]:
        return _ceiling(at, step["whole"], zone) if end else floor(at, step["whole"], zone)
    amount = int(step["amount"] or 1) * (-1 if step["sign"] == "-" else 1)
    return moved(at, amount, step["unit"], zone)


def moved(at: datetime, amount: int, unit: str, zone: str) -> datetime:
    """So many units later. A wall clock time that a change of the clocks leaves out is as much later as it skips."""
    if unit in _EXACT:
        return at + amount * _EXACT[unit]
    local = at.astimezone(_zone(zone))
    if unit in _MONTHS:
        months = local.year * 12 + local.month - 1 + amount * _MONTHS[unit]
        year, month = divmod(months, 12)
        last = calendar.monthrange(year, month + 1)[1]
        return local.replace(year=year, month=month + 1, day=min(local.day, last)).astimezone(UTC)
    # Adding to an aware time moves the clock on the wall: what is meant here, and not what passes between.
    return (local + timedelta(days=amount * (7 if unit == "w" else 1))).astimezone(UTC)


def floor(at: datetime, unit: str, zone: str) -> datetime:
    """The beginning of the unit in which an instant lies, by the clock on the wall."""
    local = at.astimezone(_zone(zone)).replace(microsecond=0)
    if unit == "s":
        return local.astimezone(UTC)
    if unit == "m":
        return local.replace(second=0).astimezone(UTC)
    if unit == "h":
        return local.replace(minute=0, second=0).astimezone(UTC)
    # The first of two midnights, so that a day which begins twice is whole.
    start = local.replace(hour=0, minute=0, second=0, fold=0)
    if unit == "w":
        start -= timedelta(days=start.weekday())
    elif unit in _MONTHS:
        start = start.replace(day=1, month=1 if unit == "y" else start.month)
    return start.astimezone(UTC)


def _ceiling(at: datetime, unit: str, zone: str) -> datetime:
    """The end of the unit in which an instant lies, which is the beginning of the next one."""
    begun = floor(at, unit, zone)
    return begun + _EXACT[unit] if unit in _EXACT else moved(begun, 1, unit, zone)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
