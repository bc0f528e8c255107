"""Cloudflare's notifications by its generic webhook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError
from incidents.proofs import signatures

VERSION = 1
TITLE = "Cloudflare"
READS = ("cloudflare",)
VERIFIES = "cf-webhook-auth token, or bearer key"
TIMEOUT = timedelta(hours=1)
"""How long a notification without a beginning and an end is taken to be on."""
SETUP = {
    "snippets": [
        {
            "title": "Notifications → Destinations → Webhooks → Create",
            "language": "text",
            "text": """\
Name    barograph
URL     {url}/{key}
Secret  (empty)
""",
            "note": "Or leave the key out of the URL and give a secret that is the source's `secret`. "
            "Then add the webhook to each notification.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on; the destination is saved after an answer to its test"],
        ["On 4xx", "not stated by Cloudflare"],
        ["On 5xx", "not stated by Cloudflare"],
        ["Repeats", "by the notification's own settings; repeats change nothing here"],
        ["Resolved", "ALERT_STATE_EVENT_END of the same correlation; what has none is taken to last an hour"],
        ["Test", "“Hello World! This is a test message” makes no alert"],
        ["Time zone", "epoch seconds"],
    ],
}
_EVENTS = {"ALERT_STATE_EVENT_START": False, "ALERT_STATE_EVENT_END": True}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """cf-webhook-auth is the destination's secret itself."""
    return signatures.is_token(delivery.headers.get("cf-webhook-auth"), secrets)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its correlation, else by its policy and moment; none for the test of a destination."""
    said = monitors.object_in(delivery, "a Cloudflare notification")
    kind = payload.title_of(said.get("alert_type"))
    if kind is None and "This is a test message" in (payload.text_of(said.get("text")) or ""):
        return []
    if kind is None or "ts" not in said:
        raise UnrecognisedError("not a Cloudflare notification: no alert_type or no ts")
    at = monitors.instant(said["ts"], "ts", delivery)
    found = payload.object_of(said.get("data"))
    over = _EVENTS.get(payload.title_of(said.get("alert_event")) or "")
    moment = at.isoformat() if at else None
    event = monitors.event_of(
        delivery,
        key=payload.key_of(said.get("alert_correlation_id"))
        or monitors.key_from(said.get("policy_id") or kind, kind, moment),
        title=monitors.first(said, "name", "policy_name") or kind.replace("_", " "),
        over=over or False,
        severity=severities.severity(found.get("severity")),
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        timeout=TIMEOUT if over is None else None,
        labels={name: value for name, value in found.items() if not isinstance(value, dict | list)}
        | {"alert_type": kind, "account": said.get("account_id")},
        text=said.get("text"),
        group=said.get("policy_id"),
    )
    return [event]
