"""Uptime Kuma's webhook notification: JSON, or a form whose field `data` holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import forms, monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Uptime Kuma"
READS = ("uptime-kuma",)
TIMEOUT = timedelta(hours=24)
SETUP = {
    "snippets": [
        {
            "title": "Notification of type Webhook",
            "language": "text",
            "text": """\
Settings → Notifications → Setup Notification
  Notification Type   Webhook
  Post URL            {url}
  HTTP Method         POST
  Request Body        Preset - application/json
  Additional Headers  {"Authorization": "Bearer {key}"}
""",
            "note": "Switch on “Default enabled” and “Apply on all existing monitors”. Method GET carries no body "
            "and cannot be read.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "writes an error to its log and does not try again"],
        ["On 5xx", "writes an error to its log and does not try again"],
        ["Repeats", "by the monitor's resend interval; repeats change nothing here"],
        ["Resolved", "sent as status up"],
        ["Time zone", "UTC without saying so"],
    ],
}

_CERTIFICATE = re.compile(
    r"\[(?P<name>[^\]]*)\]\[(?P<url>[^\]]*)\] (?P<what>.* certificate .*) will .*expire.*", re.IGNORECASE | re.DOTALL
)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert for a beat up or down; none for pending, maintenance and the test button."""
    said = forms.fields_in(delivery, "data")
    beat, monitor = payload.object_of(said.get("heartbeat")), payload.object_of(said.get("monitor"))
    if not beat:
        return _message(said, delivery)
    over = monitors.state_of(beat.get("status"), {"0": False, "1": True, "2": None, "3": None}, "heartbeat.status")
    if over is None:
        return []
    at = _time(beat, delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.first(monitor, "id") or beat.get("monitorID"),
        title=f"{monitors.word(monitor.get('name'), default='Monitor without a name')} is down",
        over=over,
        # A beat that is no turn only repeats what holds: its time is not the start.
        starts_at=None if over or beat.get("important") is False else at,
        severity=monitors.down(over),
        said_at=at,
        labels={
            "monitor": monitor.get("name"),
            "type": monitor.get("type"),
            "host": monitor.get("hostname"),
            **monitors.tags_of(monitor.get("tags")),
        },
        url=monitor.get("url") if monitor.get("url") != "https://" else None,
        text=beat.get("msg"),
    )
    return [event]


def _message(said: Mapping[str, Any], delivery: Delivery) -> list[Statement]:
    """What comes without a beat: the test button, and certificates that run out."""
    text = payload.text_of(said.get("msg"))
    if text is None or not said.keys() & {"heartbeat", "monitor"}:
        raise UnrecognisedError("not an Uptime Kuma message: neither heartbeat nor msg")
    if text.endswith("Testing"):
        return []
    found = _CERTIFICATE.fullmatch(text)
    if not found:
        raise UnrecognisedError("a message without a heartbeat that speaks of no certificate")
    event = monitors.event_of(
        delivery,
        key=monitors.key_from("certificate", found["url"], found["what"]),
        title=text.partition("] ")[2],
        over=False,
        severity=Severity.WARNING,
        timeout=TIMEOUT,
        labels={"monitor": found["name"]},
        url=found["url"],
    )
    return [event]


def _time(beat: Mapping[str, Any], delivery: Delivery) -> datetime | None:
    if beat.get("time"):
        return monitors.instant(payload.text_of(beat["time"]), "heartbeat.time", _in_utc(delivery))
    if beat.get("localDateTime"):
        local = f"{monitors.word(beat['localDateTime'])}{monitors.word(beat.get('timezoneOffset'))}"
        return monitors.instant(local, "heartbeat.localDateTime", delivery)
    return None


def _in_utc(delivery: Delivery) -> Delivery:
    return Delivery(delivery.source, b"", delivery.received_at)
