"""Coralogix's generic webhook by its default body."""

from __future__ import annotations

from incidents.formats import monitors, payload, placeholders, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Coralogix"
READS = ("coralogix",)
SETUP = {
    "snippets": [
        {
            "title": "Data flow → Outbound webhooks → Generic webhook",
            "language": "json",
            "text": """\
{
  "url": "{url}",
  "method": "POST",
  "headers": {"Content-Type": "application/json", "Authorization": "Bearer {key}"},
  "payload": {
    "alert_id": "$ALERT_ID", "name": "$ALERT_NAME", "description": "$ALERT_DESCRIPTION",
    "alert_action": "$ALERT_ACTION", "alert_url": "$ALERT_URL",
    "fields": [
      {"key": "alertUniqueIdentifier", "value": "$ALERT_UNIQUE_IDENTIFIER"},
      {"key": "dedupKey", "value": "$DEDUP_KEY"},
      {"key": "severity", "value": "$EVENT_SEVERITY"}, {"key": "timestampISO", "value": "$EVENT_TIMESTAMP_ISO"},
      {"key": "application", "value": "$APPLICATION_NAME"}, {"key": "subsystem", "value": "$SUBSYSTEM_NAME"},
      {"key": "team", "value": "$TEAM_NAME"}, {"key": "computer", "value": "$COMPUTER_NAME"}
    ]
  }
}
""",
            "note": "The body that Coralogix proposes is read as well. Tick “Notify when resolved” in the alert.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Coralogix"],
        ["On 5xx", "not stated by Coralogix"],
        ["Repeats", "by the alert's “retriggering period”; repeats change nothing here"],
        ["Resolved", "sent as alert_action resolve when the alert notifies when resolved"],
        ["Time zone", "UTC"],
    ],
}

_ACTIONS = {"trigger": False, "triggered": False, "resolve": True, "resolved": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its deduplication key, else by its id, which later alerts share."""
    said = placeholders.filled(monitors.object_in(delivery, "a Coralogix message"))
    if "alert_action" not in said:
        raise UnrecognisedError("not a Coralogix message: it has no alert_action")
    over = bool(monitors.state_of(said["alert_action"], _ACTIONS, "alert_action"))
    fields = {
        monitors.word(field.get("key")): field.get("value")
        for field in map(payload.object_of, payload.list_of(said.get("fields")))
        if isinstance(field.get("value"), str | int) and field["value"] not in {"null", "Multiple IPs"}
    }
    at = monitors.instant(monitors.first(fields, "timestampISO", "timestampMs", "timestamp"), "timestampISO", delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.first(fields, "dedupKey") or monitors.first(said, "alert_id", "uuid"),
        title=said.get("name"),
        over=over,
        severity=Severity.UNKNOWN if over else severities.severity(monitors.first(fields, "severity", "priority")),
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        labels={
            name: fields.get(name)
            for name in ("application", "subsystem", "team", "computer", "ipAddress", "category", "priority")
        }
        | monitors.tags_of(fields.get("metaLabels")),
        url=said.get("alert_url"),
        text=monitors.first(said, "description") or fields.get("text"),
        group=said.get("alert_id"),
    )
    return [event]
