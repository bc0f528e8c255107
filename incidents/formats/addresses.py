"""Addresses of feeds that must name a window of time: where its ends stand, and how they are filled in. Pure.

An adapter does not know what time it is. Where a feed asks for a window, its address holds the moment of asking,
or one so long before or after it, in the spelling that the feed reads: `{epoch}` (Unix seconds), `{minute}`
(YYYYMMDDHHMM, UTC), `{instant}` (2026-11-20T12:00:00Z), `{day}` (2026-11-20, UTC), each with an optional `-48h`,
`-14d`, `+1d`. Moments are cut to the full hour, so that a poll's address changes no more often. Braces that say
anything else, `{key}` among them, stay as they are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_PLACE: Final = re.compile(r"\{(epoch|minute|instant|day)(?:([+-])(\d{1,4})([hd]))?\}")


def filled(address: str, now: datetime) -> str:
    """The address as it is to be asked for at `now`."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)

    def moment(place: re.Match[str]) -> str:
        spelling, sign, number, unit = place.groups()
        by = timedelta(**{"hours" if unit == "h" else "days": int(number)}) if number else timedelta()
        return spelt(hour - by if sign == "-" else hour + by, spelling)

    return _PLACE.sub(moment, address)


def between(address: str, since: datetime, until: datetime) -> str:
    """The address with its first place filled by `since` and its second by `until`, for a window in the past."""
    ends = iter((since, until))
    return _PLACE.sub(lambda place: spelt(next(ends, until), place[1]), address)


def spelt(at: datetime, spelling: str) -> str:
    """An instant in one of the spellings above."""
    at = at.astimezone(UTC)
    if spelling == "epoch":
        return str(int(at.timestamp()))
    if spelling == "minute":
        return f"{at:%Y%m%d%H%M}"
    return f"{at:%Y-%m-%d}" if spelling == "day" else f"{at:%Y-%m-%dT%H:%M:%SZ}"
