"""Freshstatus's webhook: a status page's incidents and maintenance."""

from __future__ import annotations

from dataclasses import replace

from incidents.formats import monitors, payload, placeholders
from incidents.model import Delivery, Post, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Freshstatus"
READS = ("freshstatus",)
SETUP = {
    "snippets": [
        {
            "title": "Settings → Integrations → Webhook",
            "language": "text",
            "text": """\
Callback URL  {url}/{key}
Events        all of incidents and of scheduled maintenance
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Freshstatus"],
        ["On 5xx", "not stated by Freshstatus"],
        ["Repeats", "each note speaks of its incident again"],
        ["Resolved", "sent as INCIDENT_CLOSE, or as a note with incident_status Closed"],
        ["Time zone", "UTC"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One provider incident by its id; notes, whose own id is another, are its posts."""
    said = {name: None if value == "None" else value for name, value in _fields(delivery).items()}
    kind = monitors.word(payload.object_of(said.get("event_data")).get("event_type")).upper()
    if not kind.startswith(("INCIDENT_", "MAINTENANCE_")):
        raise UnrecognisedError("not a Freshstatus message: event_type is neither of an incident nor of maintenance")
    at = monitors.moment(payload.object_of(said["event_data"]).get("event_created_on"), delivery)
    maintenance, state = (
        kind.startswith("MAINTENANCE_"),
        monitors.word(monitors.first(said, "incident_status", "status")).casefold(),
    )
    over = kind.endswith(("_CLOSE", "_CLOSED", "_RESOLVE")) or state in {"closed", "resolved"}
    text = payload.text_of(monitors.first(said, "message", "description"))
    said_end = monitors.moment(said.get("end_time"), delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "incident_id", "maintenance_id", "id"),
        kind="provider_incident",
        title=said.get("title"),
        over=over,
        severity=Severity.INFO if maintenance else Severity.UNKNOWN,
        said_at=at,
        starts_at=monitors.instant(said.get("start_time"), "start_time", delivery),
        ends_at=said_end or at,
        labels={
            "services": said.get("affected_services"),
            "account": payload.object_of(said["event_data"]).get("account_name"),
        },
        text=text,
    )
    posts = (Post(at or delivery.received_at, text),) if text else ()
    event = replace(event, posts=posts, event="Scheduled maintenance" if maintenance else None)
    if maintenance and said_end and not over and said_end >= (event.starts_at or said_end):
        event = replace(event, ends_at=said_end, ends_expected=True)
    return [event]


def _fields(delivery: Delivery) -> dict[str, object]:
    return dict(placeholders.filled(monitors.object_in(delivery, "a Freshstatus message")))
