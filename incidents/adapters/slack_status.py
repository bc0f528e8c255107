"""Slack's status API 2.0.0: `current` and `history`, a provider incident for each of its incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents.formats import monitors, payload, status_posts
from incidents.model import Credit, Delivery, Event, Request, Severity, Site, Source, Statement, UnrecognisedError

VERSION = 1
TITLE = "Slack status"
READS = ("slack",)
EVERY = timedelta(minutes=2)
LANES = ("providers",)
CREDIT = Credit("Slack status", "Slack's text; quoted with its source", "https://slack-status.com")
SETUP = {
    "snippets": [
        {
            "title": "Slack",
            "language": "toml",
            "text": """\
[[sources]]
name = "slack-status"
adapter = "slack_status"
""",
        },
    ],
    "facts": [
        ["Asked", "`https://slack-status.com/api/v2.0.0/current` and `/history`, every 2 minutes"],
        ["Key", "none"],
        ["Limits", "the newest 50 incidents"],
        ["Severity", "its type: outage, incident or notice"],
        ["End", "`date_updated` of an incident that is resolved, completed, cancelled or scheduled no more"],
        ["Regions", "none: Slack names services"],
    ],
}
_URL = "https://slack-status.com/api/v2.0.0"
_STATES = {
    **dict.fromkeys(("active", "scheduled", "open", "investigating"), False),
    **dict.fromkeys(("resolved", "completed", "cancelled", "closed"), True),
}
_SEVERITIES = {
    "outage": Severity.CRITICAL,
    "incident": Severity.ERROR,
    "notice": Severity.WARNING,
    "maintenance": Severity.INFO,
}


def requests(source: Source, sites: Sequence[Site]) -> list[Request]:  # noqa: ARG001 - one page for all sites
    """What is on, and what was."""
    return [Request(source.url)] if source.url else [Request(f"{_URL}/{path}") for path in ("current", "history")]


def normalise(delivery: Delivery) -> list[Statement]:
    """A provider incident for each, perhaps none."""
    found = payload.decode(delivery.body)
    if isinstance(found, dict) and isinstance(found.get("active_incidents"), list):
        found = found["active_incidents"]
    if not isinstance(found, list):
        raise UnrecognisedError("not of Slack's status API: neither active_incidents nor a list")
    return monitors.several(found, lambda one: _incident(payload.object_of(one), delivery), "incident")


def _incident(incident: Mapping[str, Any], delivery: Delivery) -> Event:
    said_at = monitors.instant(incident.get("date_updated"), "date_updated", delivery)
    kind = monitors.word(incident.get("type"))
    event = monitors.event_of(
        delivery,
        key=incident.get("id"),
        title=incident.get("title"),
        over=bool(monitors.state_of(incident.get("status"), _STATES, "status")),
        kind="provider_incident",
        severity=status_posts.severity_of(kind, _SEVERITIES),
        said_at=said_at,
        starts_at=monitors.instant(incident.get("date_created"), "date_created", delivery),
        labels={
            "provider": "slack",
            "component": status_posts.joined(payload.list_of(incident.get("services"))),
            "type": kind,
            "status": incident.get("status"),
        },
        url=incident.get("url"),
    )
    notes = payload.list_of(incident.get("notes"))
    return status_posts.with_posts(event, status_posts.posts_of(notes, ("date_created",), "body", delivery), area=None)
