"""PagerDuty's Events API, versions 2 and 1, as a receiver: what can page PagerDuty can be pointed here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidents.formats import labels, monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "PagerDuty Events API"
READS = ("pagerduty-events-v2", "pagerduty-events-v1")
REPLY = 202
TIMEOUT = timedelta(hours=24)
"""How long a trigger without a dedup_key is taken to be on: its sender cannot name it to resolve it."""
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Any tool with a PagerDuty Events API address",
            "language": "text",
            "text": "{url}/{key}\n",
            "note": "In place of https://events.pagerduty.com/v2/enqueue. Its integration key may be any text.",
        },
        {
            "title": "alertmanager.yml",
            "language": "yaml",
            "text": """\
receivers:
  - name: barograph
    pagerduty_configs:
      - url: {url}/{key}
        routing_key: barograph
        send_resolved: true
""",
        },
        {
            "title": "curl",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "routing_key": "barograph", "event_action": "trigger", "dedup_key": "db-1/disk",
  "payload": {"summary": "Disk full on db-1", "source": "db-1", "severity": "critical"}}'
""",
        },
    ],
    "facts": [
        ["On 2xx", "202 means accepted"],
        ["On 4xx", "most clients drop the event for good"],
        ["On 5xx", "most clients try again"],
        ["Repeats", "the same dedup_key is the same alert"],
        ["Resolved", "event_action resolve with the same dedup_key; without a dedup_key 24 hours are assumed"],
        ["Time zone", "payload.timestamp carries its offset; without it the receipt counts"],
    ],
}
# An acknowledgement starts nothing, has no title and may speak of what never was.
_ACTIONS = {"trigger": False, "acknowledge": None, "resolve": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event, or one change where the event has a payload and no action; none for an acknowledgement."""
    message = monitors.object_in(delivery, "an Events API request")
    account = payload.key_of(monitors.first(message, "routing_key", "service_key"))
    action = monitors.first(message, "event_action", "event_type")
    said = payload.object_of(message.get("payload"))
    if account is None or not (action or monitors.first(said, "summary")):
        raise UnrecognisedError("not an Events API request: a routing key, and an action or a payload are needed")
    # Version 1 has its fields beside the action, with a free object `details`.
    fields = said or {**message, "custom_details": message.get("details")}
    at = monitors.instant(said.get("timestamp"), "payload.timestamp", delivery)
    over = False if action is None else monitors.state_of(action, _ACTIONS, "event_action")
    if over is None:
        return []
    named = payload.key_of(monitors.first(message, "dedup_key", "incident_key"))
    title = monitors.first(fields, "summary", "description")
    if action and named is None and (over or title is None):
        raise UnrecognisedError("an event without a dedup_key names nothing")
    details, start = fields.get("custom_details"), at or delivery.received_at
    # The routing key is a secret of its sender, so only its digest shows; the same bytes again are a retry.
    name = named or f"once/{hashlib.sha256(delivery.body).hexdigest()[:32]}"
    return [
        monitors.event_of(
            delivery,
            key=f"{hashlib.sha256(account.encode()).hexdigest()[:8]}/{name}",
            title=title,
            over=over or action is None,
            kind="alert" if action else "change",
            severity=severities.severity(fields.get("severity")),
            said_at=at,
            starts_at=at if action == "trigger" else None if action else start,
            ends_at=None if action else start,
            timeout=None if named else TIMEOUT,
            labels=_labels(fields, message),
            url=_url(message),
            text=details if isinstance(details, str) else None,
            group=fields.get("group"),
        )
    ]


def _labels(fields: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, str]:
    own = {name: fields.get(name) for name in ("source", "component", "group", "class")}
    details = payload.object_of(fields.get("custom_details"))
    return payload.labels_of(labels.merged(details, {"client": message.get("client")}, own))


def _url(message: Mapping[str, Any]) -> str | None:
    links = [payload.object_of(link).get("href") for link in payload.list_of(message.get("links"))]
    return next((url for said in (message.get("client_url"), *links) if (url := payload.url_of(said))), None)
