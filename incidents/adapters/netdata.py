"""Netdata Cloud's webhook: alerts, and nodes that cannot be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Netdata"
READS = ("netdata",)
SETUP = {
    "snippets": [
        {
            "title": "Space settings → Alerts & Notifications → Add configuration → Webhook",
            "language": "text",
            "text": """\
Webhook URL               {url}
Authentication mechanism  Bearer
Token                     {key}
""",
            "note": "Netdata Cloud sends to https alone. Press Test, open the delivery that arrives here, and copy the "
            "`token` in it into “Verification”.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Netdata"],
        ["On 5xx", "not stated by Netdata"],
        ["Repeats", "none"],
        ["Resolved", "sent as severity clear"],
        ["Time zone", "UTC"],
        [
            "Limit",
            "its alerts name no node: what is on for one chart at two nodes of a space is one alert here",
        ],
    ],
}

_LEVELS = {"clear": True, "warning": False, "critical": False}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by space, node, name and chart; one by node for its reachability; nothing for the test's token."""
    said = monitors.object_in(delivery, "a Netdata message")
    if isinstance(said.get("status"), dict):
        return _reachability(said, delivery)
    name = payload.title_of(monitors.first(said, "alert", "alarm"))
    host = payload.title_of(monitors.first(said, "host", "node", "hostname"))
    if monitors.is_said(said.get("token")) and not (name and said.get("severity")):
        return []
    if not name:
        raise UnrecognisedError("not a Netdata message: neither alert nor status")
    over = bool(monitors.state_of(said.get("severity"), _LEVELS, "severity"))
    at = monitors.instant(said.get("date"), "date", delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(name, said.get("space"), host, said.get("chart")),
        title=f"{name} on {monitors.word(host, said.get('chart'), said.get('space'), default='a node')}",
        over=over,
        severity=Severity.UNKNOWN if over else severities.severity(said.get("severity")),
        said_at=at,
        ends_at=at if over else None,
        test=monitors.is_said(said.get("token")),
        labels={
            "alert": name,
            "host": host,
            **{label: said.get(label) for label in ("chart", "context", "space", "family", "class")},
            "rooms": ", ".join(payload.object_of(said.get("Rooms"))),
        },
        url=monitors.first(said, "alert_url", "alarm_url"),
        text=monitors.first(said, "message", "info"),
    )
    return [event]


def _reachability(said: Mapping[str, Any], delivery: Delivery) -> list[Statement]:
    reachable = payload.flag_of(said["status"].get("reachable"))
    if reachable is None:
        raise UnrecognisedError("status.reachable is neither true nor false")
    host = payload.title_of(said.get("host"))
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(host, "reachability"),
        title=f"{host} is unreachable",
        over=reachable,
        severity=monitors.down(reachable),
        labels={"host": host},
        url=said.get("url"),
        text=said.get("message"),
    )
    return [event]
