"""Observations of US weather stations: GeoJSON of api.weather.gov, by station or by forecast zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from incidents import instants
from incidents.formats import monitors, payload, zones
from incidents.formats.readings import Sheet, temperatures_in
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "National Weather Service observations (US)"
READS = ("nws-observations",)
LANES = ("weather",)
EVERY = timedelta(minutes=20)
CREDIT = Credit("NOAA/National Weather Service", "public domain", "https://www.weather.gov/disclaimer")
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "nws-stations"
adapter = "nws_observations"
every = "20m"
""",
            "note": "Each site needs its forecast zone among its `zones`, such as `CAZ017`: its stations are"
            " asked for. Or give one station as `url`:"
            " `https://api.weather.gov/stations/KSAC/observations?limit=6`.",
        },
    ],
    "facts": [
        ["What is asked", "for each site the latest observations of the stations in its forecast zone"],
        ["Limits", "not published; too many requests are answered 429 for some seconds. A User-Agent is demanded"],
        ["Terms", "public domain"],
        ["History", "about seven days"],
        ["Quality", "what the service's checks rejected is left out and counted; what they question is provisional"],
        ["Delay", "about 20 minutes"],
    ],
}
_ADDRESS = "https://api.weather.gov/zones/forecast/"
_HEADERS = {"Accept": "application/geo+json"}
_VARIABLES = {
    "temperature": "temperature_c",
    "dewpoint": "dew_point_c",
    "windGust": "wind_gust_m_s",
    "precipitationLastHour": "precipitation_mm",
}
# MADIS flags: X failed, B subjectively bad; Q questioned, Z not checked yet.
_REJECTED, _DOUBTED = frozenset({"X", "B"}), frozenset({"Q", "Z"})


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """For each site the observations of its forecast zones, for each zone once."""
    return [Request(source.url, _HEADERS)] if source.url else _asked(sites, "limit=50")


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:
    """The observations of a window within the last days."""
    window = f"start={instants.text(since)[:19]}Z&end={instants.text(until)[:19]}Z&limit=500"
    return [Request(f"{source.url.partition('?')[0]}?{window}", _HEADERS)] if source.url else _asked(sites, window)


def _asked(sites: Sequence[Site], query: str) -> list[Request]:
    owners = {
        zone.upper(): site.name
        for site in reversed(sites)
        for zone in site.zones
        if zones.is_ugc(zone.upper()) and zone[2].upper() == "Z"
    }
    return [Request(f"{_ADDRESS}{zone}/observations?{query}", _HEADERS, name) for zone, name in sorted(owners.items())]


def normalise(delivery: Delivery) -> list[Statement]:
    """The readings of each observation; the order of the document does not matter."""
    message = monitors.object_in(delivery, "observations")
    features = [message] if message.get("type") == "Feature" else message.get("features")
    if not isinstance(features, list):
        told = monitors.word(message.get("detail"), message.get("title"), default="no features")
        raise UnrecognisedError(f"not observations: {told[:200]}")
    sheet = Sheet(delivery, CREDIT.text)
    for feature in map(payload.object_of, features):
        try:
            _read(feature, sheet)
        except ValueError as error:
            sheet.lose(f"observations that could not be read: {error}")
    if features and not sheet.readings and sheet.lost.total() == len(features):
        raise UnrecognisedError(next(iter(sheet.lost)))
    return sheet.statements()


def _read(feature: Mapping[str, Any], sheet: Sheet) -> None:
    told = payload.object_of(feature.get("properties"))
    at = monitors.instant(told.get("timestamp"), "timestamp", sheet.delivery)
    if at is None:
        raise UnrecognisedError("no timestamp")
    point = [*payload.list_of(payload.object_of(feature.get("geometry")).get("coordinates")), None, None]
    place = payload.place_of({"longitude": point[0], "latitude": point[1]})
    station = (payload.title_of(told.get("station"), 200) or "").rpartition("/")[2]
    decoded = temperatures_in(payload.text_of(told.get("rawMessage"), 2_000) or "") or (None, None)
    for name, value in zip(("temperature", "dewpoint"), decoded, strict=True):
        if payload.object_of(told.get(name)).get("value") is None:
            # The service often leaves out what its own report says; nobody has checked that.
            sheet.add(_VARIABLES[name], value, "degC", at=at, place=place, station=station or None, provisional=True)
    for name, variable in _VARIABLES.items():
        measured = payload.object_of(told.get(name))
        flag = (payload.title_of(measured.get("qualityControl"), 40) or "").rpartition(":")[2]
        if flag in _REJECTED and measured.get("value") is not None:
            sheet.lose("values that the service's own checks rejected")
            continue
        unit = (payload.title_of(measured.get("unitCode"), 80) or "").rpartition(":")[2]
        provisional = flag in _DOUBTED
        value = measured.get("value")
        sheet.add(variable, value, unit, at=at, place=place, station=station or None, provisional=provisional)
