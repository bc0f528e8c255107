"""Atlassian Statuspage's subscriber webhook: an upstream provider's incidents, maintenances and components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import monitors, payload, severities, statuspages
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 2
TITLE = "Statuspage"
READS = ("statuspage",)
SETUP = {
    "snippets": [
        {
            "title": "Subscribe to a provider's page",
            "language": "text",
            "text": """\
The provider's status page → Subscribe to updates → Webhook (</>)
Webhook URL:  {url}/{key}
""",
            "note": "The page sends no header of ours, so the key stands in the address. Pages may share a source.",
        },
    ],
    "facts": [
        ["On 2xx", "delivered; the answer must come within 30 s, and a redirect fails"],
        ["On 4xx and 5xx", "whether it tries again is not documented"],
        ["Repeats", "every update brings the whole incident; it stays one"],
        ["Resolved", "resolved, completed or postmortem; a component that is operational again"],
        ["Time zone", "times carry their offset"],
    ],
}
_COMPONENTS = {
    **dict.fromkeys(("degraded_performance", "partial_outage", "major_outage", "under_maintenance"), False),
    "operational": True,
}
_SEVERITIES = {
    "degradedperformance": Severity.WARNING,
    "partialoutage": Severity.ERROR,
    "majoroutage": Severity.CRITICAL,
    "undermaintenance": Severity.INFO,
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One provider incident: the page's incident or maintenance, or a component that is not operational."""
    message = monitors.object_in(delivery, "a Statuspage notification")
    page = payload.object_of(message.get("page"))
    if isinstance(message.get("incident"), dict):
        return [statuspages.incident_of(message["incident"], page, delivery)]
    if isinstance(message.get("component_update"), dict):
        return [_component(message["component_update"], payload.object_of(message.get("component")), page, delivery)]
    raise UnrecognisedError("not a Statuspage notification: neither an incident nor a component_update")


def _component(
    update: Mapping[str, Any], component: Mapping[str, Any], page: Mapping[str, Any], delivery: Delivery
) -> Event:
    status, before = payload.text_of(update.get("new_status")), payload.text_of(update.get("old_status"))
    at = monitors.instant(update.get("created_at"), "component_update.created_at", delivery)
    named = monitors.first(update, "component_id") or component.get("id")
    name = payload.title_of(component.get("name"))
    return monitors.event_of(
        delivery,
        key=monitors.key_from("component", named) if named else None,
        title=f"{name}: {(status or '').replace('_', ' ')}" if name and status != "operational" else "",
        over=monitors.state_of(status, _COMPONENTS, "component_update.new_status") or False,
        kind="provider_incident",
        severity=Severity.UNKNOWN if status == "operational" else severities.severity(status, _SEVERITIES),
        said_at=at,
        starts_at=at if before in {"operational", None} and status != "operational" else None,
        labels={"page": monitors.first(page, "name", "id"), "component": name},
        url=page.get("url"),
        text=page.get("status_description"),
    )
