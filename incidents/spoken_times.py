"""Times written inside a provider's text ("09:15 PDT", "between 06:00 and 08:15 US/Pacific") as instants. Pure.

The words stay beside the instant. An abbreviation that several zones share (IST, CST, BST, AST) is resolved by the
provider's home zone, else by the zone of the regions that the incident names, and is else declared unknown. A time
without any zone is not read. Where no day is written the one nearest to the post counts, if no other day is possible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from incidents.geography import regions
from incidents.model import Occurrence, Post

MOST: Final = 50
BEFOREHAND: Final = timedelta(hours=6)
"""How long before its start an incident's posts may tell of."""
HOMES: Final = {"aws": "America/Los_Angeles", "gcp": "America/Los_Angeles", "slack": "America/Los_Angeles"}
"""The zones that providers write in without thinking of it."""

_SHARED: Final[dict[str, dict[str, int]]] = {
    "IST": {"Asia/Kolkata": 330, "Europe/Dublin": 60, "Asia/Jerusalem": 120},
    "CST": {"America/Chicago": -360, "Asia/Shanghai": 480, "Asia/Taipei": 480, "America/Havana": -300},
    "BST": {"Europe/London": 60, "Asia/Dhaka": 360},
    "AST": {"America/Halifax": -240, "Asia/Riyadh": 180},
}
_FIXED: Final = {
    "UTC": 0, "GMT": 0, "Z": 0, "PST": -480, "PDT": -420, "MST": -420, "MDT": -360, "CDT": -300, "EST": -300,
    "EDT": -240, "ADT": -180, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "SGT": 480, "HKT": 480,
    "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
}  # fmt: skip
_NAMED: Final = {
    "PT": "America/Los_Angeles", "MT": "America/Denver", "CT": "America/Chicago", "ET": "America/New_York",
    "US/Pacific": "America/Los_Angeles", "US/Mountain": "America/Denver", "US/Central": "America/Chicago",
    "US/Eastern": "America/New_York",
}  # fmt: skip
_WINTER_AND_SUMMER: Final = {"PST": "America/Los_Angeles", "EST": "America/New_York", "MST": "America/Denver"}

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_ZONE: Final = (
    r"UTC[+-]\d{1,2}(?::?\d{2})?|GMT[+-]\d{1,2}(?::?\d{2})?|US/(?:Pacific|Mountain|Central|Eastern)|"
    r"(?:America|Europe|Asia|Africa|Australia|Pacific|Atlantic)/[A-Z][A-Za-z_]{2,30}|"
    + "|".join(sorted({*_FIXED, *_NAMED, *_SHARED} - {"Z"}, key=len, reverse=True))
    + "|Z"
)


