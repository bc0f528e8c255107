"""Sentry's webhooks: issues, issue alerts, metric alerts and errors of an integration, and the legacy plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from incidents.formats import labels, monitors, payload, severities
from incidents.model import Delivery, Event, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "Sentry"
READS = ("sentry",)
VERIFIES = "bearer key or Sentry-Hook-Signature"
TIMEOUT = timedelta(hours=1)
"""How long an error is taken to be on after it was seen: no issue alert says that it is over."""
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Internal integration",
            "language": "text",
            "text": """\
Settings → Developer Settings → Custom Integrations → Create New Integration → Internal Integration
Webhook URL:            {url}
Alert Rule Action:      on
Permissions:            Issue & Event: Read
Webhooks:               issue
""",
            "note": "Give the integration's Client Secret to this source as its `secret`: Sentry signs with it.",
        },
        {
            "title": "Without a signature",
            "language": "text",
            "text": "Webhook URL:            {url}/{key}\n",
        },
    ],
    "facts": [
        ["On 2xx", "moves on; the answer must come within 1 s"],
        ["On 4xx and 5xx", "no repeat is documented; 1,000 time-outs within a day switch the webhook off"],
        ["Repeats", "each time that a rule fires; the issue stays one alert"],
        ["Resolved", "issues and metric alerts; an issue alert alone is taken to last an hour"],
        ["Time zone", "UTC"],
    ],
}
_METRIC = {"critical": False, "warning": False, "open": False, "resolved": True}
_QUIET = {"installation", "comment", "seer", "preprod_artifact"}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """Hex HMAC-SHA256 of the body; older integrations name the header after the app."""
    given = monitors.first(delivery.headers, "sentry-hook-signature", "sentry-app-signature")
    return signatures.is_signed(delivery.body, signatures.offered(given), secrets)


proof = signatures.untimed


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event; none for comments and installations, and for the empty bodies that some of them have."""
    resource = delivery.headers.get("sentry-hook-resource")
    if resource in _QUIET or (resource and not delivery.body.strip()):
        return []
    message = monitors.object_in(delivery, "a Sentry webhook")
    inner = payload.object_of(message.get("data"))
    action = payload.text_of(message.get("action")) or ""
    # The header is the rule; without it the one object that each resource has tells.
    if isinstance(inner.get("metric_alert"), dict):
        return [_metric(inner, action, delivery)]
    if isinstance(inner.get("issue"), dict):
        return [_issue(inner["issue"], action, delivery)]
    seen = inner.get("event") or inner.get("error")
    if isinstance(seen, dict):
        return [_seen(seen, seen.get("issue_id"), inner.get("triggered_rule"), delivery)]
    if "comment_id" in inner or "installation" in inner:
        return []
    if "project" in message and ("level" in message or "culprit" in message):
        return [_seen({**payload.object_of(message.get("event")), **message}, message.get("id"), None, delivery)]
    raise UnrecognisedError(
        f"not an alert of Sentry: resource {payload.title_of(resource, 60)}, action {action[:60]!r}"
    )


def _spoken(delivery: Delivery) -> Any:  # noqa: ANN401 - an instant as `instants.parse` takes it
    return delivery.headers.get("sentry-hook-timestamp")


def _issue(issue: Mapping[str, Any], action: str, delivery: Delivery) -> Event:
    """Being ignored, archived or assigned neither starts an issue nor ends it."""
    project = payload.object_of(issue.get("project"))
    started = {"created": issue.get("firstSeen"), "unresolved": issue.get("lastSeen")}.get(action)
    return monitors.event_of(
        delivery,
        key=monitors.key_from("issue", issue.get("id")) if issue.get("id") else None,
        title=monitors.first(issue, "title", "culprit", "shortId"),
        over=action == "resolved" or (issue.get("status") == "resolved" and action != "unresolved"),
        severity=severities.severity(issue.get("level")),
        said_at=monitors.instant(_spoken(delivery) or started, "the time of speaking", delivery),
        starts_at=monitors.instant(started, "firstSeen", delivery),
        labels={
            "project": monitors.first(project, "slug", "name"),
            "platform": monitors.first(issue, "platform"),
            "issue": issue.get("shortId"),
        },
        url=monitors.first(issue, "permalink", "web_url", "url"),
        text=issue.get("culprit"),
    )


def _metric(inner: Mapping[str, Any], action: str, delivery: Delivery) -> Event:
    alert = inner["metric_alert"]
    rule, projects = payload.object_of(alert.get("alert_rule")), payload.list_of(alert.get("projects"))
    over = monitors.state_of(action, _METRIC, "action") or False
    named = monitors.first(alert, "id", "identifier")
    return monitors.event_of(
        delivery,
        key=monitors.key_from("metric_alert", named) if named else None,
        # The alert's own title is a random name, and the description's changes with the state.
        title=monitors.first(rule, "name") or monitors.first(inner, "description_title") or alert.get("title"),
        over=over,
        severity=severities.severity(None if over else action),
        said_at=monitors.instant(_spoken(delivery), "sentry-hook-timestamp", delivery),
        starts_at=monitors.instant(monitors.first(alert, "date_started", "date_detected"), "date_started", delivery),
        ends_at=monitors.instant(alert.get("date_closed"), "date_closed", delivery),
        final=True,
        labels={
            "project": ", ".join(name for one in projects if (name := payload.title_of(one))),
            "environment": rule.get("environment"),
            "organisation": alert.get("organization_id"),
            "rule": rule.get("name"),
        },
        url=inner.get("web_url"),
        text=inner.get("description_text"),
    )


def _seen(event: Mapping[str, Any], issue: object, rule: object, delivery: Delivery) -> Event:
    """One error was seen: its issue is on for as long as TIMEOUT says, or until the issue's own webhook ends it."""
    at = monitors.instant(monitors.first(event, "datetime", "timestamp", "received"), "datetime", delivery)
    tags = [pair for pair in payload.list_of(event.get("tags")) if isinstance(pair, list) and len(pair) == 2]
    named = issue or event.get("event_id")
    return monitors.event_of(
        delivery,
        key=monitors.key_from("issue", named) if named else None,
        title=monitors.first(event, "title", "message", "culprit"),
        over=False,
        severity=severities.severity(event.get("level")),
        said_at=at,
        timeout=TIMEOUT,
        labels=labels.merged(
            {name: value for name, value in tags if isinstance(name, str)},
            {"project": monitors.first(event, "project_slug", "project_name", "project"), "rule": rule},
            {"environment": event.get("environment")},
        ),
        url=monitors.first(event, "web_url", "issue_url", "url"),
        text=event.get("culprit"),
    )
