"""EIA-930: hourly demand, net generation and interchange of the balancing authorities of the United States."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from incidents import instants
from incidents.formats import addresses, grid_readings, monitors, payload
from incidents.model import Basis, Credit, Delivery, Loss, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "EIA-930 grid monitor"
READS = ("eia",)
EVERY = timedelta(hours=1)
LANES = ("grid",)
CREDIT = Credit(
    "U.S. Energy Information Administration, Form EIA-930", "public domain", "https://www.eia.gov/opendata/"
)
SETUP = {
    "snippets": [
        {
            "title": "EIA-930",
            "language": "toml",
            "text": """\
[[sources]]
name = "eia-930"
adapter = "eia_930"
secret_file = "/etc/barograph/eia.key"   # the key of api.eia.gov

# and in the table of a site: grid_area = "BANC" # the balancing authority, in EIA's letters
""",
        },
    ],
    "facts": [
        ["Asked", "`https://api.eia.gov/v2/electricity/rto/region-data/data/`, once an hour, all areas in one request"],
        ["Key", "needed, free"],
        ["Limits", "5,000 rows a request; below 9,000 requests an hour and 5 a second, else the key rests"],
        [
            "Becomes",
            "readings `grid_demand_mw`, `grid_demand_forecast_mw`, `grid_net_generation_mw`, `grid_interchange_mw`",
        ],
        ["Area", "the site's `grid_area`; Sacramento's is BANC, not CISO"],
        ["Time", "UTC; the hour that ends then"],
        ["Revisions", "for days: a value is provisional for three; a null is no reading"],
    ],
}
_URL = "https://api.eia.gov/v2/electricity/rto/region-data/data/"
_AREA = re.compile(r"[A-Z]{3,4}")
_TYPES: Mapping[str, tuple[str, Basis]] = {
    "D": ("grid_demand_mw", "observed"),
    "DF": ("grid_demand_forecast_mw", "modelled"),
    "NG": ("grid_net_generation_mw", "observed"),
    "TI": ("grid_interchange_mw", "observed"),
}
_FUEL = re.compile(r"[A-Za-z]{2,5}")
_HOUR = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})")


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """The last two days of every balancing authority that a site names."""
    return _asked(source, sites, {"length": "5000"})


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:
    """The hours of a window, a week at a time."""
    found: list[Request] = []
    ends = since
    while ends < until and len(found) < 200:
        starts, ends = ends, min(ends + timedelta(days=7), until)
        hours = {
            "start": f"{addresses.spelt(starts, 'instant')[:13]}",
            "end": f"{addresses.spelt(ends, 'instant')[:13]}",
        }
        found += _asked(source, sites, {**hours, "length": "5000"})
    return found


def _asked(source: Source, sites: Sequence[Site], window: Mapping[str, str]) -> list[Request]:
    areas = grid_readings.areas_like(_AREA, sites)[:20]
    query = [("frequency", "hourly"), ("data[0]", "value")]
    query += [("facets[respondent][]", area) for area in areas] + [("facets[type][]", kind) for kind in _TYPES]
    query += [("sort[0][column]", "period"), ("sort[0][direction]", "desc")]
    if "start" not in window:
        window = {"length": str(48 * len(_TYPES) * max(len(areas), 1))}
    asked = urlencode([*query, *window.items()], safe="[]")
    return [Request(f"{source.url or _URL}?api_key={{key}}&{asked}")] if areas else []


def normalise(delivery: Delivery) -> list[Statement]:
    """A reading for each row with a value; a warning of the API that rows are left out is a loss."""
    answer = monitors.object_in(delivery, "an answer of EIA's API")
    response = payload.object_of(answer.get("response"))
    if not isinstance(response.get("data"), list):
        said = payload.title_of(answer.get("error")) or "response.data is missing"
        raise UnrecognisedError(f"not an answer of EIA's API with data: {said}")
    rows = [row for row in response["data"] if payload.object_of(row).get("value") is not None]
    found = monitors.several(rows, lambda row: _reading(payload.object_of(row), delivery), "row")
    warned = monitors.first({**answer, **response}, "warnings")
    return [*found, Loss(1, f"EIA warns: {str(warned)[:300]}")] if warned else found


def _reading(row: Mapping[str, Any], delivery: Delivery) -> Statement:
    hour = _HOUR.fullmatch(payload.text_of(row.get("period"), 40) or "")
    area, kind, fuel = (payload.title_of(row.get(name), 40) or "" for name in ("respondent", "type", "fueltype"))
    at = instants.parse(f"{hour[1]}:00:00Z") if hour else None
    if at is None or not area:
        raise UnrecognisedError("period is no hour or respondent is missing")
    if kind not in _TYPES and not _FUEL.fullmatch(fuel):
        raise UnrecognisedError(f"type {kind!r} is none of {', '.join(_TYPES)}")
    variable, basis = _TYPES.get(kind) or (f"grid_generation_{fuel.lower()}_mw", "observed")
    return grid_readings.of_area(variable, area, at, row.get("value"), delivery, credit=CREDIT.text, basis=basis)
