"""Watches, warnings and advisories of the US National Weather Service: GeoJSON of api.weather.gov (OpenAPI 3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from incidents import instants
from incidents.formats import monitors, nws, zones
from incidents.model import Credit, Delivery, Request, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "National Weather Service alerts (US)"
READS = ("nws",)
LANES = ("warnings",)
EVERY = timedelta(minutes=2)
CREDIT = Credit("NOAA/National Weather Service", "public domain", "https://www.weather.gov/disclaimer")
SETUP = {
    "snippets": [
        {
            "title": "Configuration",
            "language": "toml",
            "text": """\
[[sources]]
name = "nws"
adapter = "nws_alerts"
every = "2m"
""",
            "note": "Give each site in the United States its `zones`, such as `CAC067` (county) and `CAZ017` (forecast"
            " zone): then only their states are asked for. Without them the whole country is.",
        },
    ],
    "facts": [
        ["What is asked", "one document a turn: all alerts of the sites' states, cancellations included"],
        ["Limits", "not published; too many requests are answered 429 for some seconds. A User-Agent is demanded"],
        ["Terms", "public domain; the service asks not to be shown as endorsing anything"],
        ["History", "about seven days; further back use `iem_vtec`"],
        ["Place", "an outline for few alerts, forecast zones and counties for all"],
        ["Updates", "one occurrence for each VTEC event; without VTEC one for each chain of messages"],
        ["End", "`ends`, not `expires`, which is when the message lapses"],
    ],
}
_ADDRESS = "https://api.weather.gov/alerts"
_QUERY = "status=actual&message_type=alert,update,cancel"
_HEADERS = {"Accept": "application/geo+json"}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:
    """All alerts of the sites' states in one document, of the whole country where a site names no zone."""
    if source.url:
        return [Request(source.url, _HEADERS)]
    asked = _area(sites)
    return [] if asked is None else [Request(f"{_ADDRESS}/active?{_QUERY}{asked}", _HEADERS)]


def history(source: Source, sites: Sequence[Site], since: datetime, until: datetime) -> list[Request]:  # noqa: ARG001 - the history has one address
    """The messages of a window within the last days."""
    asked = _area(sites)
    window = f"start={instants.text(since)[:19]}Z&end={instants.text(until)[:19]}Z&limit=500"
    return [] if asked is None else [Request(f"{_ADDRESS}?{window}&{_QUERY}{asked}", _HEADERS)]


def _area(sites: Sequence[Site]) -> str | None:
    """The states as a part of the query, empty for the whole country; None where no site is in the United States."""
    american = [site for site in sites if zones.is_american(site)]
    if sites and not american:
        return None
    states = zones.states_of(zone for site in american for zone in site.zones)
    return f"&area={','.join(states)}" if states and all(zones.states_of(s.zones) for s in american) else ""


def normalise(delivery: Delivery) -> list[Statement]:
    """One event for each occurrence and moment that the alerts of the document speak of."""
    message = monitors.object_in(delivery, "a collection of alerts")
    features = message.get("features")
    if not isinstance(features, list):
        if isinstance(message.get("properties"), dict):
            features = [message]
        else:
            told = monitors.word(message.get("detail"), message.get("title"), default="no features")
            raise UnrecognisedError(f"not a collection of alerts: {told[:200]}")
    return nws.statements_of(features, delivery)
