"""Axiom's webhook notifier for monitors."""

from __future__ import annotations

from datetime import timedelta

from incidents.formats import monitors, payload
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Axiom"
READS = ("axiom",)
TIMEOUT = timedelta(minutes=30)
SETUP = {
    "snippets": [
        {
            "title": "Monitors → Notifiers → New notifier → Custom webhook",
            "language": "text",
            "text": """\
URL      {url}
Headers  Authorization: Bearer {key}
Body     as proposed by Axiom
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Axiom"],
        ["On 5xx", "not stated by Axiom"],
        ["Repeats", "by the monitor's setting; repeats change nothing here"],
        ["Resolved", "sent as action Closed; an event that was matched is taken to last 30 minutes"],
        ["Time zone", "UTC"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the monitor's id, which later alerts share; one by its time for an event that was matched."""
    said = monitors.object_in(delivery, "an Axiom message")
    event = payload.object_of(said.get("event"))
    if not event:
        raise UnrecognisedError("not an Axiom message: it has no event")
    over = bool(monitors.state_of(said.get("action"), {"open": False, "closed": True}, "action"))
    at = monitors.instant(monitors.first(event, "timestamp", "queryEndTime"), "event.timestamp", delivery)
    matched = payload.object_of(event.get("matchedEvent"))
    happened_at = monitors.moment(matched.get("_time"), delivery) or at
    title = payload.title_of(event.get("title")) or ""
    statement = monitors.event_of(
        delivery,
        key=monitors.key_from(
            event.get("monitorID"),
            payload.text_of(event.get("groupKeys")),
            happened_at.isoformat() if matched and happened_at else None,
        ),
        title=title.removeprefix("Triggered: ").removeprefix("Resolved: "),
        over=over,
        said_at=at,
        starts_at=None if over else happened_at,
        ends_at=at if over else None,
        timeout=TIMEOUT if matched else None,
        final=bool(matched),
        labels={"monitor": event.get("monitorID"), **payload.labels_of(matched)},
        text=monitors.first(event, "body", "description"),
        group=event.get("monitorID"),
    )
    return [statement]
