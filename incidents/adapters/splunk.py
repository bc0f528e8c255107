"""Splunk's webhook alert action of saved searches."""

from __future__ import annotations

from datetime import timedelta

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Statement, UnrecognisedError

VERSION = 1
TITLE = "Splunk"
READS = ("splunk",)
TIMEOUT = timedelta(minutes=30)
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "Alert → Trigger actions → Webhook",
            "language": "text",
            "text": "{url}/{key}\n",
            "note": "Trigger “For each result” sends one alert for each row; “Once” sends the first row alone. "
            "A field `severity` in the rows sets the gravity.",
        },
        {
            "title": "savedsearches.conf",
            "language": "ini",
            "text": """\
[Disk full]
action.webhook = 1
action.webhook.param.url = {url}/{key}
""",
            "note": "Splunk Enterprise sends to allowed addresses alone: "
            "add ours under `[webhook]` in alert_actions.conf.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx", "writes an error to its log and does not try again"],
        ["On 5xx", "writes an error to its log and does not try again"],
        ["Repeats", "each run of the search is an alert of its own"],
        ["Resolved", "never sent: an alert is taken to last 30 minutes"],
        ["Time zone", "epoch seconds in `_time`"],
    ],
}

_NOISE = ("_", "date_", "time", "punct", "linecount")


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert for a run of a search, of whose results only the first row is sent."""
    said = monitors.object_in(delivery, "a Splunk alert")
    result = payload.object_of(said.get("result"))
    if "sid" not in said or ("result" not in said and "search_name" not in said):
        raise UnrecognisedError("not a Splunk alert: no sid with a result or a search_name")
    name = payload.title_of(said.get("search_name"))
    plain = {label: value for label, value in result.items() if isinstance(value, str) and not label.startswith(_NOISE)}
    event = monitors.event_of(
        delivery,
        key=monitors.key_from(said.get("sid"), result.get("_serial")),
        title=name or "Splunk search without a name",
        over=False,
        severity=severities.severity(monitors.first(result, "severity", "urgency")),
        starts_at=monitors.moment(result.get("_time"), delivery),
        timeout=TIMEOUT,
        labels={**plain, "search": name, "app": said.get("app"), "owner": said.get("owner")},
        url=said.get("results_link"),
        text=result.get("_raw"),
        group=name,
    )
    return [event]
