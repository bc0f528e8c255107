"""Site24x7's webhook integration, as JSON or as a form."""

from __future__ import annotations

from incidents.formats import forms, monitors, placeholders
from incidents.model import Delivery, Severity, Statement

VERSION = 1
TITLE = "Site24x7"
READS = ("site24x7",)
SETUP = {
    "snippets": [
        {
            "title": "Admin → Third-party integrations → Webhooks",
            "language": "text",
            "text": """\
Hook URL                  {url}/{key}
HTTP method               POST
Post as JSON              yes
Send incident parameters  yes
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by Site24x7"],
        ["On 5xx", "not stated by Site24x7"],
        ["Repeats", "by the persistent alert setting; repeats change nothing here"],
        ["Resolved", "sent as status UP"],
        ["Time zone", "epoch milliseconds, or an offset"],
    ],
}

_STATES = {"down": False, "critical": False, "trouble": False, "up": True}
_STATES |= dict.fromkeys(("appliance_down", "monitor_down"), False) | {"appliance_up": True}
_QUIET = dict.fromkeys(("maintenance", "suspended", "discovery", "configuration_error"))
_CALLED = {"critical": "critical", "trouble": "in trouble"}
_GRAVITY = {"critical": Severity.ERROR, "trouble": Severity.WARNING, "up": Severity.UNKNOWN}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the monitor's id, its link or its name, which later outages share."""
    sent = placeholders.filled(forms.fields_in(delivery))
    said = {name.upper(): value for name, value in sent.items()}
    status = monitors.word(said.get("STATUS")).casefold().replace(" ", "_")
    over = monitors.state_of(said.get("STATUS") and status, {**_STATES, **_QUIET}, "STATUS")
    if over is None:
        return []
    name = said.get("MONITORNAME")
    at = monitors.moment(monitors.first(said, "CT", "INCIDENT_TIME_ISO", "OUTAGE_TIME_UNIX_FORMAT"), delivery)
    began = monitors.moment(said.get("OUTAGE_TIME_UNIX_FORMAT"), delivery)
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "MONITOR_ID", "MONITORID", "MONITOR_DASHBOARD_LINK", "MONITORNAME"),
        # The monitor that is up again may have been in trouble only: its title stays as it was.
        title=None
        if over
        else f"{monitors.word(name, default='Monitor without a name')} is {_CALLED.get(status, 'down')}",
        over=over,
        severity=monitors.down(over) if status.endswith(("down", "up")) else _GRAVITY[status],
        said_at=at,
        starts_at=None if over else began or at,
        ends_at=at if over else None,
        labels={
            "monitor": name,
            "type": said.get("MONITORTYPE"),
            "host": said.get("MONITOR_HOSTNAME"),
            "group": said.get("MONITOR_GROUPNAME") or said.get("GROUP_NAME"),
            "locations": said.get("FAILED_LOCATIONS"),
            **monitors.tags_of(said.get("TAGS")),
        },
        url=monitors.first(said, "MONITOR_DASHBOARD_LINK", "MONITORURL"),
        text=said.get("INCIDENT_REASON"),
    )
    return [event]
