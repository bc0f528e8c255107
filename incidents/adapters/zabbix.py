"""Zabbix by our own media type, and the shapes that other media types and older scripts post."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from incidents.formats import monitors, payload, placeholders, severities
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Zabbix"
READS = ("zabbix",)
REPLY = 200
SETUP = {
    "snippets": [
        {
            "title": "Media type, to import",
            "language": "yaml",
            "text": """\
zabbix_export:
  version: '6.0'
  media_types:
    - name: Barograph
      type: WEBHOOK
      parameters:
        - {name: url, value: '{url}'}
        - {name: key, value: '{key}'}
        - {name: event_id, value: '{EVENT.ID}'}
        - {name: event_source, value: '{EVENT.SOURCE}'}
        - {name: event_value, value: '{EVENT.VALUE}'}
        - {name: event_name, value: '{EVENT.NAME}'}
        - {name: severity, value: '{EVENT.NSEVERITY}'}
        - {name: at, value: '{EVENT.TIMESTAMP}'}
        - {name: date, value: '{EVENT.DATE}'}
        - {name: time, value: '{EVENT.TIME}'}
        - {name: recovered_at, value: '{EVENT.RECOVERY.TIMESTAMP}'}
        - {name: recovery_date, value: '{EVENT.RECOVERY.DATE}'}
        - {name: recovery_time, value: '{EVENT.RECOVERY.TIME}'}
        - {name: operational_data, value: '{EVENT.OPDATA}'}
        - {name: tags, value: '{EVENT.TAGSJSON}'}
        - {name: host, value: '{HOST.HOST}'}
        - {name: host_name, value: '{HOST.NAME}'}
        - {name: ip, value: '{HOST.IP}'}
        - {name: hostgroup, value: '{TRIGGER.HOSTGROUP.NAME}'}
        - {name: trigger_id, value: '{TRIGGER.ID}'}
        - {name: trigger_url, value: '{TRIGGER.URL}'}
        - {name: zabbix_url, value: '{$ZABBIX.URL}'}
      attempts: '6'
      attempt_interval: 30s
      script: |
        var said = JSON.parse(value), request = new HttpRequest();
        request.addHeader('Content-Type: application/json');
        request.addHeader('Authorization: Bearer ' + said.key);
        var url = said.url;
        delete said.key;
        delete said.url;
        var answer = request.post(url, JSON.stringify(said));
        if (request.getStatus() !== 200) {
          throw 'Barograph answered ' + request.getStatus() + ': ' + answer;
        }
        return 'OK';
      message_templates:
        - {event_source: TRIGGERS, operation_mode: PROBLEM, subject: '{EVENT.NAME}', message: '{EVENT.ID}'}
        - {event_source: TRIGGERS, operation_mode: RECOVERY, subject: '{EVENT.NAME}', message: '{EVENT.ID}'}
        - {event_source: TRIGGERS, operation_mode: UPDATE, subject: '{EVENT.NAME}', message: '{EVENT.ID}'}
""",
            "note": "Give a user this medium, then an action whose operations and recovery "
            "operations send to that user. Set the global macro {$ZABBIX.URL} for links back.",
        },
        {
            "title": "Zone of its times",
            "language": "toml",
            "text": """\
