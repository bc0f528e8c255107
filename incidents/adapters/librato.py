"""Librato's (SolarWinds AppOptics') webhook for alerts: JSON, or a form whose field `payload` holds it."""

from __future__ import annotations

from incidents.formats import forms, monitors, payload
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Librato and AppOptics"
READS = ("librato",)
SETUP = {
    "snippets": [
        {
            "title": "Settings → Notification services → Webhook",
            "language": "text",
            "text": "{url}/{key}\n",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Librato"],
        ["On 5xx", "not stated by Librato"],
        ["Repeats", "by the alert's “rearm” setting; repeats change nothing here"],
        ["Resolved", "sent with the field clear, for all sources at once"],
        ["Time zone", "epoch seconds"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its id, which its sources share because they are cleared together."""
    said = forms.fields_in(delivery, "payload")
    alert = payload.object_of(said.get("alert"))
    over = monitors.is_said(said.get("clear"))
    violations = payload.object_of(said.get("violations"))
    if not alert or not (over or "violations" in said):
        raise UnrecognisedError("not a Librato alert: no alert, or neither clear nor violations")
    at = monitors.instant(said.get("trigger_time"), "trigger_time", delivery)
    found = [payload.object_of(one) for several in violations.values() for one in payload.list_of(several)]
    metrics = dict.fromkeys(name for one in found if (name := payload.title_of(one.get("metric"))))
    event = monitors.event_of(
        delivery,
        key=alert.get("id"),
        title=alert.get("name"),
        over=over,
        said_at=at,
        starts_at=None if over else at,
        ends_at=at if over else None,
        test=payload.flag_of(said.get("triggered_by_user_test")) or False,
        labels={
            "alert": alert.get("name"),
            "host": ", ".join(violations),
            "metrics": ", ".join(metrics),
            "account": said.get("account"),
        },
        url=alert.get("runbook_url"),
        text=alert.get("description"),
    )
    return [event]
