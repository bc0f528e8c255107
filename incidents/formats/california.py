"""The Pacific clock of CAISO's pages, which carry no offset and often no date, as instants. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from incidents.model import Delivery, UnrecognisedError

PACIFIC: Final = ZoneInfo("America/Los_Angeles")
_DAY_ASKED: Final = re.compile(r"/history/(\d{4})(\d{2})(\d{2})/")
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})")
_FORMS: Final = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
)
_ROWS: Final = 320
"""Five-minute rows of the longest day, 300, and some."""
_SPARE: Final = timedelta(minutes=20)


def instant(said: object, near: datetime) -> datetime:
    """The instant of a local wall clock; in the repeated hour the one nearer to `near`. Raises UnrecognisedError."""
    for form in _FORMS:
        try:
            wall = datetime.strptime(str(said)[:19], form)  # noqa: DTZ007 - the zone follows
            both = [wall.replace(tzinfo=PACIFIC, fold=fold).astimezone(UTC) for fold in (0, 1)]
        except (ValueError, OverflowError):  # of another form, or on the calendar's last evening
            continue
        return min(both, key=lambda at: abs(at - near))
    raise UnrecognisedError(f"slotDate is no local time: {str(said)[:40]!r}")


def day(at: datetime) -> str:
    """The local day of an instant."""
    return f"{at.astimezone(PACIFIC):%Y-%m-%d}"


def demand_rows(delivery: Delivery) -> list[tuple[datetime, str]]:
    """(instant, demand) of the rows of `demand.csv` that have a demand, in their order.

    The day is that of the address that was asked; of today's file the local day of the receipt, or the day before
    where its rows would lie in the future. Raises UnrecognisedError for any other document.
    """
    table = list(_table(delivery))
    asked = _DAY_ASKED.search(delivery.headers.get("request-url", ""))
    try:
        on = date(*map(int, asked.groups())) if asked else delivery.received_at.astimezone(PACIFIC).date()
    except ValueError:
        raise UnrecognisedError("the address names no day") from None
    rows = list(_instants(table, on))
    if not asked and rows and rows[-1][0] > delivery.received_at + _SPARE:
        rows = list(_instants(table, on - timedelta(days=1)))
    return rows


def _table(delivery: Delivery) -> Iterator[tuple[str, str]]:
    try:
        lines = csv.DictReader(delivery.body.decode("utf-8-sig").splitlines()[: _ROWS + 1])
        names = lines.fieldnames or []
        if "Time" not in names or "Current demand" not in names:
            raise UnrecognisedError("neither CAISO's stats.txt nor its demand.csv")
        for line in lines:
            if (line["Current demand"] or "").strip():
                yield line["Time"] or "", line["Current demand"]
    except (UnicodeDecodeError, csv.Error):
        raise UnrecognisedError("not CAISO's demand.csv") from None


def _instants(table: list[tuple[str, str]], on: date) -> Iterator[tuple[datetime, str]]:
    fold, last = 0, time()
    for clock, demand in table:
        found = _CLOCK.fullmatch(clock.strip())
        if found is None or int(found[1]) > 23 or int(found[2]) > 59:
            continue  # 24:00, a note, an empty row
        at = time(int(found[1]), int(found[2]))
        fold, last = (1 if at < last else fold), at
        local = datetime.combine(on, at, PACIFIC).replace(fold=fold)
        instant_ = local.astimezone(UTC)
        if instant_.astimezone(PACIFIC).replace(tzinfo=None) == local.replace(tzinfo=None):
            yield instant_, demand  # and not a clock of the hour that spring leaves out
