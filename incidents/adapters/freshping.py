"""Freshping's webhook, which insping shares."""

from __future__ import annotations

from incidents.formats import monitors, payload
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Freshping"
READS = ("freshping", "insping")
SETUP = {
    "snippets": [
        {
            "title": "Settings → Integrations → Webhook",
            "language": "text",
            "text": """\
Callback URL  {url}/{key}
Event type    All
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Freshping"],
        ["On 5xx", "not stated by Freshping"],
        ["Repeats", "none"],
        ["Resolved", "sent as check state Available"],
        ["Time zone", "UTC"],
    ],
}

_STATES = {"reporting error": False, "not responding": False, "available": True, "up": True, "down": False}
_STATES |= {"not_responding": False, "reporting_error": False}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by application and check, which later outages share; a test where the application is the test's."""
    said = monitors.object_in(delivery, "a Freshping message")
    check = payload.object_of(said.get("webhook_event_data"))
    if not check:
        raise UnrecognisedError("not a Freshping message: it has no webhook_event_data")
    over = bool(monitors.state_of(check.get("check_state_name"), _STATES, "check_state_name"))
    at = monitors.instant(
        monitors.first(check, "request_start_time") or said.get("webhook_event_created_on"),
        "request_start_time",
        delivery,
    )
    event = monitors.event_of(
        delivery,
        key=monitors.first(check, "check_id"),
        title=f"{monitors.word(check.get('check_name'), default='Check without a name')} is down",
        over=over,
        severity=monitors.down(over),
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        test=check.get("application_name") == "Webhook test",
        labels={
            "check": check.get("check_name"),
            "application": check.get("application_name"),
            "organization": said.get("organization_name"),
            "state": check.get("check_state_name"),
            "status_code": check.get("http_status_code"),
        },
        url=check.get("request_url"),
    )
    return [event]
