"""Elastic's Kibana rules by a webhook connector and the template below."""

from __future__ import annotations

from incidents.formats import monitors, payload, placeholders, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Elastic (Kibana)"
READS = ("elastic",)
SETUP = {
    "snippets": [
        {
            "title": "Webhook connector",
            "language": "text",
            "text": """\
Method          POST
URL             {url}
Authentication  none
HTTP header     Authorization: Bearer {key}
""",
        },
        {
            "title": "Body of the rule's action, once for its alerts and once for “Recovered”",
            "language": "json",
            "text": """\
{
  "alert_uuid": "{{alert.uuid}}", "alert_id": "{{alert.id}}", "action_group": "{{alert.actionGroup}}",
  "action_group_name": "{{alert.actionGroupName}}", "rule_id": "{{rule.id}}", "rule_name": "{{rule.name}}",
  "rule_type": "{{rule.type}}", "space": "{{rule.spaceId}}", "tags": "{{rule.tags}}", "date": "{{date}}",
  "reason": "{{context.reason}}", "host": "{{context.host.name}}", "service": "{{context.serviceName}}",
  "environment": "{{context.environment}}", "details_url": "{{context.alertDetailsUrl}}", "url": "{{rule.url}}"
}
""",
            "note": "Action frequency: for each alert, on status changes. "
            "A tag such as `severity:error` says how grave.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "gives up; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "tries again"],
        ["Repeats", "by the action's frequency; repeats change nothing here"],
        ["Resolved", "sent by the second action, of the group “recovered”"],
        ["Time zone", "UTC"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its uuid, of which each episode has its own; by rule and alert id in Kibana before 8.6."""
    sent = monitors.object_in(delivery, "a message of our template")
    if not sent.keys() & {"alert_uuid", "alert_id"} or "action_group" not in sent:
        raise UnrecognisedError("not a message of our template: no alert_uuid or no action_group")
    said = placeholders.filled(sent)
    if not any(monitors.is_said(said.get(name)) for name in ("alert_uuid", "alert_id", "rule_id")):
        return []  # the connector's test tab fills nothing in
    group = (payload.title_of(said.get("action_group")) or "").casefold()
    over = group == "recovered"
    tags = monitors.tags_of(said.get("tags"))
    gravity = severities.severity(monitors.first(said, "severity") or tags.get("severity"))
    if gravity is Severity.UNKNOWN and not over and "warning" in group:
        gravity = Severity.WARNING
    at = monitors.instant(said.get("date"), "date", delivery)
    rule, alert = payload.title_of(said.get("rule_name")), payload.title_of(said.get("alert_id"))
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "alert_uuid") or monitors.key_from(said.get("rule_id"), alert),
        title=f"{rule or 'Rule without a name'}: {alert}" if alert and alert != "*" else rule,
        over=over,
        severity=gravity,
        said_at=at,
        ends_at=at if over else None,
        final=monitors.is_said(said.get("alert_uuid")),
        labels={
            "rule": rule,
            "rule_type": said.get("rule_type"),
            "space": said.get("space"),
            **{name: said.get(name) for name in ("host", "service", "environment")},
            **tags,
        },
        url=monitors.first(said, "details_url", "url"),
        text=said.get("reason"),
        group=said.get("rule_id"),
    )
    return [event]
