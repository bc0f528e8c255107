"""Instants as senders write them, read into aware UTC, and written back in one form; and how long a thing took."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

import orjson

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_HOURS_AS_SUCH = 72
"""From how many hours on a length is told in days."""

_ABSENT = frozenset({"", "none", "null", "nil"})
_NUMBER = re.compile(r"[+-]?\d{1,25}(?:\.\d{1,25})?", re.ASCII)
_DATED = re.compile(
    r"(?P<year>\d{4})(?P<sep>[-/])(?P<month>\d{2})(?P=sep)(?P<day>\d{2})"
    r"(?:[Tt ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
    r" ?(?P<zone>[Zz]|[A-Za-z]{2,5}|[+-]\d{2}(?:[:.]?\d{2})?)?"
    # Go's String() adds the zone's name after the offset, and a monotonic reading after that.
    r"(?: (?:[A-Za-z]{2,5}|[+-]\d{2,4}))?(?: m=[+-][\d.]+)?",
    re.ASCII,
)
_RFC_1123 = re.compile(
    r"(?:[A-Za-z]{3,9},? )?(?P<day>\d{1,2})[ -](?P<month>[A-Za-z]{3})[a-z]*[ -](?P<year>\d{4})"
    r" (?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?: (?P<zone>[A-Za-z]{1,5}|[+-]\d{4}))?",
    re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE_HOURS = {"z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5}
# The North American names are those of RFC 822; every other name says different things in different places.
_ZONE_HOURS |= {"mst": -7, "mdt": -6, "pst": -8, "pdt": -7}


def parse(value: object, *, zone: str | None = None) -> datetime | None:
    """The instant that a sender wrote, cut (not rounded) to microseconds; None where it wrote none.

    Reads RFC 3339 (any number of fractional digits, a space for the T, `+0000`, lower case), epoch seconds,
    milliseconds, microseconds and nanoseconds by magnitude (number or digits), RFC 1123, Go's `String()`, and
    `YYYY-MM-DD HH:MM:SS UTC`. Times without a zone are in `zone` (an IANA name), else UTC; in the repeated hour
    of autumn the first one counts. A leap second becomes the last microsecond before it. Absent are: null, "",
    "None", "null", -1, everything up to the epoch (the zero times of Go, MySQL and Windows among it), and everything
    from the year 2200 on, which stands for "for ever".
    Raises ValueError, and nothing else, for what cannot be read.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _of_text(value, zone) if len(value) <= 100 else _refuse(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _refuse(value)
    if isinstance(value, float):
        return _of_number(Decimal(repr(value))) if math.isfinite(value) else _refuse(value)
    return _of_number(Decimal(value)) if abs(value) < 10**20 else _refuse(value)


def text(at: datetime) -> str:
    """RFC 3339 in UTC with exactly six fractional digits and Z; `at` must be aware."""
    if at.tzinfo is not UTC:
        if at.tzinfo is None:
            raise ValueError("an instant without a zone")
        at = at.astimezone(UTC)
    # Eight times as fast as isoformat; orjson leaves the fraction out when it is zero.
    written = orjson.dumps(at, option=orjson.OPT_UTC_Z)[1:-2].decode()
    return f"{written}Z" if at.microsecond else f"{written}.000000Z"


@lru_cache(maxsize=16_384)
def _of_text(value: str, zone: str | None) -> datetime | None:
    if len(value) > 19 and value[-1] == "Z" and value[10] == "T" and value[13] == ":":
        try:
            return _unless_zero(datetime.fromisoformat(value))
        except ValueError:
            pass  # a leap second, or nothing: the slow way tells
    stripped = value.strip()
    if stripped.casefold() in _ABSENT:
        return None
    if _NUMBER.fullmatch(stripped):
        return _of_number(Decimal(stripped))
    found = _DATED.fullmatch(stripped) or _RFC_1123.fullmatch(stripped)
    if not found:
        return _refuse(value)
    try:
        return _of_parts(found.groupdict(), zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not an instant: {_shown(value)} ({error})") from None


def _of_parts(parts: dict[str, str | None], zone: str | None) -> datetime | None:
    year, month = int(parts["year"] or 0), parts["month"] or ""
    if year <= 1:
        return None
    second, fraction = int(parts["second"] or 0), (parts.get("fraction") or "")[:6].ljust(6, "0")
    if second == 60:
        second, fraction = 59, "999999"
    local = datetime(  # noqa: DTZ001 - the zone follows in the next line
        year,
        int(month) if month.isdigit() else _month(month),
        int(parts["day"] or 0),
        int(parts["hour"] or 0),
        int(parts["minute"] or 0),
        second,
        int(fraction),
    )
    return _unless_zero(local.replace(tzinfo=_zone(parts["zone"], zone)).astimezone(UTC))


def _month(name: str) -> int:
    try:
        return _MONTHS.index(name.casefold()) + 1
    except ValueError:
        raise ValueError(f"no month is called {name}") from None


def _zone(said: str | None, declared: str | None) -> tzinfo:
    if said is None:
        return _declared(declared) if declared else UTC
    if said[0] in "+-":
        digits = said[1:].replace(":", "").replace(".", "").ljust(4, "0")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return timezone(-offset if said[0] == "-" else offset)
    hours = _ZONE_HOURS.get(said.casefold())
    if hours is None:
        raise ValueError(f"the zone {said} is ambiguous")
    return timezone(timedelta(hours=hours))


@lru_cache(maxsize=256)
def _declared(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"no time zone is called {name!r:.60}") from None


def _of_number(value: Decimal) -> datetime | None:
    size = abs(value)
    if size == 0 or value == -1:
        return None
    nanoseconds = value * next(
        (factor for bound, factor in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)) if size < bound), 1
    )
    try:
        return _unless_zero(EPOCH + timedelta(microseconds=math.floor(nanoseconds / 1_000)))
    except OverflowError:
        return _refuse(value)


def _unless_zero(at: datetime) -> datetime | None:
    """None for what senders write for "never" and "for ever": up to the epoch, and from the year 2200 on."""
    return at if EPOCH < at < LATEST else None


def _refuse(value: object) -> datetime | None:
    raise ValueError(f"not an instant: {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:59] + "…")
    if isinstance(value, bool | dict | list):
        return {bool: "true or false", dict: "an object", list: "a list"}[type(value)]
    return f"{value:.60}" if isinstance(value, Decimal) else str(value)[:60]


def length(seconds: float) -> str:
    """How long, as "42 s", "25 min", "3 h 29 min" or "5 d 3 h": rounded down to its unit; the sign is dropped."""
    minutes, rest = divmod(int(abs(seconds)), 60)
    hours, past = divmod(minutes, 60)
    if not minutes:
        return f"{rest} s"
    if not hours:
        return f"{minutes} min"
    if hours < _HOURS_AS_SUCH:
        return f"{hours} h {past} min" if past else f"{hours} h"
    days, left = divmod(hours, 24)
    return f"{days:,} d {left} h" if left else f"{days:,} d"
