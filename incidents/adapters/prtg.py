"""PRTG by the notification “Execute HTTP action” with the payload below."""

from __future__ import annotations

import re

from incidents.formats import forms, monitors, payload, placeholders
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "PRTG"
READS = ("prtg",)
SETUP = {
    "snippets": [
        {
            "title": "Notification template → Execute HTTP action",
            "language": "text",
            "text": """\
URL          {url}/{key}
HTTP method  POST
Payload      sensorid=%sensorid&sensor=%name&device=%device&host=%host&group=%group&probe=%probe&status=%status
             &priority=%prio&location=%location&datetime=%datetime&url=%linksensor&message=%message
""",
            "note": "The payload goes on one line. Then give the root group two triggers: “when sensor state is Down” "
            "with this template, and the same template for “when condition clears”.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "writes an error to its log; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "writes an error to its log"],
        ["Repeats", "by the trigger's escalation; repeats change nothing here"],
        ["Resolved", "sent when the trigger notifies as the condition clears"],
        [
            "Time zone",
            "the user's: its times are read only when the source names it as `timezone`, else the receipt counts",
        ],
    ],
}

_STATES = {"down": False, "warning": False, "unusual": False, "up": True, "paused": None, "unknown": None}
_GRAVITY = {"down": Severity.CRITICAL, "warning": Severity.WARNING, "unusual": Severity.WARNING}
_NOW = re.compile(r"now: ([a-z]+)")


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the sensor's id, which later outages share; none for a template's test, which fills nothing in."""
    sent = forms.fields_in(delivery)
    if "sensorid" not in sent:
        raise UnrecognisedError("not a message of our payload: it has no sensorid")
    said = placeholders.filled(sent)
    if str(said["sensorid"] or "0") == "0":
        return []
    status = (payload.title_of(said.get("status")) or "").casefold()
    # "Down ended (now: Up)" says what is now; "Down (Acknowledged)" and "Down ESCALATION" are still down.
    found = _NOW.search(status)
    word = found[1] if found else status.partition(" ")[0]
    over = monitors.state_of(word, _STATES, "status")
    if over is None:
        return []
    sensor, device = said.get("sensor"), said.get("device")
    at = monitors.moment(said.get("datetime"), delivery) if delivery.timezone else None
    event = monitors.event_of(
        delivery,
        key=said["sensorid"],
        title=f"{sensor or 'Sensor'} on {device}" if device else sensor,
        over=over,
        severity=_GRAVITY.get(word, Severity.UNKNOWN),
        said_at=at,
        ends_at=at if over else None,
        labels={
            name: said.get(name) for name in ("sensor", "device", "host", "group", "probe", "location", "priority")
        },
        url=said.get("url"),
        text=said.get("message"),
    )
    return [event]
