"""Grafana's legacy alerting webhook (versions 4 to 8): one rule of a dashboard panel, without any time."""

from __future__ import annotations

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Grafana legacy alerting"
READS = ("grafana-legacy",)
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Notification channel",
            "language": "text",
            "text": """\
Alerting → Notification channels → Add channel
Type:          webhook
Url:           {url}
Http Method:   POST
Username:      barograph
Password:      {key}
Disable Resolve Message: off
""",
            "note": "A rule's tags become labels: `severity`, `service`, `datacenter` are good ones.",
        },
        {
            "title": "Provisioning",
            "language": "yaml",
            "text": """\
notifiers:
  - name: barograph
    type: webhook
    uid: barograph
    is_default: true
    settings:
      url: {url}
      httpMethod: POST
      username: barograph
    secure_settings:
      password: {key}
""",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "not documented; a failed notification stands in Grafana's log"],
        ["Repeats", "only with `Send reminders`; the rule stays one alert"],
        ["Resolved", "state ok for the whole rule; its receipt is the end"],
        ["Test", "the test button sends ruleId 0 and is kept as a test"],
        ["Time zone", "it sends no time: the receipt counts"],
    ],
}
# Pending is not yet an alert, a paused rule says nothing of what it watched.
_STATES = {"alerting": False, "no_data": False, "ok": True, "pending": None, "paused": None, "unknown": None}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for the rule; none where its state is neither alerting nor ok."""
    message = monitors.object_in(delivery, "a Grafana message")
    if "alerts" in message or "ruleId" not in message:
        raise UnrecognisedError("not a message of Grafana's legacy alerting: it has no ruleId")
    over = monitors.state_of(message.get("state"), _STATES, "state")
    if over is None:
        return []
    rule = payload.number_of(message["ruleId"])
    if rule is None:
        raise UnrecognisedError("ruleId is no number")
    matches = [payload.labels_of(payload.object_of(m).get("tags")) for m in payload.list_of(message.get("evalMatches"))]
    shared = dict.fromkeys(matches[0].items() if matches else ())
    labels = dict(item for item in shared if all(item in match.items() for match in matches))
    labels |= payload.labels_of(message.get("tags"))
    return [
        monitors.event_of(
            delivery,
            key=monitors.key_from(f"{payload.count_of(message.get('orgId'))}/{rule:.0f}"),
            title=monitors.first(message, "ruleName", "title"),
            over=over,
            severity=severities.severity(labels.get("severity")),
            test=rule == 0,
            labels=labels,
            url=message.get("ruleUrl"),
            text=message.get("message"),
        )
    ]
