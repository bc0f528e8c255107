"""The event recorder of Alertmanager 0.32 and later: what it did about alerts. The alerts are the webhook's to tell.

Reads both shapes of its schema (labels as an object, or as a list of key and value), one event or a batch of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from incidents.formats import monitors, payload
from incidents.model import Delivery, Event, Severity, Statement, UnrecognisedError

VERSION = 1
TITLE = "Alertmanager's event recorder"
READS = ("alertmanager-events",)
TIMEOUT = timedelta(minutes=10)
"""How long an alert is taken to be inhibited after that was last said: two turns of the default group_interval."""
SETUP = {
    "one_of": True,
    "snippets": [
        {
            "title": "alertmanager.yml",
            "language": "yaml",
            "text": """\
event_recorder:
  webhook_outputs:
    - url: {url}
      http_config:
        authorization:
          credentials: {key}
""",
            "note": "Start Alertmanager with `--enable-feature=event-recorder`. `batch: true` is read as well.",
        },
        {
            "title": "The first releases that had it",
            "language": "yaml",
            "text": """\
event_recorder:
  outputs:
    - type: webhook
      url: {url}
      http_config:
        authorization:
          credentials: {key}
""",
            "note": "For an Alertmanager that has the feature and refuses `webhook_outputs`.",
        },
    ],
    "facts": [
        ["On 2xx", "moves on"],
        ["On 4xx and 5xx", "tries three times, then drops the event"],
        ["Repeats", "a muted alert is said again at each turn of its group; it stays one line"],
        ["Resolved", "a silence says its end; an inhibition is taken to last ten minutes after it was last said"],
        ["Alerts", "are told by the webhook, which is a source of its own: connect both"],
        ["Time zone", "UTC"],
        [
            "Releases",
            "0.34 has it; 0.25, Debian 12's, with which we test, has not: this format is held to our own samples alone",
        ],
    ],
}
_QUIET = ("alertmanagerStartupEvent", "alertmanagerShutdownEvent", "alertCreated", "alertGrouped", "alertResolved")


def normalise(delivery: Delivery) -> list[Statement]:
    """A change for each silence, each alert that one silences or another inhibits, and each notification."""
    body = payload.decode(delivery.body)
    said = [payload.object_of(item) for item in (body if isinstance(body, list) else [body])]
    loud = [item for item in said if not any(name in payload.object_of(item.get("data")) for name in _QUIET)]
    return monitors.several(loud, lambda item: _read(payload.object_of(item), delivery), "event")


def _read(item: Mapping[str, Any], delivery: Delivery) -> Event:
    data = payload.object_of(item.get("data"))
    at = monitors.instant(monitors.first(item, "@timestamp", "timestamp"), "@timestamp", delivery)
    for name, read in _READERS.items():
        if name in data:
            return read(payload.object_of(data[name]), at or delivery.received_at, delivery)
    raise UnrecognisedError("not an event of Alertmanager's recorder: its data holds none that is known")


def _silence(said: Mapping[str, Any], at: datetime, delivery: Delivery) -> Event:
    silence = payload.object_of(said.get("silence"))
    matchers = [payload.object_of(matcher) for matcher in payload.list_of(silence.get("matchers"))]
    labels = {str(m.get("name")): m.get("pattern") for m in matchers if m.get("type") == "TYPE_EQUAL"}
    words = f"Silence{_by(silence, at, delivery)}: {monitors.word(silence.get('comment'), default='no comment')}"
    event = _event(delivery, monitors.key_from("silence", silence.get("id")), words, labels, at)
    event = replace(event, starts_at=monitors.moment(silence.get("startsAt"), delivery))
    rendered = ", ".join(monitors.word(m.get("rendered"), m.get("pattern")) for m in matchers)
    return replace(_until(event, silence, at, delivery), text=payload.text_of(rendered))


def _silenced(said: Mapping[str, Any], at: datetime, delivery: Delivery) -> Event:
    silence, (name, fingerprint, labels) = payload.object_of(said.get("silence")), _muted(said)
    key = monitors.key_from(fingerprint, "silenced", silence.get("id"))
    event = _event(delivery, key, f"{name} silenced{_by(silence, at, delivery)}", labels, at)
    return replace(_until(event, silence, at, delivery), event="silenced", text=payload.text_of(silence.get("comment")))


def _inhibited(said: Mapping[str, Any], at: datetime, delivery: Delivery) -> Event:
    name, fingerprint, labels = _muted(said)
    rules = [payload.object_of(rule) for rule in payload.list_of(said.get("inhibitRules"))]
    matchers = [payload.object_of(m) for rule in rules for m in payload.list_of(rule.get("sourceMatchers"))]
    by = ", ".join(word for m in matchers if (word := monitors.word(m.get("rendered")))) or "another alert"
    event = _event(delivery, monitors.key_from(fingerprint, "inhibited"), f"{name} inhibited by {by}", labels, at)
    ends_at = monitors.shifted(at, TIMEOUT) or at
    return replace(event, event="inhibited", ends_at=ends_at, ends_assumed=True)


def _notified(said: Mapping[str, Any], at: datetime, delivery: Delivery) -> Event:
    group, by = payload.object_of(said.get("groupInfo")), payload.object_of(said.get("integration"))
    alerts = [payload.object_of(alert) for alert in payload.list_of(said.get("alerts"))]
    told = [_pairs(payload.object_of(alert.get("details") or alert).get("labels")) for alert in alerts]
    sets = [labels for labels in told if labels] or [{}]
    shared = {name: word for name, word in sets[0].items() if all(other.get(name) == word for other in sets)}
    labels = _pairs(group.get("groupLabels")) | shared
    counts = [f"{len(payload.list_of(said.get(f'{state}Alerts')))} {state}" for state in ("firing", "resolved")]
    reason = monitors.word(said.get("reason")).removeprefix("NOTIFY_REASON_").replace("_", " ").lower()
    receiver, name = monitors.word(group.get("receiverName"), default="?"), monitors.word(by.get("name"), default="?")
    words = f"{_name(labels)} notified {name} of {receiver}: {', '.join([*counts, reason]).rstrip(', ')}"
    whose = monitors.first(group, "groupKey", "groupId")
    key = monitors.key_from(whose, receiver, name, by.get("index"), at.isoformat())
    return replace(_event(delivery, key, words, labels, at), event="notified", starts_at=at, ends_at=at, final=True)


_READERS = {
    "silenceMutedAlert": _silenced,
    "inhibitionMutedAlert": _inhibited,
    "notification": _notified,
    "silenceCreated": _silence,
    "silenceUpdated": _silence,
}


def _event(delivery: Delivery, key: str | None, title: str, labels: Mapping[str, Any], at: datetime) -> Event:
    fields: dict[str, Any] = {"kind": "change", "severity": Severity.INFO, "said_at": at, "labels": labels}
    return monitors.event_of(delivery, key=key, title=title, over=False, **fields)


def _until(event: Event, silence: Mapping[str, Any], at: datetime, delivery: Delivery) -> Event:
    """The event with the silence's end, which is a forecast while it lies ahead: it can be cut short."""
    ends_at = monitors.moment(silence.get("endsAt"), delivery)
    if ends_at is None or ends_at < (event.starts_at or at):
        return event
    return replace(event, ends_at=ends_at, ends_expected=ends_at > at)


