"""METAR and SPECI reports of the world's airports: JSON of aviationweather.gov (Data API of 2025)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import monitors, payload
from incidents.formats.readings import Sheet
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "METAR (airports)"
READS = ("metar",)
LANES = ("weather",)
EVERY = timedelta(minutes=20)
CREDIT = Credit("NOAA/NWS Aviation Weather Center", "public domain", "https://aviationweather.gov/data/api/")
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "airports"
adapter = "metar"
every = "20m"
""",
            "note": "Or name the stations:"
            " `url = 'https://aviationweather.gov/api/data/metar?ids=EGLL,KSMF&format=json'`.",
        },
    ],
    "facts": [
        ["What is asked", "for each site the reports of the airports within half a degree, of the last two hours"],
        ["Limits", "100 requests a minute; 400 reports an answer"],
        ["Terms", "public domain"],
        ["History", "15 days"],
        ["Precision", "whole degrees Celsius at most stations; gusts only while it is gusting"],
    ],
}
_ADDRESS = "https://aviationweather.gov/api/data/metar?format=json"
_VARIABLES = {"temp": ("temperature_c", "degC"), "dewp": ("dew_point_c", "degC"), "wgst": ("wind_gust_m_s", "kt")}
_HALF = 0.5


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The airports around each site."""
    if source.url:
        return [Request(source.url)]
    return [Request(f"{_ADDRESS}&hours=2&bbox={_box(site)}", site=site.name) for site in sites]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:
    """The reports of a window within the last 15 days: `date` is its end, `hours` its length."""
    hours = max(1, -int((since - until).total_seconds() // 3600))
    window = f"&hours={hours}&date={until:%Y%m%d_%H%M}"
    if source.url:
        return [Request(source.url + ("" if "hours=" in source.url else window))]
    return [Request(f"{_ADDRESS}{window}&bbox={_box(site)}", site=site.name) for site in sites]


def _box(site: Site) -> str:
    """South, west, north, east."""
    south, west = f"{site.latitude - _HALF:.2f}", f"{site.longitude - _HALF:.2f}"
    return f"{south},{west},{site.latitude + _HALF:.2f},{site.longitude + _HALF:.2f}"


def normalise(delivery: Delivery) -> list[Statement]:
    """The readings of each report."""
    reports = payload.decode(delivery.body)
    if not isinstance(reports, list):
        told = monitors.word(payload.object_of(reports).get("error"), default="no list")
        raise UnrecognisedError(f"not a list of METARs: {told[:200]}")
    sheet = Sheet(delivery, CREDIT.text)
    for report in map(payload.object_of, reports):
        try:
            _read(report, sheet)
        except ValueError as error:
            sheet.lose(f"reports that could not be read: {error}")
    if reports and not sheet.readings and sheet.lost.total() == len(reports):
        raise UnrecognisedError(next(iter(sheet.lost)))
    return sheet.statements()


def _read(report: Mapping[str, Any], sheet: Sheet) -> None:
    at = monitors.instant(monitors.first(report, "obsTime", "reportTime"), "obsTime", sheet.delivery)
    station = payload.title_of(report.get("icaoId"), 40)
    if at is None or station is None:
        raise UnrecognisedError("no obsTime" if station else "no icaoId")
    place = payload.place_of({"latitude": report.get("lat"), "longitude": report.get("lon")})
    for name, (variable, unit) in _VARIABLES.items():
        sheet.add(variable, report.get(name), unit, at=at, place=place, station=station)
