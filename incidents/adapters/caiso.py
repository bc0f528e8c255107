"""CAISO's Today's Outlook: the demand of California's grid operator and the status that it declares, without a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from incidents.formats import california, grid_readings, monitors, payload
from incidents.model import Area, Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "CAISO Today's Outlook"
READS = ("caiso",)
EVERY = timedelta(minutes=5)
LANES = ("grid",)
CREDIT = Credit("California ISO, Today's Outlook", "CAISO's terms of use", "https://www.caiso.com/todays-outlook")
SETUP = {
    "snippets": [
        {
            "title": "CAISO",
            "language": "toml",
            "text": """\
[[sources]]
name = "caiso"
adapter = "caiso"

# and in the table of a site: grid_area = "CISO"
""",
        },
    ],
    "facts": [
        [
            "Asked",
            "`https://www.caiso.com/outlook/current/stats.txt`, every 5 minutes; the past as `demand.csv` by day",
        ],
        ["Key", "none"],
        ["Limits", "CAISO's acceptable use; OASIS, which wants 5 s between requests, is not asked"],
        ["Becomes", "readings `grid_demand_mw` of CISO, and a hazard for each status that is not Normal"],
        ["Status", "Flex Alert, EEA Watch, EEA 1 to 3, Restricted Maintenance Operations, Transmission Emergency"],
        ["End", "never said: 30 minutes after the last poll that had it, marked as assumed; one hazard a local day"],
        ["History of notices", "a PDF of CAISO's, which is not read; the page gives demand of the past, no status"],
        ["Area", "CISO only: BANC, Sacramento's network, is not CAISO's"],
        ["Time", "Pacific clock without date or offset; the repeated hour of autumn is told by its order"],
    ],
}
_URL = "https://www.caiso.com/outlook/current/stats.txt"
_PAST = "https://www.caiso.com/outlook/history/{:%Y%m%d}/demand.csv"
_AREA = "CISO"
_LASTS = timedelta(minutes=30)
_CALM = frozenset(("normal", "none", ""))
_SEVERITIES = {
    "flex alert": Severity.WARNING,
    "eea watch": Severity.WARNING,
    "restricted maintenance operations": Severity.WARNING,
    "rmo": Severity.WARNING,
    "transmission emergency": Severity.ERROR,
    "eea 1": Severity.ERROR,
    "eea 2": Severity.ERROR,
    "eea 3": Severity.CRITICAL,
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one grid
    """What is so now."""
    return [Request(source.url or _URL)]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:  # noqa: ARG001
    """The demand of each local day of a window."""
    pacific = ZoneInfo("America/Los_Angeles")
    days = grid_readings.days_between(since.astimezone(pacific), until.astimezone(pacific))
    return [Request(_PAST.format(day)) for day in days]


def normalise(delivery: Delivery) -> list[Statement]:
    """Readings of demand and, from `stats.txt`, a hazard for each status in force."""
    if delivery.body.lstrip()[:1] != b"{":
        rows = california.demand_rows(delivery)
        return monitors.several(rows, lambda row: _demand(row, delivery), "row")
    stats = monitors.object_in(delivery, "CAISO's stats.txt")
    if "slotDate" not in stats:
        raise UnrecognisedError("not CAISO's stats.txt: slotDate is missing")
    at = california.instant(stats["slotDate"], delivery.received_at)
    found: list[Statement] = []
    if stats.get("CurrentSystemDemand") is not None:
        found.append(_demand((at, stats["CurrentSystemDemand"]), delivery))
    for word in payload.list_of(stats.get("gridstatus"))[:20]:
        status = payload.title_of(word) or ""
        if status.casefold() not in _CALM:
            found.append(_hazard(status, at, stats, delivery))
    return found


def _demand(row: object, delivery: Delivery) -> Statement:
    at, value = row if isinstance(row, tuple) else (delivery.received_at, None)
    return grid_readings.of_area("grid_demand_mw", _AREA, at, value, delivery, credit=CREDIT.text)


def _hazard(status: str, at: datetime, stats: Mapping[str, Any], delivery: Delivery) -> Event:
    event = monitors.event_of(
        delivery,
        key=f"{status.casefold().replace(' ', '-')}/{california.day(at)}",
        title=f"CAISO: {status}",
        over=False,
        kind="hazard",
        severity=_SEVERITIES.get(status.casefold(), Severity.WARNING),
        said_at=at,
        labels={"operator": "CAISO", "reserve_mw": stats.get("Current_reserve")},
        url="https://www.caiso.com/todays-outlook",
    )
    area = Area(grid_areas=(_AREA,))
    return replace(event, event=status, area=area, ends_at=at + _LASTS, ends_assumed=True)