def _by(silence: Mapping[str, Any], at: datetime, delivery: Delivery) -> str:
    ends_at = monitors.moment(silence.get("endsAt"), delivery)
    until = f" until {ends_at:{'%H:%M' if ends_at.date() == at.date() else '%Y-%m-%d %H:%M'}} UTC" if ends_at else ""
    return f" by {monitors.word(silence.get('createdBy'), default='somebody')}{until}"


def _muted(said: Mapping[str, Any]) -> tuple[str, str | None, dict[str, Any]]:
    """Name, fingerprint and labels; the webhook writes as sixteen hex digits what is a decimal number here."""
    alert = payload.object_of(said.get("mutedAlert"))
    digits, labels = monitors.word(alert.get("fingerprint")), _pairs(alert.get("labels"))
    return _name(labels), f"{int(digits):016x}" if digits.isdecimal() and len(digits) < 21 else None, labels


def _name(labels: Mapping[str, Any]) -> str:
    name, instance = monitors.word(labels.get("alertname"), default="Alerts"), monitors.word(labels.get("instance"))
    return f"{name} on {instance}" if instance else name


def _pairs(value: object) -> dict[str, Any]:
    """Labels, whether they are an object or a list of pairs in one."""
    fields = payload.object_of(value)
    if not isinstance(fields.get("labels"), list):
        return dict(fields)
    return {str(pair.get("key")): pair.get("value") for pair in map(payload.object_of, fields["labels"])}
