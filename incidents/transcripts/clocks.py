"""Times as chats and people write them ("10:32 AM", "Yesterday at 14:02"), placed on a day and in a zone. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from incidents.spoken_times import offset_of

MIDNIGHT = timedelta(hours=6)
"""A bare time may be this much before the one above it, for what was told late; else it is of the next day."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_WEEKDAY = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?"
DATE = (
    rf"(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[/.]\d{{1,2}}(?:[/.]\d{{2,4}})?\.?|today|yesterday"
    rf"|(?:{_WEEKDAY},?\s+)?(?:{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?|\d{{1,2}}(?:st|nd|rd|th)?\s+{_MONTH})(?:,?\s+\d{{4}})?"
    rf"|{_WEEKDAY})"
)
TIME = r"\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?"
ZONE = r"(?:Z|[+-]\d{2}:?\d{2}|(?-i:[A-Z]{2,5})(?:[+-]\d{1,2}(?::?\d{2})?)?)"
WHEN = rf"(?:{DATE}(?:,|\s+at|T)?\s*)?{TIME}(?:\s?{ZONE}(?![\w:]))?"
_WHEN = re.compile(
    rf"(?:(?P<date>{DATE})(?:,|\s+at|T)?\s*)?(?P<h>\d{{1,2}}):(?P<m>\d{{2}})(?::(?P<s>\d{{2}}))?"
    rf"(?:\s?(?P<half>[ap])\.?m\.?)?(?:\s?(?P<zone>{ZONE}))?",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"(\d{1,4})[-/.](\d{1,2})(?:[-/.](\d{2,4}))?\.?")
_DAY = re.compile(DATE, re.IGNORECASE)


class NoTimeError(ValueError):
    """A text that looked like a time is none; the message says why."""


@dataclass(slots=True)
class Clock:
    """Where a transcript is in time as it is read from its beginning.

    `near` is what the first bare time is placed beside; `now` is when it is read, from which "today" is counted.
    """

    zone: str
    now: datetime
    near: datetime
    day: date | None = None
    """The day that was written last, until a time has been placed on it."""
    day_first: bool = False
    last: datetime | None = None
    """The instant that was placed last."""
    _by_half_days: bool = False
    _assumed: list[str] = field(default_factory=list)

    @property
    def assumed(self) -> list[str]:
        """What was settled that the words leave open, since it was last asked."""
        found, self._assumed = self._assumed, []
        return found

    def set_day(self, text: str) -> bool:
        """Take a line such as "Monday, September 5th" for the day of what follows; whether it is one."""
        written = text.strip().rstrip(":")
        if not _DAY.fullmatch(written):
            return False
        try:
            self.day = self._date(written)
        except NoTimeError:
            return False
        return True

    def place(self, text: str) -> tuple[datetime, tuple[str, ...]]:
        """The instant of a time as it is written, and what had to be settled. Raises NoTimeError."""
        found = _WHEN.fullmatch(_spaced(text))
        if not found:
            raise NoTimeError("no time")
        clock = _clock(found["h"], found["m"], found["s"], found["half"])
        day = self._date(found["date"]) if found["date"] else self.day
        zone = _fixed(found["zone"]) if found["zone"] else ZoneInfo(self.zone)
        local = datetime.combine(day, clock) if day else self._beside(clock, zone, half=found["half"])
        at, notes = _instant(local, zone)
        if at > self.now + timedelta(days=1):
            raise NoTimeError("lies more than a day ahead")
        self.day, self.last = None, at
        self._by_half_days = bool(found["half"]) or (self._by_half_days and clock.hour <= 12)
        return at, notes

    def _beside(self, clock: time, zone: tzinfo, *, half: str | None) -> datetime:
        """The wall clock of a bare time: the first after the time above, or the nearest to the opening."""
        if self.last is None:
            self._assumed.append("times without a day begin beside the opening of the incident")
            return min(_days(self.near, clock, zone), key=lambda at: abs(at.astimezone(UTC) - self.near)).replace(
                tzinfo=None
            )
        wanted = _days(self.last, clock, zone)
        if self._by_half_days and half is None and 1 <= clock.hour <= 12:
            # After "2:02 PM" Slack writes "2:04" for what the same speaker says next.
            noon = clock.replace(hour=clock.hour % 12)
            wanted = _days(self.last, noon, zone) + _days(self.last, noon.replace(hour=noon.hour + 12), zone)
            later = [at for at in wanted if at.astimezone(UTC) >= self.last - timedelta(minutes=1)]
        else:
            later = [at for at in wanted if at.astimezone(UTC) >= self.last - MIDNIGHT]
        return min(later).replace(tzinfo=None)

    def _date(self, text: str) -> date:
        """The day that is written. Raises NoTimeError for one that no calendar has."""
        low = text.lower()
        today = self.now.astimezone(ZoneInfo(self.zone)).date()
        if low in ("today", "yesterday") or re.fullmatch(_WEEKDAY, low):
            back = 0 if low == "today" else 1 if low == "yesterday" else (today.weekday() - _weekday(low)) % 7 or 7
            self._assumed.append(f"“{text}” is counted from today")
            return today - timedelta(days=back)
        try:
            return self._numbered(low, today) if _NUMBERS.fullmatch(low) else self._named(low, today)
        except ValueError:
            raise NoTimeError(f"{text[:40]} is no day") from None

    def _numbered(self, text: str, today: date) -> date:
        found = _NUMBERS.fullmatch(text)
        assert found
        first, second, third = (int(part) if part else None for part in found.groups())
        assert first is not None
        assert second is not None
        if first > 31:
            return date(first, second, third or 1)
        day_first = self.day_first or "." in text or first > 12
        if not day_first and second <= 12 and first != second:
            self._assumed.append(f"{text} is read with the month first")
        day, month = (first, second) if day_first else (second, first)
        year = third if third is None or third > 99 else 2000 + third
        return _in_year(year, month, day, today)

    def _named(self, text: str, today: date) -> date:
        month = next(n for n, name in enumerate(MONTHS, 1) if re.search(rf"\b{name}", text))
        numbers = [int(n) for n in re.findall(r"\d+", text)]
        return _in_year(numbers[1] if len(numbers) > 1 else None, month, numbers[0], today)


