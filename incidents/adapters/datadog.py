"""Datadog's webhooks integration: the payload of the set-up below, and others that say a monitor's transition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from incidents.formats import forms, labels, monitors, payload, placeholders, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Datadog"
READS = ("datadog",)
SETUP = {
    "snippets": [
        {
            "title": "Payload",
            "language": "json",
            "text": """\
{
  "alert_cycle_key": "$ALERT_CYCLE_KEY", "aggreg_key": "$AGGREG_KEY", "alert_id": "$ALERT_ID",
  "alert_scope": "$ALERT_SCOPE", "alert_transition": "$ALERT_TRANSITION", "alert_type": "$ALERT_TYPE",
  "alert_title": "$ALERT_TITLE", "alert_priority": "$ALERT_PRIORITY", "alert_metric": "$ALERT_METRIC",
  "event_type": "$EVENT_TYPE", "date": "$DATE", "last_updated": "$LAST_UPDATED", "hostname": "$HOSTNAME",
  "tags": "$TAGS", "link": "$LINK", "text": "$TEXT_ONLY_MSG", "org_name": "$ORG_NAME"
}
""",
            "note": "Integrations → Webhooks → New: paste it as the payload; leave `Encode as form` off.",
        },
        {
            "title": "URL and custom headers",
            "language": "text",
            "text": """\
URL:             {url}
Custom Headers:  {"Authorization": "Bearer {key}"}
Then write @webhook-barograph into the message of the monitors.
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on; the answer must come within 15 s"],
        ["On 4xx", "drops the notification for good"],
        ["On 5xx", "tries again up to five times"],
        ["Repeats", "Renotify, for as long as the monitor says; the alert stays one"],
        ["Resolved", "the transition Recovered"],
        ["Test", "[TEST] in the title; kept as a test"],
        ["Time zone", "epoch milliseconds as text"],
    ],
}
_TRANSITIONS: Mapping[str, bool | None] = {
    **dict.fromkeys(("triggered", "re-triggered", "warn", "re-warn", "no data", "re-no data", "renotify"), False),
    **dict.fromkeys(("alert", "error", "warning"), False),
    **dict.fromkeys(("recovered", "success", "ok"), True),
    **dict.fromkeys(("muted", "unmuted", "null", "info"), None),
}
_LEADING = re.compile(
    r"\[(?P<words>P[1-5]|TEST|Monitor Alert|(?:Re-)?(?:Triggered|Warn|No Data)|Renotify|Recovered)"
    r"(?: on (?P<scope>\{[^}]*\}))?\]\s*",
    re.IGNORECASE,
)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for the monitor's group. Without a cycle key, monitor and group name it, else its bare title."""
    message = placeholders.filled(forms.fields_in(delivery))
    heading = payload.title_of(monitors.first(message, "alert_title", "title", "event_title"))
    if heading is None or not {"alert_transition", "alert_type", "event_type", "last_updated"} & set(message):
        raise UnrecognisedError("not a Datadog webhook: it has no title of a monitor")
    bare = _LEADING.sub("", heading) or heading
    found = [match["words"] for match in _LEADING.finditer(heading)]
    stated = [word for word in found if word.casefold() in _TRANSITIONS]
    word = monitors.first(message, "alert_transition") or (stated[0] if stated else message.get("alert_type"))
    over = monitors.state_of(word, _TRANSITIONS, "the transition")
    transition = (payload.title_of(word) or "").casefold()
    if over is None:
        return []
    at = monitors.instant(monitors.first(message, "date", "last_updated"), "date", delivery)
    cycle = payload.key_of(message.get("alert_cycle_key"))
    scope = monitors.first(message, "alert_scope", "scopes")
    monitor = monitors.first(message, "monitor_id", "alert_id")
    priority = monitors.first(message, "alert_priority", "severity", "priority") or next(
        (word for word in found if word[1:].isdecimal()), None
    )
    organisation = payload.object_of(message.get("org")).get("name") or message.get("org_name")
    return [
        monitors.event_of(
            delivery,
            key=cycle
            or (monitors.key_from(monitor, scope) if monitor else monitors.first(message, "aggreg_key") or bare),
            title=bare,
            over=over,
            severity=_severity(transition, priority, message),
            said_at=at,
            starts_at=at if transition == "triggered" else None,
            ends_at=at,
            final=cycle is not None,
            test="[test]" in heading.casefold(),
            labels=labels.merged(
                {name: word for name, word in monitors.tags_of(scope).items() if name != "tags"},
                monitors.tags_of(message.get("tags")),
                {"host": message.get("hostname"), "monitor": monitor, "organisation": organisation},
                {"priority": priority},
            ),
            url=monitors.first(message, "link", "url", "event_url"),
            text=(payload.text_of(monitors.first(message, "text", "body", "message")) or "").strip("%\n "),
        )
    ]


def _severity(transition: str, priority: object, message: Mapping[str, Any]) -> Severity:
    if transition.endswith("warn"):
        return Severity.WARNING
    said = severities.severity(priority)
    return said if said is not Severity.UNKNOWN else severities.severity(message.get("alert_type"))
