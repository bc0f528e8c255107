"""Dash0's webhook for check rules."""

from __future__ import annotations

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Dash0"
READS = ("dash0",)
SETUP = {
    "snippets": [
        {
            "title": "Organisation settings → Notification channels → Webhook",
            "language": "text",
            "text": """\
URL      {url}
Headers  Authorization: Bearer {key}
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Dash0"],
        ["On 5xx", "not stated by Dash0"],
        ["Repeats", "while the issue is on; repeats change nothing here"],
        ["Resolved", "sent as alert.resolved"],
        ["Time zone", "UTC"],
    ],
}

_GRAVITY = {"critical": Severity.CRITICAL, "failed": Severity.CRITICAL, "degraded": Severity.WARNING}

_SHORT = {
    "service.name": "service",
    "host.name": "host",
    "cloud.region": "region",
    "cloud.availability_zone": "zone",
    "k8s.cluster.name": "cluster",
    "k8s.namespace.name": "namespace",
    "deployment.environment.name": "env",
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the issue's id; nothing for the channel's test."""
    said = monitors.object_in(delivery, "a Dash0 message")
    kind = payload.title_of(said.get("type")) or ""
    issue = payload.object_of(payload.object_of(said.get("data")).get("issue"))
    if kind == "test":
        return []
    if not kind.startswith("alert.") or not issue:
        raise UnrecognisedError("not a Dash0 message: type does not begin with alert., or there is no data.issue")
    status = payload.title_of(issue.get("status")) or ""
    over = kind == "alert.resolved" or status == "resolved"
    rules = [payload.object_of(rule) for rule in payload.list_of(issue.get("checkrules"))]
    names = monitors.joined([rule.get("name") for rule in rules])
    event = monitors.event_of(
        delivery,
        key=monitors.first(issue, "id", "issueIdentifier"),
        title=issue.get("summary") or names,
        over=over,
        severity=_GRAVITY.get(status, Severity.UNKNOWN),
        starts_at=monitors.instant(issue.get("start"), "issue.start", delivery),
        ends_at=monitors.moment(issue.get("end"), delivery) if over else None,
        final=True,
        labels=_labels(issue.get("labels")) | {"dataset": issue.get("dataset"), "rule": names},
        url=issue.get("url"),
        text=issue.get("description"),
    )
    return [event]


def _labels(said: object) -> dict[str, object]:
    """Labels in OpenTelemetry's writing, `{"key", "value": {"stringValue"}}`, with our short names beside its own."""
    labels: dict[str, object] = {}
    for attribute in map(payload.object_of, payload.list_of(said)):
        name, values = payload.title_of(attribute.get("key")), payload.object_of(attribute.get("value"))
        if name:
            labels[name] = next(iter(values.values()), None)
    return labels | {short: labels[name] for name, short in _SHORT.items() if name in labels}
