"""UptimeRobot by the template below, and by the spellings of its variables that others use."""

from __future__ import annotations

from datetime import datetime, timedelta

from incidents.formats import forms, monitors, payload, placeholders
from incidents.model import Delivery, Severity, Statement

VERSION = 1
TITLE = "UptimeRobot"
READS = ("uptimerobot",)
TIMEOUT = timedelta(hours=24)
SETUP = {
    "snippets": [
        {
            "title": "Integration of type Webhook",
            "language": "text",
            "text": """\
URL to notify     {url}/{key}
POST value (JSON) {"monitorID": "*monitorID*", "monitorURL": "*monitorURL*",
                   "monitorFriendlyName": "*monitorFriendlyName*", "alertType": "*alertType*",
                   "alertTypeFriendlyName": "*alertTypeFriendlyName*", "alertDetails": "*alertDetails*",
                   "alertDuration": "*alertDuration*", "alertDateTime": "*alertDateTime*"}
Send as JSON      on
""",
            "note": "Without “Send as JSON” the same fields come as a form, which is read as well.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by UptimeRobot"],
        ["On 5xx", "not stated by UptimeRobot"],
        ["Repeats", "by the contact's own setting; repeats change nothing here"],
        ["Resolved", "sent as alert type 2, for up"],
        ["Time zone", "epoch seconds"],
    ],
}

_TYPES = {"1": False, "2": True, "3": False, "down": False, "up": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert, down or up, by the monitor's id or else by its name and address; a certificate by itself."""
    sent = placeholders.filled(forms.fields_in(delivery))
    said = {name.replace("_", "").casefold(): value for name, value in sent.items()}
    kind = monitors.word(monitors.first(said, "alerttype", "alerttypefriendlyname"))
    over = bool(monitors.state_of(kind, _TYPES, "alertType"))
    certificate = kind == "3"
    name, address = said.get("monitorfriendlyname"), said.get("monitorurl")
    at = monitors.instant(said.get("alertdatetime"), "alertDateTime", delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(
            monitors.first(said, "monitorid") or monitors.key_from(name, address) or address,
            "certificate" if certificate else None,
        ),
        title=monitors.word(name, address, default="Monitor") + (" certificate expires" if certificate else " is down"),
        over=over,
        severity=Severity.WARNING if certificate else monitors.down(over),
        said_at=at,
        starts_at=_start(at, said.get("alertduration")) if over else at,
        ends_at=at if over else None,
        timeout=TIMEOUT if certificate else None,
        labels={"monitor": name, "host": address if not payload.url_of(address) else None},
        url=address,
        text=said.get("alertdetails"),
    )
    return [event]


def _start(at: datetime | None, seconds: object) -> datetime | None:
    """Where it began, by the length in seconds that comes with its end."""
    length = payload.number_of(seconds)
    return monitors.shifted(at, timedelta(seconds=-length)) if at and length and 0 < length < 10**8 else None
