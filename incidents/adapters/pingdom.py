"""Pingdom's webhook for uptime and transaction checks."""

from __future__ import annotations

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement

VERSION = 1
TITLE = "Pingdom"
READS = ("pingdom",)
SETUP = {
    "snippets": [
        {
            "title": "Integration of type Webhook",
            "language": "text",
            "text": "{url}/{key}\n",
            "note": "Integrations → Add integration → Webhook; then tick it on each check.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Pingdom"],
        ["On 5xx", "not stated by Pingdom"],
        ["Repeats", "none"],
        ["Resolved", "sent as current_state UP"],
        ["Time zone", "epoch seconds"],
    ],
}

_STATES = {"down": False, "failing": False, "up": True, "success": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the check's id, which later outages of the check share."""
    said = monitors.object_in(delivery, "a Pingdom message")
    over = bool(monitors.state_of(said.get("current_state"), _STATES, "current_state"))
    check, probe = payload.object_of(said.get("check_params")), payload.object_of(said.get("first_probe"))
    at = monitors.instant(
        monitors.first(said, "state_changed_timestamp", "state_changed_utc_time"), "state_changed_timestamp", delivery
    )
    event = monitors.event_of(
        delivery,
        key=said.get("check_id"),
        title=f"{monitors.word(said.get('check_name'), default='Check without a name')} is down",
        over=over,
        severity=Severity.WARNING if said.get("importance_level") == "LOW" else monitors.down(over),
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        labels={
            "check": said.get("check_name"),
            "check_type": said.get("check_type"),
            "host": check.get("hostname"),
            "probe": probe.get("location"),
            **monitors.tags_of(said.get("tags")),
        },
        url=check.get("full_url"),
        text=monitors.first(said, "long_description", "description", "custom_message"),
    )
    return [event]
