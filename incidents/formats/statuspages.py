"""An incident of an Atlassian Statuspage, whether its webhook brought it or its page was read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from incidents.formats import monitors, payload, severities
from incidents.geography import region_names
from incidents.model import Delivery, Event, Post

_STATES = {
    **dict.fromkeys(("investigating", "identified", "monitoring", "scheduled", "in_progress", "verifying"), False),
    **dict.fromkeys(("resolved", "postmortem", "completed"), True),
}


def incident_of(incident: Mapping[str, Any], page: Mapping[str, Any], delivery: Delivery) -> Event:
    """A provider incident, or a maintenance, known by its own id: the webhook and the page speak of the same one.

    `started_at` is what the provider claims and may lie before `created_at`, when it was typed in.
    """
    over = monitors.state_of(incident.get("status"), _STATES, "incident.status") or False
    planned = monitors.instant(incident.get("scheduled_for"), "scheduled_for", delivery)
    until = monitors.instant(incident.get("scheduled_until"), "scheduled_until", delivery) if planned else None
    started = planned or monitors.instant(monitors.first(incident, "started_at", "created_at"), "created_at", delivery)
    posts, names = _posts(incident, delivery), _components(incident)
    name = monitors.first(page, "name", "id") or incident.get("page_id")
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
        labels={"page": name, "component": ", ".join(names), "status": incident.get("status")},
        url=monitors.first(incident, "shortlink") or page.get("url"),
        text=posts[-1].text if posts else None,
    )
    if until and started and not over and until >= started:
        event = replace(event, ends_at=until, ends_expected=True)
    regions = [region for one in names for region in region_names.of_component(one, monitors.word(name))]
    area = region_names.area(regions)
    return replace(event, posts=posts, area=area, event="Scheduled maintenance" if planned else None)


def _components(incident: Mapping[str, Any]) -> list[str]:
    """Names of its components, less those that only hold others."""
    found = (payload.object_of(one) for one in payload.list_of(incident.get("components")))
    names = (payload.title_of(one.get("name")) for one in found if one.get("group") is not True)
    return [name for name in names if name]


def _posts(incident: Mapping[str, Any], delivery: Delivery) -> tuple[Post, ...]:
    """The incident's updates, the oldest first."""
    posts = []
    for update in (payload.object_of(one) for one in payload.list_of(incident.get("incident_updates"))[:500]):
        at = monitors.instant(monitors.first(update, "display_at", "created_at"), "incident_updates", delivery)
        text = payload.text_of(update.get("body"))
        if at and text:
            posts.append(Post(at, text))
    return tuple(sorted(posts, key=lambda post: post.at))
