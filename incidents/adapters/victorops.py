"""The REST endpoint of VictorOps (Splunk On-Call), as a receiver: what can page it can be pointed here."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from incidents.formats import labels, monitors, payload, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "VictorOps (Splunk On-Call) REST endpoint"
READS = ("victorops-rest",)
REPLY = 200
TIMEOUT = timedelta(hours=24)
"""How long a message without an entity_id is taken to be on: its sender cannot name it to end it."""
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Any tool with a VictorOps REST address",
            "language": "text",
            "text": "{url}/{key}\n",
            "note": "In place of https://alert.victorops.com/integrations/generic/20131114/alert/… with its two keys. "
            "In `victorops_configs` of Alertmanager, `api_url` is this address up to `/in/`, `api_key` the source, "
            "`routing_key` its key.",
        },
        {
            "title": "curl",
            "language": "shell",
            "text": """\
curl -H 'Authorization: Bearer {key}' {url} -d '{
  "message_type": "CRITICAL", "entity_id": "db-1/disk", "entity_display_name": "Disk full on db-1",
  "state_message": "/var is 97 % full"}'
""",
        },
    ],
    "facts": [
        ["On 2xx", "200 means accepted"],
        ["On 4xx", "most clients drop the message for good"],
        ["On 5xx", "most clients try again"],
        ["Repeats", "the same entity_id is the same alert"],
        ["Resolved", "message_type RECOVERY with the same entity_id; without an entity_id 24 hours are assumed"],
        ["Time zone", "epoch seconds; without them the receipt counts"],
    ],
}
_TYPES = {"critical": False, "warning": False, "recovery": True, "ok": True, "info": None}
_TYPES |= dict.fromkeys(("acknowledgement", "ack"))
_OWN = ("message_type", "entity_id", "entity_display_name", "state_message", "state_start_time", "timestamp")


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its entity_id; none for what only informs or acknowledges."""
    said = monitors.object_in(delivery, "a message to VictorOps")
    if "message_type" not in said:
        raise UnrecognisedError("not a message to VictorOps: it has no message_type")
    over = monitors.state_of(said["message_type"], _TYPES, "message_type")
    if over is None:
        return []
    named = payload.key_of(said.get("entity_id"))
    if named is None and over:
        raise UnrecognisedError("a RECOVERY without an entity_id names nothing")
    # The state's start is where it went wrong in one message and where it came right again in the other.
    at = monitors.instant(monitors.first(said, "state_start_time", "timestamp"), "state_start_time", delivery)
    event = monitors.event_of(
        delivery,
        key=named or f"once/{hashlib.sha256(delivery.body).hexdigest()[:32]}",
        title=monitors.first(said, "entity_display_name", "entity_id", "state_message"),
        over=over,
        severity=Severity.UNKNOWN if over else severities.severity(said["message_type"]),
        said_at=monitors.moment(said.get("timestamp"), delivery) or at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        timeout=None if named else TIMEOUT,
        labels=labels.merged({name: value for name, value in said.items() if name not in _OWN}),
        url=monitors.first(said, "alert_url", "incident_url"),
        text=said.get("state_message"),
    )
    return [event]
