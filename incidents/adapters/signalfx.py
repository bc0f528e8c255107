"""Splunk Observability Cloud's (SignalFx's) webhook for detectors."""

from __future__ import annotations

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Statement

VERSION = 1
TITLE = "Splunk Observability Cloud"
READS = ("signalfx",)
SETUP = {
    "snippets": [
        {
            "title": "Data management → Available integrations → Webhook",
            "language": "text",
            "text": """\
URL      {url}
Headers  Authorization: Bearer {key}
""",
            "note": "Then add the integration as a recipient of each detector's rules.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Splunk"],
        ["On 5xx", "not stated by Splunk"],
        ["Repeats", "by the rule's reminders; repeats change nothing here"],
        ["Resolved", "sent with statusExtended ok, auto resolved, manually resolved or stopped"],
        ["Time zone", "UTC"],
    ],
}

_STATES = {"anomalous": False, **dict.fromkeys(("ok", "auto resolved", "manually resolved", "stopped"), True)}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the incident's id."""
    said = monitors.object_in(delivery, "a message of a detector")
    inputs = payload.object_of(said.get("inputs"))
    title = payload.title_of(monitors.first(said, "messageTitle") or inputs.get("messageTitle"))
    over = bool(monitors.state_of(monitors.first(said, "statusExtended", "status"), _STATES, "statusExtended"))
    # A person's hand shows in the title even where statusExtended still says anomalous.
    over = over or (title or "").startswith("Manually resolved")
    at = monitors.instant(said.get("timestamp"), "timestamp", delivery)
    rule, detector = monitors.word(said.get("rule"), inputs.get("rule")), monitors.word(said.get("detector"))
    event = monitors.event_of(
        delivery,
        key=said.get("incidentId"),
        title=f"{rule} ({detector})" if rule and detector else rule or title,
        over=over,
        severity=severities.severity(said.get("severity")),
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        final=True,
        labels={
            "rule": rule,
            "detector": detector,
            "metric": said.get("originatingMetric"),
            **payload.labels_of(said.get("dimensions")),
        },
        url=said.get("detectorUrl"),
        text=monitors.first(said, "messageBody", "description") or inputs.get("description"),
    )
    return [event]
