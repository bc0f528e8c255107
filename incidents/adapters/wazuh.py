"""Wazuh by the integration script below, and by the flat fields of another script."""

from __future__ import annotations

from datetime import timedelta

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Wazuh"
READS = ("wazuh",)
TIMEOUT = timedelta(minutes=30)
SETUP = {
    "snippets": [
        {
            "title": "/var/ossec/integrations/custom-barograph (mode 750, group wazuh)",
            "language": "python",
            "text": """\
#!/var/ossec/framework/python/bin/python3
import sys, urllib.request
with open(sys.argv[1], "rb") as file:
    alert = file.read()
headers = {"Content-Type": "application/json", "Authorization": "Bearer " + sys.argv[2]}
urllib.request.urlopen(urllib.request.Request(sys.argv[3], alert, headers), timeout=20)
""",
        },
        {
            "title": "ossec.conf of the manager",
            "language": "xml",
            "text": """\
<integration>
  <name>custom-barograph</name>
  <hook_url>{url}</hook_url>
  <api_key>{key}</api_key>
  <level>10</level>
  <alert_format>json</alert_format>
</integration>
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "the script fails, which is logged"],
        ["On 5xx", "the script fails, which is logged"],
        ["Repeats", "each alert is one of its own"],
        ["Resolved", "never sent: an alert is taken to last 30 minutes"],
        ["Time zone", "named in each time"],
    ],
}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its id; of the flat fields by their title and time."""
    said = monitors.object_in(delivery, "a Wazuh alert")
    rule, agent = payload.object_of(said.get("rule")), payload.object_of(said.get("agent"))
    flat = {"message", "created_at"} <= said.keys()
    if not rule and not flat:
        raise UnrecognisedError("not a Wazuh alert: neither a rule nor message with created_at")
    at = monitors.instant(said.get("created_at" if flat else "timestamp"), "timestamp", delivery)
    spoken = (at or delivery.received_at).isoformat()
    title = rule.get("description") or said.get("message")
    event = monitors.event_of(
        delivery,
        key=said.get("id") or monitors.key_from(rule.get("id") or said.get("message"), spoken),
        title=title,
        over=False,
        severity=severities.severity(said.get("severity")) if flat else _gravity(rule.get("level")),
        starts_at=at,
        timeout=TIMEOUT,
        final=True,
        labels={
            "host": agent.get("name"),
            "ip": agent.get("ip"),
            "rule": rule.get("id"),
            "groups": monitors.joined(rule.get("groups")),
            "manager": payload.object_of(said.get("manager")).get("name"),
            "location": said.get("location"),
        },
        text=said.get("full_log") or said.get("description"),
        group=monitors.key_from(rule.get("id"), agent.get("id")),
    )
    return [event]


def _gravity(level: object) -> Severity:
    """Wazuh's levels 0 to 16 by its own four names: low below 7, medium below 12, high below 15, else critical."""
    number = payload.number_of(level)
    if number is None:
        return Severity.UNKNOWN
    steps = ((15, Severity.CRITICAL), (12, Severity.ERROR), (7, Severity.WARNING))
    return next((severity for least, severity in steps if number >= least), Severity.INFO)
