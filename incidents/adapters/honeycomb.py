"""Honeycomb's webhook for triggers and burn alerts by its default body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.formats import monitors, payload, placeholders, severities
from incidents.model import Delivery, Statement
from incidents.proofs import signatures

VERSION = 1
TITLE = "Honeycomb"
READS = ("honeycomb",)
VERIFIES = "X-Honeycomb-Webhook-Token, or bearer key"
SETUP = {
    "snippets": [
        {
            "title": "Team settings → Integrations → Add integration → Webhook",
            "language": "text",
            "text": """\
Webhook URL    {url}/{key}
Shared secret  (empty)
""",
            "note": "Or leave the key out of the URL and give a shared secret that is the source's `secret`.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Honeycomb"],
        ["On 5xx", "not stated by Honeycomb"],
        ["Repeats", "by the trigger's setting; repeats change nothing here"],
        ["Resolved", "sent as status OK, of the trigger as a whole and not of its groups"],
        ["Time zone", "no times are sent: the receipt counts"],
    ],
}


def verify(delivery: Delivery, secrets: Sequence[str]) -> bool:
    """X-Honeycomb-Webhook-Token is the shared secret itself."""
    return signatures.is_token(delivery.headers.get("x-honeycomb-webhook-token"), secrets)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the trigger's id, which later alerts of the trigger share."""
    said = placeholders.filled(monitors.object_in(delivery, "a Honeycomb message"))
    over = bool(monitors.state_of(said.get("status"), {"triggered": False, "ok": True, "resolved": True}, "status"))
    groups = payload.list_of(said.get("result_groups_triggered")) or payload.list_of(said.get("result_groups"))
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "id", "trigger_id", "name"),
        title=said.get("name"),
        over=over,
        severity=severities.severity(said.get("severity")),
        test=payload.flag_of(said.get("is_test")) or False,
        labels={
            **(_labels(groups[0]) if len(groups) == 1 else {}),
            "dataset": monitors.first(said, "dataset"),
            "environment": monitors.first(said, "environment"),
            "alert_type": said.get("alert_type"),
        },
        url=monitors.first(said, "result_url", "trigger_url"),
        text=monitors.first(said, "summary", "description", "trigger_description"),
    )
    return [event]


def _labels(group: object) -> Mapping[str, Any]:
    """What a result is grouped by; the names are capitalised in one version and not in another."""
    fields = payload.object_of(group)
    return payload.object_of(monitors.first(fields, "Group", "group"))
