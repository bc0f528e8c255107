"""Great Britain's grid: the system operator's warnings and the national demand, as Elexon publishes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import addresses, grid_readings, monitors, payload, status_posts
from incidents.model import Area, Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "NESO warnings and demand"
READS = ("neso",)
EVERY = timedelta(minutes=10)
LANES = ("grid",)
CREDIT = Credit(
    "NESO's system warnings and demand, published by Elexon",
    "BMRS data © Elexon Limited copyright and database right",
    "https://bmrs.elexon.co.uk",
)
SETUP = {
    "snippets": [
        {
            "title": "Great Britain",
            "language": "toml",
            "text": """\
[[sources]]
name = "neso"
adapter = "neso"

# and in the table of a site: grid_area = "GB"
""",
        },
    ],
    "facts": [
        [
            "Asked",
            "`/system/warnings` and `/demand/outturn` of `https://data.elexon.co.uk/bmrs/api/v1`, every 10 minutes",
        ],
        ["Key", "none"],
        ["Limits", "Elexon's terms; NESO's own CKAN, which allows two data requests a minute, is not asked"],
        ["Becomes", "hazards with the area GB, and readings `grid_demand_mw`"],
        [
            "Which warnings",
            "margin, capacity and demand notices; others, and cancellations, have no area and link to nothing",
        ],
        ["End", "never said: 24 hours after publication, marked as assumed"],
        ["Time", "UTC; a half hour's mean stands at its end"],
    ],
}
_BASE = "https://data.elexon.co.uk/bmrs/api/v1"
_PATHS = (
    "/system/warnings?from={instant-48h}&to={instant+1h}&format=json",
    "/demand/outturn?settlementDateFrom={day-1d}&settlementDateTo={day}&format=json",
)
_AREA = "GB"
_OVER = re.compile(r"\bcancel|\bwithdrawn\b|no longer in force", re.IGNORECASE)
_GRAVE = (
    (
        re.compile(r"demand control|demand reduction imminent|system restoration|black ?start", re.IGNORECASE),
        Severity.CRITICAL,
    ),
    (re.compile(r"high risk of demand (?:reduction|control|disconnection)", re.IGNORECASE), Severity.ERROR),
    (
        re.compile(r"margin notice|capacity market notice|inadequate system margin|reserve", re.IGNORECASE),
        Severity.WARNING,
    ),
)


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one grid
    """Warnings of the last two days, demand of yesterday and today."""
    return [Request(f"{source.url or _BASE}{path}") for path in _PATHS]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:  # noqa: ARG001
    """The same of a window."""
    return [Request(addresses.between(f"{source.url or _BASE}{path}", since, until)) for path in _PATHS]


def normalise(delivery: Delivery) -> list[Statement]:
    """A hazard for each warning, a reading for each half hour."""
    answer = payload.decode(delivery.body)
    rows = answer if isinstance(answer, list) else payload.object_of(answer).get("data")
    if not isinstance(rows, list):
        raise UnrecognisedError("not of Elexon's API: data is no list")
    rows = [row for row in rows if not _is_empty(payload.object_of(row))]
    return monitors.several(rows, lambda row: _statement(payload.object_of(row), delivery), "row")


def _is_empty(row: Mapping[str, Any]) -> bool:
    """A half hour that has no demand yet."""
    return "startTime" in row and row.get("initialDemandOutturn") is None


def _statement(row: Mapping[str, Any], delivery: Delivery) -> Statement:
    if "warningText" in row or "warningType" in row:
        return _warning(row, delivery)
    starts = monitors.instant(row.get("startTime"), "startTime", delivery)
    if starts is None:
        raise UnrecognisedError("neither a warning nor a half hour of demand")
    ends, demand = starts + timedelta(minutes=30), row.get("initialDemandOutturn")
    return grid_readings.of_area("grid_demand_mw", _AREA, ends, demand, delivery, credit=CREDIT.text)


def _warning(row: Mapping[str, Any], delivery: Delivery) -> Event:
    at = monitors.instant(row.get("publishTime"), "publishTime", delivery)
    kind, text = payload.title_of(row.get("warningType"), 120) or "Warning", payload.text_of(row.get("warningText"))
    if at is None:
        raise UnrecognisedError("publishTime is missing")
    said = f"{kind} {text}"
    grave = None if _OVER.search(said) else next((grave for words, grave in _GRAVE if words.search(said)), None)
    mark = hashlib.sha256((text or "").encode()).hexdigest()[:12]
    event = monitors.event_of(
        delivery,
        key=f"{at:%Y-%m-%dT%H:%M:%SZ}/{kind}/{mark}",
        title=f"NESO: {kind.capitalize()}",
        over=False,
        kind="hazard",
        severity=grave or Severity.INFO,
        said_at=at,
        starts_at=at,
        labels={"operator": "NESO", "type": kind},
        url="https://bmrs.elexon.co.uk/system-warnings",
        text=text,
    )
    placed = replace(event, event=kind, area=Area(grid_areas=(_AREA,)) if grave else None)
    return status_posts.unsaid_end(placed, at)
