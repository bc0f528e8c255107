"""VMware Aria (vRealize) Operations' REST notification."""

from __future__ import annotations

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Severity, Statement

VERSION = 1
TITLE = "VMware Aria Operations"
READS = ("vmware-vrealize",)
SETUP = {
    "snippets": [
        {
            "title": "Alerts → Outbound settings → Add, of type REST notification",
            "language": "text",
            "text": """\
URL           {url}
User name     barograph
Password      {key}
Content type  application/json
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by VMware"],
        ["On 5xx", "not stated by VMware"],
        ["Repeats", "at each update; repeats change nothing here"],
        ["Resolved", "sent as status CANCELED"],
        ["Time zone", "epoch milliseconds"],
    ],
}

_STATES = {"active": False, "new": False, "updated": False, "canceled": True, "cancelled": True}
_GRAVITY = {"immediate": Severity.ERROR, "information": Severity.INFO}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its id. `cancelDate` is filled in while it is still on, so that only the status ends it."""
    said = monitors.object_in(delivery, "a notification of Aria Operations")
    over = bool(monitors.state_of(said.get("status"), _STATES, "status"))
    said_at = monitors.moment(said.get("updateDate"), delivery)
    gravity = (payload.title_of(said.get("criticality")) or "").removeprefix("ALERT_CRITICALITY_LEVEL_")
    what = (payload.title_of(said.get("subType")) or "").removeprefix("ALERT_SUBTYPE_").replace("_", " ").lower()
    name = said.get("resourceName")
    event = monitors.event_of(
        delivery,
        key=said.get("alertId"),
        title=monitors.first(said, "alertName") or f"{monitors.word(name, default='A resource')}: {what or 'alert'}",
        over=over,
        severity=severities.severity(gravity, _GRAVITY),
        said_at=said_at,
        starts_at=monitors.instant(said.get("startDate"), "startDate", delivery),
        ends_at=monitors.moment(said.get("cancelDate"), delivery) if over else None,
        final=True,
        labels={
            "host": name,
            "kind": said.get("resourceKind"),
            "adapter": said.get("adapterKind"),
            "type": (payload.title_of(said.get("type")) or "").removeprefix("ALERT_TYPE_").lower(),
        },
        text=said.get("info"),
    )
    return [event]
