"""Dynatrace's problem notifications, in the payload of the set-up below or one with the same placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import labels, monitors, payload, placeholders, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Dynatrace"
READS = ("dynatrace",)
SETUP = {
    "snippets": [
        {
            "title": "Custom payload",
            "language": "json",
            "text": """\
{
  "State": "{State}", "ProblemID": "{ProblemID}", "PID": "{PID}", "ProblemTitle": "{ProblemTitle}",
  "ProblemSeverity": "{ProblemSeverity}", "ProblemImpact": "{ProblemImpact}", "ProblemURL": "{ProblemURL}",
  "ImpactedEntity": "{ImpactedEntity}", "ImpactedEntities": {ImpactedEntities}, "Tags": "{Tags}",
  "ProblemDetails": {ProblemDetailsJSON}
}
""",
            "note": "Settings → Integration → Problem notifications → Custom integration.",
        },
        {
            "title": "Webhook",
            "language": "text",
            "text": """\
Webhook URL:                     {url}
Additional HTTP headers:         Authorization: Bearer {key}
Call webhook if problem is closed:  on
""",
        },
    ],
    "facts": [
        ["On 2xx", "delivered"],
        ["On 4xx and 5xx", "not documented"],
        ["Repeats", "updates of a problem are OPEN again; it stays one alert"],
        ["Resolved", "State RESOLVED; MERGED ends it too, for it goes on as another problem"],
        ["Test", "ProblemID TESTID or 999; kept as a test"],
        ["Time zone", "epoch milliseconds in ProblemDetailsJSON; without it the receipt counts"],
    ],
}
_STATES = {"open": False, "resolved": True, "closed": True, "merged": True}
_SEVERITIES = {
    "availability": Severity.CRITICAL,
    "performance": Severity.WARNING,
    "resource": Severity.WARNING,
    "resourcecontention": Severity.WARNING,
    "monitoringunavailable": Severity.WARNING,
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for the problem. Its display number names it: the PID has been seen to differ at the end."""
    message = monitors.object_in(delivery, "a Dynatrace notification")
    if "State" not in message and "State" in payload.object_of(message.get("data")):
        message = message["data"]  # a CloudEvent around it
    message = placeholders.filled(message)
    if "State" not in message or not monitors.first(message, "ProblemID", "PID"):
        raise UnrecognisedError("not a Dynatrace notification: State and ProblemID are needed")
    over = monitors.state_of(message["State"], _STATES, "State") or False
    title = payload.title_of(message.get("ProblemTitle")) or ""
    written = next((found for name in ("ProblemDetailsJSON", "ProblemDetails") if (found := message.get(name))), None)
    details = payload.object_of(written)
    return [
        monitors.event_of(
            delivery,
            key=monitors.first(message, "ProblemID", "PID"),
            title=title,
            over=over,
            severity=severities.severity(
                monitors.first(message, "ProblemSeverity") or details.get("severityLevel"), _SEVERITIES
            ),
            starts_at=monitors.instant(details.get("startTime"), "startTime", delivery),
            ends_at=monitors.instant(details.get("endTime"), "endTime", delivery) if over else None,
            test=payload.text_of(message.get("ProblemID")) in {"TESTID", "999"} or "notification test run" in title,
            labels=labels.merged(
                _entities(message.get("ImpactedEntities")),
                monitors.tags_of(message.get("Tags")),
                {
                    "impact": monitors.first(message, "ProblemImpact") or details.get("impactLevel"),
                    "problem": message.get("PID"),
                },
            ),
            url=message.get("ProblemURL"),
            text=_text(message, written),
        )
    ]


def _entities(said: object) -> dict[str, str]:
    """The names of what is affected by its kind: `host`, `service`, `application`."""
    names: dict[str, list[str]] = {}
    for entity in (payload.object_of(one) for one in payload.list_of(said)[:200]):
        kind, name = payload.title_of(entity.get("type")), payload.title_of(entity.get("name"))
        if kind and name:
            names.setdefault(kind.casefold(), []).append(name)
    return {kind: ", ".join(found) for kind, found in names.items()}


def _text(message: Mapping[str, Any], written: object) -> str | None:
    said = monitors.first(message, "ProblemDetailsText", "ImpactedEntity")
    if payload.text_of(message["State"]) == "MERGED":
        return "Merged into another problem"
    return payload.text_of(said) or payload.text_of(written)
