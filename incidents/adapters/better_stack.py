"""Better Stack's (Better Uptime's) incident webhook."""

from __future__ import annotations

from incidents.formats import monitors, payload
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Better Stack"
READS = ("better-stack",)
SETUP = {
    "snippets": [
        {
            "title": "Integrations → Webhooks → Incident webhook",
            "language": "text",
            "text": """\
Webhook URL  {url}
Headers      Authorization: Bearer {key}
Trigger on   started, acknowledged, resolved
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Better Stack"],
        ["On 5xx", "not stated by Better Stack"],
        ["Repeats", "an acknowledgement repeats the incident; that changes nothing here"],
        ["Resolved", "sent as event resolved"],
        ["Time zone", "UTC"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the incident's id; none for what is set up or who is on call."""
    said = monitors.object_in(delivery, "a Better Stack message")
    spoken_of = payload.object_of(said.get("data"))
    kind = payload.title_of(spoken_of.get("type"))
    if kind is None:
        raise UnrecognisedError("not a Better Stack message: it has no data.type")
    if kind != "incident":
        return []
    incident = payload.object_of(spoken_of.get("attributes"))
    ends_at = monitors.moment(incident.get("resolved_at"), delivery)
    over = said.get("event") == "resolved" or ends_at is not None
    related = payload.object_of(spoken_of.get("relationships"))
    monitor = payload.object_of(payload.object_of(related.get("monitor")).get("data"))
    cause, name = payload.title_of(incident.get("cause")), payload.title_of(incident.get("name"))
    event = monitors.event_of(
        delivery,
        key=spoken_of.get("id"),
        title=f"{name}: {cause}" if name and cause else name or cause,
        over=over,
        severity=monitors.down(over),
        starts_at=monitors.instant(incident.get("started_at"), "started_at", delivery),
        ends_at=ends_at,
        final=True,
        labels={
            "monitor": name,
            "monitor_id": monitor.get("id"),
            "team": incident.get("team_name"),
            "region": monitors.joined(incident.get("regions")),
        },
        url=monitors.first(incident, "origin_url", "url"),
        text=cause,
    )
    return [event]
