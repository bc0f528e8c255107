"""CloudEvents 1.0 over HTTP: structured, batched and binary."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from incidents.formats import items, monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 3
TITLE = "CloudEvents"
READS = ("cloudevents",)
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "curl",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/cloudevents+json' {url} -d '{
  "specversion": "1.0", "type": "com.example.disk", "source": "/hosts/db-1", "id": "4711",
  "time": "'"$(date -u +%FT%TZ)"'", "data": {"key": "db-1/disk", "status": "firing",
  "title": "Disk full on db-1", "severity": "critical", "labels": {"host": "db-1"}}}'
""",
            "note": "Data with the fields of the generic adapter is read as such; any other event is a change.",
        },
        {
            "title": "Knative trigger",
            "language": "yaml",
            "text": """\
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: barograph}
spec:
  broker: default
  subscriber: {uri: '{url}/{key}'}
""",
        },
    ],
    "facts": [
        ["On 2xx", "by the sender; the standard takes any 2xx for success"],
        ["On 4xx", "by the sender; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "by the sender; we answer 503 with Retry-After when overloaded"],
        ["Repeats", "the same source and id again change nothing here"],
        ["Resolved", "data with status resolved and the key of what it ends"],
        ["Time zone", "named in each time"],
    ],
}

_SAYS = {"status", "severity", "kind", "starts_at", "ends_at", "labels", "reading"}


def normalise(delivery: Delivery) -> list[Statement]:
    """What the data of each event says in our own fields; a change at the event's time where it has other fields.

    Events of a batch that cannot be read are a loss with the first reason; UnrecognisedError when none can be.
    """
    return monitors.several(_events(delivery), lambda event: _statement(event, delivery), "event")


def _events(delivery: Delivery) -> list[Any]:
    attributes = {name[3:]: value for name, value in delivery.headers.items() if name.startswith("ce-")}
    if {"id", "source", "type"} <= attributes.keys():
        return [attributes | {"data_base64": base64.b64encode(delivery.body).decode()}]
    said = payload.decode(delivery.body)
    return said if isinstance(said, list) else [said]


def _statement(event: object, delivery: Delivery) -> Statement:
    if not isinstance(event, dict) or not all(monitors.is_said(event.get(name)) for name in ("id", "source", "type")):
        raise UnrecognisedError("not a CloudEvent: one of id, source and type is missing")
    said = _content(event)
    if items.is_item(said) and said.keys() & _SAYS:
        named = monitors.key_from(event["source"], monitors.first(event, "subject", "id"))
        try:
            return items.statement_of(
                {"key": named, "said_at": event.get("time"), "at": event.get("time"), **said}, delivery
            )
        except UnrecognisedError:
            pass  # fields of ours by name, not by what they hold
    return _change(event, said, delivery)


def _content(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event's data where it is a JSON object, also within base64 or within a text."""
    said = event.get("data")
    try:
        if isinstance(event.get("data_base64"), str):
            said = base64.b64decode(event["data_base64"], validate=True).decode()
        return payload.object_of(payload.decode(said.encode()) if isinstance(said, str) else said)
    except (binascii.Error, ValueError):  # bytes of another sort, which are kept with the delivery
        return {}


def _change(event: Mapping[str, Any], said: Mapping[str, Any], delivery: Delivery) -> Event:
    at = monitors.instant(event.get("time"), "time", delivery)
    plain = {name: value for name, value in said.items() if isinstance(value, str | int | float)}
    return monitors.event_of(
        delivery,
        key=monitors.key_from(event["source"], event["id"]),
        kind="change",
        title=f"{monitors.word(event['type'])} {monitors.word(event.get('subject'))}",
        over=True,
        severity=Severity.INFO,
        starts_at=at,
        ends_at=at,
        final=True,
        labels={**plain, **{name: event.get(name) for name in ("source", "type", "subject")}},
        url=said.get("url") or event["source"],
    )
