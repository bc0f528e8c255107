"""An Instatus page: its open incidents and declared maintenances, from `/v3/summary.json` or `/summary.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from incidents.formats import monitors, payload, severities, status_posts
from incidents.model import Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Instatus (a provider's page)"
READS = ("instatus",)
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit("The provider's own status page", "the provider's text; quoted with its source", "https://instatus.com")
SETUP = {
    "snippets": [
        {
            "title": "A page",
            "language": "toml",
            "text": """\
[[sources]]
name = "acme-status"
adapter = "instatus"
url = "https://status.example.com"
""",
        },
    ],
    "facts": [
        ["Asked", "`/v3/summary.json` of the page, every 2 minutes; an `url` that ends in .json as it is"],
        ["Key", "none"],
        ["Limits", "what is open now: no history, and no words but a title"],
        ["End", "never said: what is taken down ends 24 hours after its last change, marked as assumed"],
        ["Maintenance", "its length in minutes gives an expected end"],
        ["Regions", "none: the summary does not say which components are concerned"],
    ],
}
_PLANNED = {
    **dict.fromkeys(("notstartedyet", "inprogress", "verifying"), False),
    "completed": True,
}
_OPEN = {**dict.fromkeys(("investigating", "identified", "monitoring"), False), "resolved": True}
_SEVERITIES = {
    "degradedperformance": Severity.WARNING,
    "partialoutage": Severity.ERROR,
    "majoroutage": Severity.CRITICAL,
    "undermaintenance": Severity.INFO,
    "operational": Severity.INFO,
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one page for all sites
    """The page's summary."""
    url = source.url or ""
    return [Request(url if url.endswith(".json") else f"{url.rstrip('/')}/v3/summary.json")] if url else []


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each incident and maintenance; a page at rest says nothing, for it leaves both out."""
    summary = monitors.object_in(delivery, "an Instatus summary")
    page = summary.get("page")
    if not isinstance(page, dict):
        raise UnrecognisedError("not an Instatus summary: page is missing")
    lists = [(name, payload.list_of(summary.get(name))) for name in ("activeIncidents", "activeMaintenances")]
    found = [(name == "activeMaintenances", one) for name, several in lists for one in several]
    return monitors.several(found, lambda one: _incident(one, page, delivery), "incident")


def _incident(found: object, page: Mapping[str, Any], delivery: Delivery) -> Event:
    planned, raw = found if isinstance(found, tuple) else (False, found)
    incident = payload.object_of(raw)
    starts_at = monitors.instant(monitors.first(incident, "started", "start"), "started", delivery)
    said_at = monitors.instant(incident.get("updatedAt"), "updatedAt", delivery)
    over = bool(monitors.state_of(incident.get("status"), _PLANNED if planned else _OPEN, "status"))
    minutes = payload.number_of(incident.get("duration")) if planned else None
    event = monitors.event_of(
        delivery,
        key=incident.get("id"),
        title=incident.get("name"),
        over=over,
        kind="provider_incident",
        severity=Severity.INFO if planned else severities.severity(incident.get("impact"), _SEVERITIES),
        said_at=said_at,
        starts_at=starts_at,
        labels={"page": page.get("name"), "status": incident.get("status")},
        url=monitors.first(incident, "url") or page.get("url"),
    )
    if not over and planned and starts_at and minutes and 0 < minutes < 60 * 24 * 60:
        event = replace(event, ends_at=monitors.shifted(starts_at, timedelta(minutes=minutes)), ends_expected=True)
    elif not over and not planned:
        event = status_posts.unsaid_end(event, said_at or starts_at or delivery.received_at)
    return replace(event, event="Scheduled maintenance" if planned else None)
