"""InfluxDB 2's notification rules by their HTTP endpoint, and Kapacitor's alerts by its post handler."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from incidents.formats import monitors, payload, severities
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "InfluxDB and Kapacitor"
READS = ("influxdb", "kapacitor")
TIMEOUT = timedelta(hours=24)
"""How long an alert of Kapacitor that is declared not to recover is taken to be on."""
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "InfluxDB 2: Alerts → Notification endpoints → HTTP",
            "language": "text",
            "text": """\
HTTP Method  POST
Auth Method  Bearer
Token        {key}
URL          {url}
""",
            "note": "Then a rule for each change you want: to CRIT, to WARN, and from each of them to OK.",
        },
        {
            "title": "Kapacitor: kapacitor.conf",
            "language": "toml",
            "text": """\
[[httppost]]
  endpoint = "barograph"
  url = "{url}"
  headers = { Authorization = "Bearer {key}" }
""",
            "note": "Then `|alert().post().endpoint('barograph')` in the TICKscript, with `.stateChangesOnly()`.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "not documented; Kapacitor writes it to its log"],
        ["Repeats", "InfluxDB by the rule's interval; they change nothing here"],
        ["Resolved", "level ok; InfluxDB sends it only where a rule asks for it"],
        ["Time zone", "UTC"],
        ["Limit", "InfluxDB names no series: the check and all text that a row carries beside it name the alert"],
    ],
}
_LEVELS = {"ok": True, "info": False, "warn": False, "warning": False, "crit": False, "critical": False}
_LEVELS |= {"unknown": False, "any": False}


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the check and its tags, or by Kapacitor's id; what is on has the level as its severity."""
    said = monitors.object_in(delivery, "a notification of InfluxDB")
    if "_check_id" in said or "_check_name" in said:
        return [_checked(said, delivery)]
    if "level" in said and "id" in said:
        return [_alerted(said, delivery)]
    raise UnrecognisedError("neither a check of InfluxDB (_check_id) nor an alert of Kapacitor (id and level)")


def _checked(said: Mapping[str, Any], delivery: Delivery) -> Event:
    over = bool(monitors.state_of(said.get("_level"), _LEVELS, "_level"))
    at = monitors.instant(monitors.first(said, "_status_timestamp", "_time"), "_status_timestamp", delivery)
    tags = {name: word for name, word in said.items() if isinstance(word, str) and not name.startswith("_")}
    series = ",".join(f"{name}={tags[name]}" for name in sorted(tags))
    return monitors.event_of(
        delivery,
        key=monitors.key_from(monitors.first(said, "_check_id", "_check_name"), series),
        title=monitors.first(said, "_check_name"),
        over=over,
        severity=Severity.UNKNOWN if over else severities.severity(said.get("_level")),
        said_at=at,
        ends_at=at if over else None,
        labels={**tags, "check": said.get("_check_name"), "measurement": said.get("_source_measurement")},
        text=said.get("_message"),
        group=said.get("_check_id"),
    )


def _alerted(said: Mapping[str, Any], delivery: Delivery) -> Event:
    over = bool(monitors.state_of(said["level"], _LEVELS, "level"))
    at = monitors.instant(said.get("time"), "time", delivery)
    rows = [payload.object_of(row) for row in payload.list_of(payload.object_of(said.get("data")).get("series"))]
    # The duration is how long it has not been OK, in nanoseconds: every message of one alert has the same beginning.
    length = payload.number_of(said.get("duration")) or 0
    began = monitors.shifted(at, timedelta(microseconds=-length / 1000)) if at and 0 <= length < 10**18 else at
    return monitors.event_of(
        delivery,
        key=said["id"],
        # "… is OK" would rename what it ends.
        title=None if over else monitors.first(said, "message", "id"),
        over=over,
        severity=Severity.UNKNOWN if over else severities.severity(said["level"]),
        said_at=at,
        starts_at=began,
        ends_at=at if over else None,
        timeout=TIMEOUT if payload.flag_of(said.get("recoverable")) is False else None,
        labels=payload.labels_of(rows[0].get("tags") if rows else None),
        text=said.get("details"),
    )
