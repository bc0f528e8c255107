"""Healthchecks by a webhook whose body holds the check as `$JSON`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import monitors, payload, placeholders
from incidents.model import Delivery, Severity, Statement

VERSION = 1
TITLE = "Healthchecks"
READS = ("healthchecks",)
REPLY = 200
SETUP = {
    "snippets": [
        {
            "title": "Integration of type Webhook, for “down” and for “up” alike",
            "language": "text",
            "text": """\
URL              {url}
Method           POST
Request Body     {"now": "$NOW", "check": $JSON}
Request Headers  Content-Type: application/json
                 Authorization: Bearer {key}
""",
            "note": "Fill in both halves: without the second one Healthchecks never says that a check is up again.",
        },
    ],
    "facts": [
        ["On 2xx", "takes 200, 201, 202 and 204 for success; we answer 200"],
        ["On 4xx", "tries three times at once, then gives up"],
        ["On 5xx", "tries three times at once, then gives up"],
        ["Repeats", "none"],
        ["Resolved", "sent when the half for “up” is filled in"],
        ["Time zone", "UTC"],
    ],
}

_STATES = {"down": False, "up": True, **dict.fromkeys(("new", "paused", "grace", "started"), None)}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert for a check that went down or up; none for a check that is new, late or paused."""
    said = placeholders.filled(monitors.object_in(delivery, "a Healthchecks message"))
    check: Mapping[str, Any] = payload.object_of(said.get("check")) or said
    over = monitors.state_of(check.get("status"), _STATES, "status")
    if over is None:
        return []
    at = monitors.instant(monitors.first(said, "now"), "now", delivery)
    last = monitors.moment(check.get("last_ping"), delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.first(check, "uuid", "unique_key", "code"),
        title=f"{monitors.word(check.get('name'), check.get('slug'), default='Check without a name')} is down",
        over=over,
        severity=Severity.UNKNOWN if over else Severity.ERROR,
        said_at=at,
        starts_at=None if over else at,
        # A ping is what brings a check up again, whenever we are told.
        ends_at=last if over else None,
        test=check.get("name") == "TEST" and check.get("n_pings") == 42,
        labels={"check": check.get("name"), "slug": check.get("slug"), **_tags(check)},
        url=monitors.first(check, "details_url", "url"),
        text=monitors.first(check, "desc", "body"),
    )
    return [event]


def _tags(check: Mapping[str, Any]) -> dict[str, str]:
    tags = check.get("tags")
    return monitors.tags_of(tags.split() if isinstance(tags, str) else tags)
