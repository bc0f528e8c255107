"""ThousandEyes' classic webhook for alerts of tests and agents."""

from __future__ import annotations

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "ThousandEyes"
READS = ("thousandeyes",)
SETUP = {
    "snippets": [
        {
            "title": "Alerts → Alert rules → Notifications → Integrations → Add webhook",
            "language": "text",
            "text": """\
URL        {url}
Auth type  Basic
Username   barograph
Password   {key}
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "not stated by ThousandEyes"],
        ["On 5xx", "not stated by ThousandEyes"],
        ["Repeats", "none"],
        ["Resolved", "sent as ALERT_NOTIFICATION_CLEAR"],
        ["Time zone", "UTC, by the fields whose names end in Zoned"],
    ],
}

_TYPES = {"alert_notification_trigger": False, "alert_notification_clear": True, "webhook_test": None}
_TYPES |= {"agent_alert_notification_trigger": False, "agent_alert_notification_clear": True}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by its id, which is said twice for agents; nothing for the webhook's test."""
    said = monitors.object_in(delivery, "a ThousandEyes message")
    over = monitors.state_of(said.get("eventType"), _TYPES, "eventType")
    if over is None:
        return []
    alert = payload.object_of(said.get("alert")) or payload.object_of(said.get("agentAlert"))
    if not alert:
        raise UnrecognisedError("not a ThousandEyes message: neither alert nor agentAlert")
    agents = [payload.object_of(agent).get("agentName") for agent in payload.list_of(alert.get("agents"))]
    subject = monitors.word(*(alert.get(name) for name in ("testName", "agentName", "hostname")), default="a test")
    event = monitors.event_of(
        delivery,
        key=monitors.first(alert, "alertId") or said.get("eventId"),
        title=f"{monitors.word(alert.get('ruleName'), default='Alert without a rule')}: {subject}",
        over=over,
        severity=severities.severity(alert.get("severity")),
        starts_at=monitors.instant(monitors.first(alert, "dateStartZoned", "dateStart"), "dateStart", delivery),
        ends_at=monitors.moment(monitors.first(alert, "dateEndZoned", "dateEnd"), delivery) if over else None,
        final=True,
        labels={
            "rule": alert.get("ruleName"),
            "type": alert.get("type"),
            "test": alert.get("testName"),
            "host": monitors.joined(monitors.first(alert, "hostname", "testTargetsDescription")),
            "agent": alert.get("agentName") or monitors.joined(agents),
            "ip": alert.get("ipAddress"),
        },
        url=monitors.first(alert, "permalink"),
        text=alert.get("ruleExpression"),
    )
    return [event]
