"""LibreNMS by an API transport and the template below, which holds the names of its own variables."""

from __future__ import annotations

from incidents.formats import monitors, payload, placeholders, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "LibreNMS"
READS = ("librenms",)
SETUP = {
    "snippets": [
        {
            "title": "Alerts → Alert transports → Create, of type API",
            "language": "text",
            "text": """\
API Method   POST
API URL      {url}
Headers      Content-Type=application/json
             Authorization=Bearer {key}
Body         {"alert_id": "{{ $alert_id }}", "uid": "{{ $uid }}", "state": "{{ $state }}",
              "severity": "{{ $severity }}", "title": "{{ $title }}", "name": "{{ $name }}",
              "timestamp": "{{ $timestamp }}", "hostname": "{{ $hostname }}", "sysName": "{{ $sysName }}",
              "display": "{{ $display }}", "ip": "{{ $ip }}", "os": "{{ $os }}", "type": "{{ $type }}",
              "location": "{{ $location }}", "rule_id": "{{ $rule_id }}", "device_id": "{{ $device_id }}",
              "elapsed": "{{ $elapsed }}"}
""",
        },
        {
            "title": "Zone of its times",
            "language": "toml",
            "text": """\
# In the source's table: the zone of the LibreNMS server, whose times name none.
timezone = "Europe/Berlin"
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "writes an error to its event log; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "writes an error to its event log"],
        ["Repeats", "by the rule's interval; repeats change nothing here"],
        ["Resolved", "sent as state 0 when the rule has recovery alerts"],
        ["Time zone", "the server's own, without naming it"],
    ],
}

_STATES = {"0": True, "1": False, "2": None, "3": False, "4": False, "5": False}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its id, which a device and a rule keep for ever; none for an acknowledgement."""
    said = placeholders.filled(monitors.object_in(delivery, "a LibreNMS message"))
    if "state" not in said or not said.keys() & {"alert_id", "device_id"}:
        raise UnrecognisedError("not a LibreNMS message: no state, or neither alert_id nor device_id")
    over = monitors.state_of(said["state"], _STATES, "state")
    if over is None:
        return []
    at = monitors.instant(said.get("timestamp"), "timestamp", delivery)
    host, rule = payload.title_of(monitors.first(said, "hostname", "sysName")), payload.title_of(said.get("name"))
    event = monitors.event_of(
        delivery,
        key=monitors.first(said, "alert_id") or monitors.key_from(said.get("device_id"), said.get("rule_id")),
        title=f"{rule} on {host}" if rule and host else said.get("title"),
        over=over,
        severity=Severity.UNKNOWN if over else severities.severity(said.get("severity")),
        said_at=at,
        # Worse, better and changed (3, 4, 5) are turns of an alert that is on.
        starts_at=at if str(said["state"]) == "1" else None,
        ends_at=at if over else None,
        test=said.get("uid") == "000" or rule == "Test-Rule",
        labels={
            "host": host,
            "rule": rule,
            **{name: said.get(name) for name in ("ip", "os", "type", "location", "sysName")},
        },
        text=said.get("msg") or said.get("title"),
    )
    return [event]