def _days(beside: datetime, clock: time, zone: tzinfo) -> list[datetime]:
    """The wall clock on the day of an instant, on the one before and on the next two."""
    day = beside.astimezone(zone).date()
    return [datetime.combine(day + timedelta(days=n), clock, zone) for n in (-1, 0, 1, 2)]


def _instant(local: datetime, zone: tzinfo) -> tuple[datetime, tuple[str, ...]]:
    """The instant of a wall clock, with a note where the zone's clocks were changed just then."""
    at = local.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != local:
        return at, (f"{local:%H:%M} was left out that day in {zone}: the clocks went forward",)
    if local.replace(tzinfo=zone, fold=1).astimezone(UTC) != at:
        return at, (f"{local:%H:%M} was twice that day in {zone}: the first is taken",)
    return at, ()


def _in_year(year: int | None, month: int, day: int, today: date) -> date:
    """The day in its year; without one, the last such day that is not ahead."""
    if year is not None:
        return date(year, month, day)
    found = date(today.year, month, day)
    return found if found <= today + timedelta(days=1) else date(today.year - 1, month, day)


def _weekday(text: str) -> int:
    return next(n for n, name in enumerate(DAYS) if text.startswith(name))


def _clock(hour: str, minute: str, second: str | None, half: str | None) -> time:
    h = int(hour)
    if half:
        if not 1 <= h <= 12:
            raise NoTimeError(f"{hour}:{minute} {half}m is no time")
        h = h % 12 + (12 if half in "pP" else 0)
    try:
        return time(h, int(minute), int(second or 0))
    except ValueError:
        raise NoTimeError(f"{hour}:{minute} is no time") from None


def _fixed(zone: str) -> timezone:
    """The offset that a zone's letters say by themselves. Raises NoTimeError for letters that several zones share."""
    numbers = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", zone)
    if numbers:
        length = timedelta(hours=int(numbers[2]), minutes=int(numbers[3] or 0))
        return timezone(-length if numbers[1] == "-" else length)
    known = offset_of(zone.upper())
    if known is None:
        raise NoTimeError(f"the zone {zone} is not known, or several zones share it: write UTC+2 or the like")
    return timezone(known)


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
