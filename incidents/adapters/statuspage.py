"""Atlassian Statuspage's subscriber webhook: an upstream provider's incidents, maintenances and components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from incidents import monitors, payload, severities
from incidents.model import Delivery, Event, Post, Severity, Statement, UnrecognisedError

VERSION = 1
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
_INCIDENTS = {
    **dict.fromkeys(("investigating", "identified", "monitoring", "scheduled", "in_progress", "verifying"), False),
    **dict.fromkeys(("resolved", "postmortem", "completed"), True),
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
        return [_incident(message["incident"], page, delivery)]
    if isinstance(message.get("component_update"), dict):
        return [_component(message["component_update"], payload.object_of(message.get("component")), page, delivery)]
    raise UnrecognisedError("not a Statuspage notification: neither an incident nor a component_update")


def _incident(incident: Mapping[str, Any], page: Mapping[str, Any], delivery: Delivery) -> Event:
    over = monitors.state_of(incident.get("status"), _INCIDENTS, "incident.status") or False
    planned = monitors.instant(incident.get("scheduled_for"), "scheduled_for", delivery)
    until = monitors.instant(incident.get("scheduled_until"), "scheduled_until", delivery) if planned else None
    started = planned or monitors.instant(monitors.first(incident, "started_at", "created_at"), "created_at", delivery)
    posts = _posts(incident, delivery)
    names = [
        payload.title_of(payload.object_of(one).get("name")) for one in payload.list_of(incident.get("components"))
    ]
    event = monitors.event_of(
        delivery,
        key=incident.get("id"),
        title=incident.get("name"),
        over=over,
        kind="provider_incident",
        severity=severities.severity(monitors.first(incident, "impact_override", "impact")),
        said_at=monitors.instant(incident.get("updated_at"), "updated_at", delivery),
        starts_at=started,
        ends_at=monitors.instant(incident.get("resolved_at"), "resolved_at", delivery),
        labels={
            "page": monitors.first(page, "name", "id") or incident.get("page_id"),
            "component": ", ".join(name for name in names if name),
            "status": incident.get("status"),
        },
        url=monitors.first(incident, "shortlink") or page.get("url"),
        text=posts[-1].text if posts else None,
    )
    if until and started and not over and until >= started:
        event = replace(event, ends_at=until, ends_expected=True)
    return replace(event, posts=posts, event="Scheduled maintenance" if planned else None)


def _posts(incident: Mapping[str, Any], delivery: Delivery) -> tuple[Post, ...]:
    """The incident's updates, the oldest first."""
    posts = []
    for update in (payload.object_of(one) for one in payload.list_of(incident.get("incident_updates"))[:500]):
        at = monitors.instant(monitors.first(update, "display_at", "created_at"), "incident_updates", delivery)
        text = payload.text_of(update.get("body"))
        if at and text:
            posts.append(Post(at, text))
    return tuple(sorted(posts, key=lambda post: post.at))


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
