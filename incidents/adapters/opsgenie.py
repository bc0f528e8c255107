"""Opsgenie's outgoing webhook: what happens to an alert there."""

from __future__ import annotations

from incidents.formats import labels, monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Opsgenie"
READS = ("opsgenie",)
SETUP = {
    "snippets": [
        {
            "title": "Webhook integration",
            "language": "text",
            "text": """\
Settings → Integrations → Add integration → Webhook
Webhook URL:      {url}
Custom Headers:   Authorization: Bearer {key}
Add Alert Description to Payload:  on
Add Alert Details to Payload:      on
Alert actions:    alert is created, acknowledged, unacknowledged, closed, deleted
""",
            "note": "Details of an alert become labels: `datacenter`, `service`, `region` are good ones.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "not documented"],
        ["Repeats", "Create comes again for each team that is added; it is the same alert"],
        ["Resolved", "Close and Delete"],
        ["Time zone", "epoch milliseconds (createdAt) and nanoseconds (updatedAt)"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event; none for an action that tells nothing of the alert but its id."""
    message = monitors.object_in(delivery, "an Opsgenie webhook")
    alert, action = message.get("alert"), payload.text_of(message.get("action"))
    if not isinstance(alert, dict) or action is None:
        raise UnrecognisedError("not an Opsgenie webhook: it has no action on an alert")
    over = action in {"Close", "Delete"}
    if not (over or payload.title_of(alert.get("message"))):
        return []
    priority = payload.text_of(alert.get("priority"))
    teams = [payload.title_of(team) for team in payload.list_of(alert.get("teams"))]
    own = {
        "priority": f"P{priority}" if priority and priority.isdecimal() else priority,
        "entity": alert.get("entity"),
        "source": alert.get("source"),
        "alias": alert.get("alias"),
        "team": ", ".join(team for team in teams if team),
    }
    return [
        monitors.event_of(
            delivery,
            key=alert.get("alertId"),
            title=alert.get("message"),
            over=over,
            severity=severities.severity(own["priority"]),
            said_at=monitors.instant(monitors.first(alert, "updatedAt", "createdAt"), "updatedAt", delivery),
            starts_at=monitors.instant(alert.get("createdAt"), "createdAt", delivery),
            final=True,
            labels=labels.merged(monitors.tags_of(alert.get("tags")), payload.object_of(alert.get("details")), own),
            text=monitors.first(alert, "description", "note"),
        )
    ]
