"""Errbit's webhook for errors of applications."""

from __future__ import annotations

from datetime import timedelta

from incidents.formats import monitors, payload
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Errbit"
READS = ("errbit",)
TIMEOUT = timedelta(minutes=30)
SETUP = {
    "snippets": [
        {
            "title": "App → Edit → Notification service → Webhook",
            "language": "text",
            "text": "{url}/{key}\n",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "does not try again"],
        ["On 5xx", "does not try again"],
        ["Repeats", "at the counts of notices that the app is set to; each is an alert of its own"],
        ["Resolved", "not sent: an alert is taken to last 30 minutes"],
        ["Time zone", "named in each time"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert for each time that Errbit speaks of a problem, at the time of its last notice."""
    problem = payload.object_of(monitors.object_in(delivery, "an Errbit message").get("problem"))
    if not problem:
        raise UnrecognisedError("not an Errbit message: it has no problem")
    at = monitors.instant(monitors.first(problem, "last_notice_at", "updated_at"), "problem.last_notice_at", delivery)
    resolved = payload.flag_of(problem.get("resolved")) or False
    app = monitors.word(problem.get("app_name"), default="an application")
    spoken = (at or delivery.received_at).isoformat()
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(problem.get("_id") or problem.get("id"), spoken),
        title=f"{monitors.word(problem.get('error_class'), default='Error')} in {app}",
        over=resolved,
        severity=Severity.ERROR,
        starts_at=at,
        ends_at=monitors.moment(problem.get("resolved_at"), delivery),
        timeout=TIMEOUT,
        final=True,
        labels={
            "app": problem.get("app_name"),
            "service": problem.get("app_name"),
            "environment": problem.get("environment"),
            "env": problem.get("environment"),
            "where": problem.get("where"),
        },
        url=problem.get("url"),
        text=problem.get("message"),
        group=monitors.first(problem, "_id", "id"),
    )
    return [event]
