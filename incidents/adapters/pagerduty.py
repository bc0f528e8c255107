"""PagerDuty's outgoing webhooks: version 3, and the older 2 and 1 that send a list of messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Event, Loss, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "PagerDuty webhooks"
READS = ("pagerduty-v3", "pagerduty-v2", "pagerduty-v1")
VERIFIES = "bearer key or X-PagerDuty-Signature"
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Generic Webhooks (v3)",
            "language": "text",
            "text": """\
Integrations → Generic Webhooks (v3) → New Webhook
Webhook URL:        {url}
Scope Type:         Account
Event Subscription: incident.triggered, incident.acknowledged, incident.unacknowledged, incident.reopened,
                    incident.priority_updated, incident.resolved
Custom Headers:     Authorization = Bearer {key}
""",
            "note": "Or leave the header out and give the subscription's secret to this source as its `secret`.",
        },
        {
            "title": "API",
            "language": "shell",
            "text": """\
curl https://api.pagerduty.com/webhook_subscriptions -H 'Content-Type: application/json' \\
  -H "Authorization: Token token=$PAGERDUTY_API_TOKEN" -d '{"webhook_subscription": {
  "type": "webhook_subscription", "description": "barograph", "filter": {"type": "account_reference"},
  "delivery_method": {"type": "http_delivery_method", "url": "{url}",
    "custom_headers": [{"name": "Authorization", "value": "Bearer {key}"}]},
  "events": ["incident.triggered", "incident.acknowledged", "incident.unacknowledged", "incident.reopened",
    "incident.priority_updated", "incident.resolved"]}}'
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on; the answer must come within 5 s"],
        ["On 4xx", "drops the event (429: tries again); three drops in a row disable the subscription for a day"],
        ["On 5xx", "tries again for 48 hours; later events of the same incident wait behind it"],
        ["Repeats", "at least once; repeats change nothing here"],
        ["Resolved", "incident.resolved"],
        ["Time zone", "UTC"],
    ],
}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Hex HMAC-SHA256 of the body in `v1=…`; during a rotation there are several."""
    given = signatures.offered(delivery.headers.get("x-pagerduty-signature"), "v1=")
    return signatures.is_signed(delivery.body, given, secrets)


proof = signatures.untimed


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for each message that shows an incident's state; notes and other resources say none."""
    body = monitors.object_in(delivery, "a PagerDuty webhook")
    event, messages = body.get("event"), body.get("messages")
    if isinstance(event, dict) and isinstance(event.get("event_type"), str):
        said = payload.object_of(event.get("data"))
        shows = said.get("type") == "incident" and event["event_type"].startswith("incident.")
        return [_event(said, event["event_type"], event.get("occurred_at"), delivery)] if shows else []
    if not isinstance(messages, list):
        raise UnrecognisedError("not a PagerDuty webhook: neither an event nor a list of messages")
    statements: list[Statement] = []
    reasons: list[str] = []
    for index, message in enumerate(payload.object_of(message) for message in messages):
        said = payload.object_of(message.get("incident") or payload.object_of(message.get("data")).get("incident"))
        word = payload.text_of(monitors.first(message, "event", "type")) or ""
        try:
            statements.append(_event(said, word, monitors.first(message, "created_on", "created_at"), delivery))
        except UnrecognisedError as error:
            reasons.append(f"messages[{index}]: {error}")
    if reasons and not statements:
        raise UnrecognisedError(reasons[0])
    return (
        [*statements, Loss(len(reasons), f"messages that could not be read: {reasons[0]}")] if reasons else statements
    )


def _event(incident: Mapping[str, Any], word: str, said: object, delivery: Delivery) -> Event:
    said_at = monitors.instant(said, "the event's time", delivery)
    starts_at = monitors.instant(monitors.first(incident, "created_at", "created_on"), "created_at", delivery)
    over = word in {"incident.resolve", "incident.resolved"} or incident.get("status") == "resolved"
    ended = monitors.first(incident, "resolved_at", "last_status_change_at", "last_status_change_on")
    priority, urgency = payload.object_of(incident.get("priority")), incident.get("urgency")
    service, summary = payload.object_of(incident.get("service")), incident.get("trigger_summary_data")
    teams = [payload.object_of(team).get("summary") for team in payload.list_of(incident.get("teams"))]
    title = monitors.first(incident, "title") or monitors.first(
        payload.object_of(summary), "subject", "description", "SERVICEDESC", "HOSTNAME"
    )
    return monitors.event_of(
        delivery,
        key=incident.get("id"),
        title=monitors.first({"title": title, **incident}, "title", "summary", "description", "incident_key"),
        over=over,
        severity=severities.severity(monitors.first(priority, "summary", "name") or urgency),
        said_at=said_at,
        starts_at=starts_at or (said_at if word == "incident.triggered" else None),
        ends_at=monitors.instant(ended, "the end", delivery) if over else None,
        labels={
            "service": monitors.first(service, "summary", "name"),
            "team": ", ".join(team for team in teams if isinstance(team, str)),
            "urgency": urgency,
            "priority": monitors.first(priority, "summary", "name"),
            "incident_key": incident.get("incident_key"),
        },
        url=incident.get("html_url"),
    )
