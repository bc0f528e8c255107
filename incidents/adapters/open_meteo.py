"""Modelled weather of any place: the columns of Open-Meteo's forecast and archive services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from incidents.formats import monitors, payload
from incidents.formats.readings import Sheet
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Open-Meteo (models)"
READS = ("open-meteo",)
LANES = ("weather",)
EVERY = timedelta(hours=1)
CREDIT = Credit("Weather data by Open-Meteo.com", "CC BY 4.0", "https://open-meteo.com/")
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "open-meteo"
adapter = "open_meteo"
every = "1h"
""",
            "note": "The free service is for non-commercial use. With a subscription, give one place's"
            " address as `url`, on the customer's host, with `models=` and `timezone=UTC`; `{key}` in"
            " it stands for the source's secret.",
        },
    ],
    "facts": [
        ["What is asked", "for each site the hours of today and yesterday of one model, ECMWF IFS 0.25°"],
        ["Limits", "free: non-commercial, 600 calls a minute, 5,000 an hour, 10,000 a day, 300,000 a month"],
        ["Terms", "CC BY 4.0; show the credit with a link"],
        ["History", "back to 1940 from the reanalysis ERA5, which lags some five days"],
        [
            "What it is",
            "a model's cell, 25 km wide, marked as modelled: it misses urban and record heat by degrees",
        ],
        ["Forecasts", "hours that have not come yet are left out"],
    ],
}
_FORECAST, _ARCHIVE = "https://api.open-meteo.com/v1/forecast", "https://archive-api.open-meteo.com/v1/archive"
# A named model in both: the service's own choice switches between models, and a record made of two has a step in it.
_NOW, _PAST = "ecmwf_ifs025", "era5"
_VARIABLES = {
    "temperature_2m": "temperature_c",
    "wet_bulb_temperature_2m": "wet_bulb_c",
    "dew_point_2m": "dew_point_c",
    "wind_gusts_10m": "wind_gust_m_s",
    "precipitation": "precipitation_mm",
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The last hours of each site."""
    if source.url:
        return [Request(source.url)]
    return [_asked(_FORECAST, site, f"models={_NOW}&past_days=1&forecast_days=1") for site in sites]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:  # noqa: ARG001 - the archive has one address
    """The days of a window from the reanalysis."""
    window = f"models={_PAST}&start_date={since:%Y-%m-%d}&end_date={until:%Y-%m-%d}"
    return [_asked(_ARCHIVE, site, window) for site in sites]


def _asked(address: str, site: Site, query: str) -> Request:
    place = f"latitude={site.latitude}&longitude={site.longitude}"
    columns = f"hourly={','.join(_VARIABLES)}&wind_speed_unit=ms&timezone=UTC"
    return Request(f"{address}?{place}&{columns}&{query}", site=site.name)


def normalise(delivery: Delivery) -> list[Statement]:
    """The readings of each hour that has come, of one place or of several."""
    told = payload.decode(delivery.body)
    model = _model_of(delivery)
    # What a forecast run says of hours that have passed is replaced by the runs after it.
    provisional = model != _PAST
    sheet = Sheet(delivery, f"{CREDIT.text}, {CREDIT.licence}; model {model or 'not named'}", basis="modelled")
    for place in told if isinstance(told, list) else [told]:
        _read(payload.object_of(place), sheet, f"Open-Meteo {model or 'model not named'}", provisional=provisional)
    return sheet.statements()


def _model_of(delivery: Delivery) -> str | None:
    """The model by the address that was asked: an answer of one model does not name it."""
    try:
        asked = parse_qs(urlsplit(delivery.headers.get("request-url", "")).query)
    except ValueError:
        return None
    return payload.title_of(asked.get("models", [None])[0], 60)


def _read(told: Mapping[str, Any], sheet: Sheet, station: str, *, provisional: bool) -> None:
    hourly, units = payload.object_of(told.get("hourly")), payload.object_of(told.get("hourly_units"))
    if not isinstance(hourly.get("time"), list):
        raise UnrecognisedError(f"no hours: {monitors.word(told.get('reason'), default='no column hourly.time')[:200]}")
    if payload.number_of(told.get("utc_offset_seconds", 0)) != 0:
        raise UnrecognisedError("times in a local zone, of one offset across a change of clocks: ask timezone=UTC")
    place = payload.place_of(told)
    hours = [monitors.moment(hour, sheet.delivery) for hour in hourly["time"]]
    for name, variable in _VARIABLES.items():
        unit = payload.title_of(units.get(name), 40) or ""
        for at, value in zip(hours, payload.list_of(hourly.get(name)), strict=False):
            if at and at <= sheet.delivery.received_at:
                sheet.add(variable, value, unit, at=at, place=place, station=station, provisional=provisional)