# In the source's table, where Zabbix is too old for {EVENT.TIMESTAMP}: the zone of its server.
timezone = "Europe/Berlin"
""",
        },
    ],
    "facts": [
        ["On 2xx", "our script takes 200 alone for success, and 200 is what we answer"],
        ["On 4xx", "tries again, six times in all; we answer 4xx only for a wrong key or an unknown source"],
        ["On 5xx", "tries again, six times in all, 30 s apart"],
        ["Repeats", "by the steps of the action; repeats change nothing here"],
        ["Resolved", "sent when the action has recovery operations"],
        ["Time zone", "epoch seconds, else the server's own zone without naming it"],
    ],
}

_LOWEST_FIRST = (Severity.UNKNOWN, Severity.INFO, Severity.WARNING, Severity.WARNING)
_NUMBERED = (*_LOWEST_FIRST, Severity.ERROR, Severity.CRITICAL)
_STATES = dict.fromkeys(("0", "ok", "resolved", "recovery", "recovered"), True)
_STATES |= dict.fromkeys(("1", "problem", "alerting", "update", "updated", "updated problem"), False)


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert by the id of its problem; by trigger and host where the shape has no id of a problem."""
    said = placeholders.filled(monitors.object_in(delivery, "a Zabbix message"))
    if "event_value" in said:
        return _ours(said, delivery)
    if "alert_uid" in said:
        return [_named(said, said["alert_uid"], said.get("state"), said.get("title"), delivery)]
    if isinstance(said.get("event"), dict):
        event, trigger = said["event"], payload.object_of(said.get("trigger"))
        state = monitors.first(event, "status") or trigger.get("status")
        title = monitors.first(event, "name") or trigger.get("name")
        return [_named(said, event.get("id"), state, title, delivery)]
    if "trigger" in said and "status" in said:
        found = re.search(r"triggerid=(\d+)", monitors.word(said.get("link")))
        key = monitors.key_from(found[1] if found else said["trigger"], said.get("hostname"))
        return [_named(said, key, said["status"], said["trigger"], delivery)]
    raise UnrecognisedError("not a Zabbix message: neither our media type's fields nor a known shape")


def _ours(said: Mapping[str, Any], delivery: Delivery) -> list[Statement]:
    if said.get("event_id") is None and said.get("event_value") is None:
        return []  # the media type's test button leaves every macro as it stands
    over = bool(monitors.state_of(said["event_value"], _STATES, "event_value"))
    event = monitors.event_of(
        delivery,
        key=said.get("event_id"),
        title=said.get("event_name"),
        over=over,
        severity=_severity(said.get("severity")),
        starts_at=_at(said, "at", "date", "time", delivery),
        ends_at=_at(said, "recovered_at", "recovery_date", "recovery_time", delivery) if over else None,
        final=True,
        labels=_tags(said) | {name: said.get(name) for name in ("host", "host_name", "ip", "hostgroup", "trigger_id")},
        url=monitors.first(said, "trigger_url", "zabbix_url"),
        text=said.get("operational_data"),
    )
    return [event]


def _tags(said: Mapping[str, Any]) -> dict[str, Any]:
    tags = said.get("tags")
    if isinstance(tags, str) and tags.lstrip().startswith("["):
        tags = payload.decode(tags.encode(errors="replace"))
    return dict(monitors.tags_of(tags))


def _named(said: Mapping[str, Any], key: object, state: object, title: object, delivery: Delivery) -> Event:
    host = payload.object_of(said.get("host"))
    labels = {"host": said.get("hostname") or host.get("name"), "ip": host.get("connection_info")}
    event = payload.object_of(said.get("event"))
    return monitors.event_of(
        delivery,
        key=key,
        title=title,
        over=bool(monitors.state_of(state, _STATES, "status")),
        severity=_severity(said.get("severity") or event.get("severity")),
        final=key is not None and key == event.get("id"),
        test=monitors.word(title).startswith("TestAlert"),
        labels=labels,
        url=monitors.first(said, "link", "link_to_upstream_details"),
        text=monitors.first(said, "message", "item"),
    )


def _severity(said: object) -> Severity:
    number = payload.number_of(said)
    if number is None:
        return severities.severity(said)
    return _NUMBERED[int(number)] if 0 <= number < len(_NUMBERED) else Severity.UNKNOWN


def _at(said: Mapping[str, Any], epoch: str, date: str, time: str, delivery: Delivery) -> datetime | None:
    if said.get(epoch):
        return monitors.instant(said[epoch], epoch, delivery)
    if isinstance(said.get(date), str) and isinstance(said.get(time), str):
        return monitors.instant(f"{said[date].replace('.', '-')} {said[time]}", date, delivery)
    return None
