"""New Relic's webhooks: issues of workflows in their default payload or one like it, and legacy channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import labels, monitors, payload, placeholders, severities
from incidents.model import Delivery, Event, Statement, UnrecognisedError

VERSION = 1
TITLE = "New Relic"
READS = ("newrelic", "newrelic-legacy")
SETUP = {
    "snippets": [
        {
            "title": "Destination",
            "language": "text",
            "text": """\
Alerts → Destinations → Webhook
Endpoint URL:    {url}
Authorization:   Bearer token
Token:           {key}
""",
        },
        {
            "title": "Payload of the workflow's webhook",
            "language": "json",
            "text": """\
{
  "id": {{ json issueId }},
  "issueUrl": {{ json issuePageUrl }},
  "title": {{ json annotations.title.[0] }},
  "priority": {{ json priority }},
  "impactedEntities": {{ json entitiesData.names }},
  "totalIncidents": {{ json totalIncidents }},
  "state": {{ json state }},
  "trigger": {{ json triggerEvent }},
  "createdAt": {{ createdAt }},
  "updatedAt": {{ updatedAt }},
  "alertPolicyNames": {{ json accumulations.policyName }},
  "alertConditionNames": {{ json accumulations.conditionName }},
  "workflowName": {{ json workflowName }}
}
""",
            "note": "Workflows → Notify → Webhook. Let it notify on activated, acknowledged and closed.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "not documented"],
        ["Repeats", "created, activated and each change of priority; the issue stays one alert"],
        ["Resolved", "state CLOSED; current_state closed of a legacy channel"],
        ["Test", "incident_id 0 of a legacy channel; kept as a test"],
        ["Time zone", "epoch milliseconds"],
    ],
}
_STATES = {
    **dict.fromkeys(("created", "activated", "active", "open", "acknowledged"), False),
    **dict.fromkeys(("closed", "deactivated", "resolved"), True),
    "test": False,
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for the issue or, of a legacy channel, for the incident."""
    message = placeholders.filled(monitors.object_in(delivery, "a New Relic notification"))
    if "current_state" in message:
        return [_legacy(message, delivery)]
    if "state" in message:
        return [_issue(message, delivery)]
    raise UnrecognisedError("not a New Relic notification: neither state nor current_state")


def _issue(message: Mapping[str, Any], delivery: Delivery) -> Event:
    policies = _names(monitors.first(message, "alertPolicyNames", "policy_name"))
    conditions = _names(monitors.first(message, "alertConditionNames", "condition_name"))
    return monitors.event_of(
        delivery,
        key=monitors.first(message, "id", "issueId"),
        title=monitors.first(message, "title") or conditions or message.get("details"),
        over=monitors.state_of(message["state"], _STATES, "state") or False,
        severity=severities.severity(message.get("priority")),
        said_at=monitors.instant(message.get("updatedAt"), "updatedAt", delivery),
        starts_at=monitors.instant(message.get("createdAt"), "createdAt", delivery),
        ends_at=monitors.instant(message.get("closedAt"), "closedAt", delivery),
        final=True,
        labels={
            "entity": _names(message.get("impactedEntities")),
            "policy": policies,
            "condition": conditions,
            "workflow": message.get("workflowName"),
        },
        url=monitors.first(message, "issueUrl", "issuePageUrl"),
        text=message.get("details"),
        group=policies,
    )


def _legacy(message: Mapping[str, Any], delivery: Delivery) -> Event:
    at = monitors.instant(message.get("timestamp"), "timestamp", delivery)
    state = message["current_state"]
    incident, target = message.get("incident_id"), next(iter(payload.list_of(message.get("targets"))), None)
    if incident is None:
        raise UnrecognisedError("without an incident_id nothing says which incident it speaks of")
    return monitors.event_of(
        delivery,
        key=payload.text_of(incident),
        title=monitors.first(message, "condition_name", "event_type", "details"),
        over=monitors.state_of(state, _STATES, "current_state") or False,
        severity=severities.severity(monitors.first(message, "severity", "priority")),
        said_at=at,
        starts_at=at if payload.text_of(state) in {"open", "test"} else None,
        final=True,
        test=payload.text_of(incident) == "0" or state == "test",
        labels=labels.merged(
            payload.object_of(payload.object_of(target).get("labels")),
            {
                "entity": payload.object_of(target).get("name"),
                "policy": message.get("policy_name"),
                "condition": message.get("condition_name"),
                "account": monitors.first(message, "account_name", "account_id"),
            },
        ),
        url=message.get("incident_url"),
        text=message.get("details"),
        group=message.get("policy_name"),
    )


def _names(said: object) -> str | None:
    """A list of names as one text; a template without the json helper writes it as one already."""
    if not isinstance(said, list):
        return payload.title_of(said)
    return ", ".join(name for one in said[:20] if (name := payload.title_of(one))) or None
