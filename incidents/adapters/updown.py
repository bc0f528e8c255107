"""updown.io's webhook: a list of what happened to its checks."""

from __future__ import annotations

from datetime import timedelta

from incidents.formats import monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "updown.io"
READS = ("updown-io",)
TIMEOUT = timedelta(hours=24)
"""How long a warning of a certificate or of slowness is taken to be on."""
SETUP = {
    "snippets": [
        {
            "title": "Settings → Webhooks → Add",
            "language": "text",
            "text": "{url}/{key}\n",
            "note": "Then tick it as a recipient of each check.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "not stated here"],
        ["Repeats", "none"],
        ["Resolved", "check.up of the same downtime; check.ssl_valid and check.ssl_renewed for certificates"],
        ["Time zone", "UTC"],
    ],
}
_EVENTS = {
    "check.down": False, "check.up": True, "check.ssl_invalid": False, "check.ssl_valid": True,
    "check.ssl_expiration": False, "check.ssl_renewed": True, "check.performance_drop": False,
}  # fmt: skip


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert for each downtime, and one for a check's certificate and for its slowness."""
    said = payload.decode(delivery.body)
    found = said if isinstance(said, list) else [said]
    return monitors.several(found, lambda item: _event(item, delivery), "event")


def _event(item: object, delivery: Delivery) -> Event:
    said = payload.object_of(item)
    kind, check = payload.title_of(said.get("event")) or "", payload.object_of(said.get("check"))
    if kind not in _EVENTS:
        raise UnrecognisedError(f"not an event of updown.io that is known: {kind or 'it has no name'}")
    over, downtime = _EVENTS[kind], payload.object_of(said.get("downtime"))
    what = kind.partition(".")[2].partition("_")[0]
    is_down = what in {"down", "up"}
    at = monitors.instant(said.get("time"), "time", delivery)
    token, name = check.get("token"), monitors.word(check.get("alias"), check.get("url"), default="A check")
    words = {"ssl": "certificate", "performance": "is slow"}.get(what, "is down")
    ended = monitors.moment(downtime.get("ended_at"), delivery) or at
    return monitors.event_of(
        delivery,
        # Its older messages give a downtime no id: then later outages share the check's.
        key=monitors.first(downtime, "id") or token if is_down else monitors.key_from(token, what),
        title=f"{name} {words}",
        over=over,
        severity=monitors.down(over) if is_down else Severity.UNKNOWN if over else Severity.WARNING,
        said_at=at,
        starts_at=monitors.instant(downtime.get("started_at"), "started_at", delivery) or (None if over else at),
        ends_at=ended if over else None,
        timeout=None if is_down else TIMEOUT,
        final=is_down and monitors.is_said(downtime.get("id")),
        labels={"check": check.get("alias"), "check_id": token, "error": downtime.get("error")},
        url=monitors.first(check, "url"),
        text=monitors.first(said, "description") or downtime.get("error"),
    )