def _date(n: int) -> str:
    return (
        r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?(?:"
        rf"(?P<y{n}>\d{{4}})-(?P<m{n}>\d{{2}})-(?P<d{n}>\d{{2}})"
        rf"|(?P<dd{n}>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<mm{n}>{_MONTH})(?:,?\s+(?P<yy{n}>\d{{4}})\b)?"
        rf"|(?P<mmm{n}>{_MONTH})\s+(?P<ddd{n}>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])(?:,?\s+(?P<yyy{n}>\d{{4}})\b)?)"
    )


def _time(n: int) -> str:
    return (
        rf"(?:(?P<h{n}>\d{{1,2}}):(?P<min{n}>\d{{2}})(?::\d{{2}})?(?:\s?(?P<half{n}>(?i:[ap]\.?m\b\.?)))?"
        rf"|(?P<hh{n}>\d{{1,2}})\s?(?P<hhalf{n}>(?i:[ap]\.?m\b\.?)))"
    )


_SPOKEN: Final = re.compile(
    rf"(?<![\w:./-])(?P<between>(?i:between)\s+)?(?:{_date(1)}[,\s]{{1,3}}(?:(?:at|from|between)\s+)?)?{_time(1)}(?:\s*\(?(?P<z1>{_ZONE})\b\)?)?"
    rf"(?:\s*(?P<link>and|to|until|through|-|–|—)\s*(?P<second>(?:{_date(2)}[,\s]{{1,3}}(?:at\s+)?)?{_time(2)}"
    rf"(?:\s*\(?(?P<z2>{_ZONE})\b\)?)?))?(?:,?\s+(?:on\s+)?{_date(3)})?"
)


_Day = tuple[int | None, int, int]


@dataclass(frozen=True, slots=True)
class SpokenTime:
    """A time as it was written, and the instant that it says; `until` is the end of a range.

    Both are None where the zone is ambiguous: `doubt` then says so. With an instant, `doubt` says what was settled by
    the provider's home or region and not by the words alone.
    """

    words: str
    at: datetime | None
    until: datetime | None = None
    zone: str = ""
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class _Writer:
    """Who wrote, and when: the home zone, the zones of the regions concerned, and since when there was what to tell."""

    near: datetime
    home: str | None
    zones: frozenset[str]
    since: datetime | None


def times_of(post: Post, occurrence: Occurrence) -> tuple[SpokenTime, ...]:
    """The times in a post's text, in the order of the text.

    A time without a day is unknown where it may be of the day before as well: where the incident had begun by then.
    """
    return spoken_times(post.text, post.at, home_of(occurrence), _region_zones(occurrence), since=occurrence.starts_at)


def home_of(occurrence: Occurrence) -> str | None:
    """The zone that the provider writes in, by its name in the labels or in the regions; None where it has none."""
    names = [occurrence.labels.get("provider", "")]
    names += [region.partition(":")[0] for region in (occurrence.area.regions if occurrence.area else ())]
    return next((HOMES[name] for name in names if name in HOMES), None)


def _region_zones(occurrence: Occurrence) -> frozenset[str]:
    """The zones of the regions that an incident names, by the catalogue; of very many none is its own."""
    named = occurrence.area.regions if occurrence.area else ()
    places = (regions.resolve(name) for name in named[:MOST])
    return frozenset(place.timezone for place in places if isinstance(place, regions.Place))


def spoken_times(
    text: str,
    near: datetime,
    home: str | None = None,
    zones: Iterable[str] = (),
    *,
    since: datetime | None = None,
) -> tuple[SpokenTime, ...]:
    """The times with a zone that a text names.

    `near` is when it was posted, `home` the zone of who wrote it, `zones` those of the regions that it tells of.
    `since` is when what it tells of began: without it a time without a day is always of the nearest.
    """
    return _read(text, _Writer(near, home, frozenset(zones), since))


@lru_cache(maxsize=1024)
def _read(text: str, writer: _Writer) -> tuple[SpokenTime, ...]:
    """The same posts are read at every look at a timeline."""
    found: list[SpokenTime] = []
    place = 0
    while len(found) < MOST and (match := _SPOKEN.search(text, place)):
        # "02:31 and 01:00 PDT" are two times; "between 02:31 and 04:00 PDT" is one range.
        pair = match["link"] == "and" and not match["between"]
        place = match.start("second") if pair else match.end()
        spoken = _spoken(match, writer, pair=pair)
        if spoken:
            found.append(spoken)
    return tuple(found)


def _spoken(match: re.Match[str], writer: _Writer, *, pair: bool) -> SpokenTime | None:
    first, last = match["z1"], match["z2"]
    if not (first or last):
        return None
    day = _day(match, 1) or (None if pair else _day(match, 3))
    written = match[0][: match.start("second") - match.start()].removesuffix("and ") if pair else match[0]
    words = " ".join(written.split()).removesuffix(" and")
    zone = first or last
    later_day = None if pair else _day(match, 2)
    later = None if pair else _settled(match, 2, last or first, later_day or day, writer)
    until = later[0] if later else None
    anchor = replace(writer, near=until - timedelta(hours=12)) if until and day is None and later_day else writer
    start = _settled(match, 1, zone, day, anchor)
    if start is None:
        return None
    at, doubt = start
    before = at - timedelta(days=1) if at and day is None and later_day is None else None
    if before and writer.since and before >= writer.since - BEFOREHAND:
        return SpokenTime(words, None, None, zone, "no day is written")
    if at and until and until < at and later_day is None:
        until += timedelta(days=1)
    if at is None or (until and not at <= until <= at + timedelta(days=366)):
        until = None
    return SpokenTime(words, at, until, zone, doubt or (later[1] if later else None))


def _day(match: re.Match[str], n: int) -> _Day | None:
    """Year (or None), month and day of the n-th place for a date."""
    for year, month, day in (("y", "m", "d"), ("yy", "mm", "dd"), ("yyy", "mmm", "ddd")):
        if match[f"{day}{n}"]:
            said = match[f"{month}{n}"]
            number = int(said) if said.isdigit() else _MONTHS.index(said[:3].lower()) + 1
            return (int(match[f"{year}{n}"]) if match[f"{year}{n}"] else None), number, int(match[f"{day}{n}"])
    return None


def _clock(match: re.Match[str], n: int) -> tuple[int, int] | None:
    hour, half = match[f"h{n}"] or match[f"hh{n}"], (match[f"half{n}"] or match[f"hhalf{n}"] or "")[:1].lower()
    if hour is None:
        return None
    number, minute = int(hour), int(match[f"min{n}"] or 0)
    if half and not 1 <= number <= 12:
        return None
    if half:
        number = number % 12 + (12 if half == "p" else 0)
    return (number, minute) if number < 24 and minute < 60 else None


def _settled(
    match: re.Match[str], n: int, zone: str, day: _Day | None, writer: _Writer
) -> tuple[datetime | None, str | None] | None:
    """The instant of the n-th clock and the doubt about it; None where no such instant exists."""
    clock = _clock(match, n)
    if clock is None:
        return None
    meant, doubt = _meant(zone, writer)
    if meant is None:
        return None, doubt
    found = _nearest(clock, day, writer.near, meant)
    return (found, doubt) if found else None


def _nearest(clock: tuple[int, int], day: _Day | None, near: datetime, zone: tzinfo) -> datetime | None:
    """The instant of a wall clock on a day, or on the day that brings it nearest to `near`."""
    here = near.astimezone(zone)
    if day is None:
        days = [(here + timedelta(days=by)).date() for by in (-1, 0, 1)]
        walls = [(one.year, one.month, one.day) for one in days]
    else:
        years = [day[0]] if day[0] else [here.year - 1, here.year, here.year + 1]
        walls = [(year, day[1], day[2]) for year in years]
    found = []
    for year, month, number in walls:
        try:
            local = datetime(year, month, number, *clock, tzinfo=zone)
            at = local.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        if at.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):  # not in the hour left out in spring
            found.append(at)
    return min(found, key=lambda at: abs(at - near), default=None)


