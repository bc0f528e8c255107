"""CDEvents, alone or as the data of CloudEvents: incidents, runs, and what happens to services and artefacts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "CDEvents"
READS = ("cdevents",)
SETUP = {
    "snippets": [
        {
            "title": "Knative trigger for CDEvents",
            "language": "yaml",
            "text": """\
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: barograph}
spec:
  broker: default
  subscriber: {uri: '{url}/{key}'}
""",
            "note": "Any sink that posts CDEvents as CloudEvents, structured, batched or binary, will do.",
        },
    ],
    "facts": [
        ["On 2xx", "by the sender; CloudEvents take any 2xx for success"],
        ["On 4xx", "by the sender; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "by the sender; we answer 503 with Retry-After when overloaded"],
        ["Repeats", "the same event again changes nothing here"],
        ["Resolved", "incident.resolved ends an alert, a run's finished ends a change"],
        ["Time zone", "named in each time"],
    ],
}

_RUNS = {"pipelinerun", "taskrun", "testcaserun", "testsuiterun", "build"}
_INCIDENT = {"detected": False, "reported": False, "resolved": True}
_GRAVE = {"failure", "error", "fail"}


def normalise(delivery: Delivery) -> list[Statement]:
    """An alert for an incident's subject; a change for a run's, and for each other event at its moment."""
    said = payload.decode(delivery.body)
    batch = said if isinstance(said, list) else [said]
    return monitors.several(batch, lambda one: _event(_unwrapped(one), delivery), "event")


def _unwrapped(said: object) -> Mapping[str, Any]:
    event = payload.object_of(said)
    return payload.object_of(event.get("data")) if "data" in event and "context" not in event else event


def _event(said: Mapping[str, Any], delivery: Delivery) -> Event:
    context, subject = payload.object_of(said.get("context")), payload.object_of(said.get("subject"))
    parts = monitors.word(context.get("type")).split(".")
    if parts[:2] != ["dev", "cdevents"] or len(parts) < 4:
        raise UnrecognisedError("not a CDEvent: context.type does not begin with dev.cdevents")
    what, turn, content = parts[2], parts[3], payload.object_of(subject.get("content"))
    at = monitors.instant(context.get("timestamp"), "context.timestamp", delivery)
    subject_key = monitors.key_from(
        subject.get("id") and what, subject.get("source") or context.get("source"), subject.get("id")
    )
    incident, run = what == "incident", what in _RUNS
    over = bool(monitors.state_of(turn, _INCIDENT, "context.type")) if incident else not run or turn == "finished"
    failed = monitors.word(content.get("outcome")) in _GRAVE
    return monitors.event_of(
        delivery,
        key=subject_key if incident or run else monitors.key_from(context.get("source") or what, context.get("id")),
        kind="alert" if incident else "change",
        title=(None if over else content.get("description")) if incident else _title(what, turn, subject, content),
        over=over,
        severity=Severity.UNKNOWN if incident else Severity.ERROR if failed else Severity.INFO,
        said_at=at,
        starts_at=at if turn in {"started", "detected"} or not (incident or run) else None,
        ends_at=at if over else None,
        final=True,
        labels={
            "subject": subject.get("id"),
            "service": _service(what, subject, content),
            "environment": payload.object_of(content.get("environment")).get("id"),
            "artifact": content.get("artifactId"),
            "outcome": content.get("outcome"),
            "chain": context.get("chainId"),
        },
        url=content.get("uri") or content.get("ticketURI"),
        text=content.get("errors") or content.get("description"),
    )


def _service(what: str, subject: Mapping[str, Any], content: Mapping[str, Any]) -> object:
    about = subject if what == "service" else payload.object_of(content.get("service"))
    return about.get("id") or content.get("pipelineName")


def _title(what: str, turn: str, subject: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    named = (content.get(part) for part in ("pipelineName", "taskName", "name"))
    name = monitors.word(*named, subject.get("id"), default="without a name")
    # A run keeps one title from start to finish; what it came to is its severity and its label.
    return f"{what} {name}" if what in _RUNS else f"{what} {name} {turn}"
