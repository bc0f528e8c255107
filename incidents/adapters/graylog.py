"""Graylog's HTTP notification, and the alarm callback of Graylog 2."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Graylog"
READS = ("graylog",)
TIMEOUT = timedelta(minutes=30)
SETUP = {
    "snippets": [
        {
            "title": "Alerts → Notifications → Create notification, of type HTTP",
            "language": "text",
            "text": """\
URL  {url}/{key}
""",
            "note": "Allow the address when Graylog asks, and add the notification to each event definition.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "writes an error to its log"],
        ["On 5xx", "writes an error to its log"],
        ["Repeats", "each event is an alert of its own; the definition's grace period bounds them"],
        ["Resolved", "never sent by events: an alert is taken to last 30 minutes"],
        ["Time zone", "UTC"],
    ],
}

_PRIORITIES = {1: Severity.INFO, 2: Severity.WARNING, 3: Severity.ERROR, 4: Severity.CRITICAL}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert for an event by its id; of Graylog 2 one by its condition and time."""
    said = monitors.object_in(delivery, "a Graylog message")
    if isinstance(said.get("check_result"), dict):
        return _callback(said["check_result"], payload.object_of(said.get("stream")), delivery)
    event = payload.object_of(said.get("event"))
    if not event or not said.keys() & {"event_definition_id", "event_definition_title"}:
        raise UnrecognisedError("not a Graylog message: neither an event with its definition nor a check_result")
    statement = monitors.event_of(
        delivery,
        key=event.get("id"),
        title=said.get("event_definition_title") or event.get("message"),
        over=False,
        severity=_PRIORITIES.get(payload.count_of(event.get("priority")), Severity.UNKNOWN),
        starts_at=monitors.instant(event.get("timestamp"), "event.timestamp", delivery),
        timeout=TIMEOUT,
        final=True,
        test=said.get("event_definition_id") == "this-is-a-test-notification",
        labels={name: event.get(name) for name in ("source", "key")}
        | payload.labels_of(event.get("group_by_fields"))
        | payload.labels_of(event.get("fields")),
        url=event.get("replay_url"),
        text=event.get("message"),
        group=monitors.key_from(said.get("event_definition_id"), event.get("key")),
    )
    return [statement]


def _callback(result: Mapping[str, Any], stream: Mapping[str, Any], delivery: Delivery) -> list[Statement]:
    condition = payload.object_of(result.get("triggered_condition"))
    triggered = payload.flag_of(result.get("triggered"))
    if triggered is None:
        raise UnrecognisedError("check_result.triggered is neither true nor false")
    if not triggered:
        return []
    at = monitors.instant(result.get("triggered_at"), "triggered_at", delivery)
    statement = monitors.event_of(
        delivery,
        key=monitors.key_from(
            monitors.first(condition, "id") or stream.get("id"), (at or delivery.received_at).isoformat()
        ),
        title=condition.get("title") or stream.get("title"),
        over=False,
        starts_at=at,
        timeout=TIMEOUT,
        final=True,
        labels={"stream": stream.get("title")},
        text=result.get("result_description"),
        group=condition.get("id"),
    )
    return [statement]