def _meant(said: str, writer: _Writer) -> tuple[tzinfo | None, str | None]:
    """The zone that the words mean, and what is doubtful about it."""
    if said in _SHARED:
        return _shared(said, writer)
    if said in _WINTER_AND_SUMMER and writer.home == _WINTER_AND_SUMMER[said]:
        zone = _named(writer.home)
        if zone and writer.near.astimezone(zone).dst():
            return zone, f"{said} said in summer: the clock of {writer.home} is taken"
    if said in _FIXED:
        return timezone(timedelta(minutes=_FIXED[said])), None
    if said[:3] in ("UTC", "GMT"):
        digits = said[4:].replace(":", "")
        hours, minutes = (int(digits), 0) if len(digits) <= 2 else (int(digits[:-2]), int(digits[-2:]))
        if hours > 14 or minutes > 59:
            return None, f"{said} is no zone"
        return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if said[3] == "-" else 1)), None
    named = _named(_NAMED.get(said, said))
    return named, None if named else f"no zone is called {said}"


def _shared(said: str, writer: _Writer) -> tuple[tzinfo | None, str | None]:
    """An abbreviation of several zones: by the home, else by the regions where these agree."""
    meanings, home = _SHARED[said], writer.home
    american = "America/Chicago" if said == "CST" and home and home.startswith("America/") else None
    own = home if home in meanings else american
    if own:
        return timezone(timedelta(minutes=meanings[own])), f"{said} taken for that of {own}, where its provider writes"
    there = sorted(writer.zones & set(meanings))
    if len(there) == 1:
        return timezone(timedelta(minutes=meanings[there[0]])), f"{said} taken for that of {there[0]}, by its region"
    return None, f"{said} names several zones"


@lru_cache(maxsize=64)
def _named(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None


def told(times: Iterable[SpokenTime], near: datetime, most: int = 3) -> str:
    """The times in words, "09:15 PDT = 16:15 UTC", less those that were written in UTC; empty where none are left.

    A day is named where it is not that of `near` in UTC. Beyond `most` the number of the others is named.
    """
    parts = [_in_words(one, near) for one in times if one.at is None or not _is_utc(one)]
    more = f"; {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more


def _is_utc(one: SpokenTime) -> bool:
    return one.zone in ("UTC", "GMT", "Z")


def _in_words(one: SpokenTime, near: datetime) -> str:
    if one.at is None:
        return f"{one.words} = unknown: {one.doubt}"
    until = f" to {_clock_words(one.until, one.at)}" if one.until else ""
    doubt = f" ({one.doubt})" if one.doubt else ""
    return f"{one.words} = {_clock_words(one.at, near)}{until} UTC{doubt}"


def _clock_words(at: datetime, near: datetime) -> str:
    at, near = at.astimezone(UTC), near.astimezone(UTC)
    if at.date() == near.date():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%B} {at:%Y} {at:%H:%M}" if at.year != near.year else f"{at.day} {at:%B} {at:%H:%M}"


def offset_of(abbreviation: str) -> timedelta | None:
    """How far an abbreviation is from UTC; None where several zones share it or none bears it."""
    minutes = _FIXED.get(abbreviation)
    return None if minutes is None else timedelta(minutes=minutes)
