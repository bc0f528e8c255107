"""Groups of alerts as Alertmanager posts them, and what other tools post in its shape, read into events. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from incidents import instants
from incidents.formats import payload, severities
from incidents.model import Delivery, Event, Loss, Statement, UnrecognisedError


def read(delivery: Delivery, sender: str) -> list[Statement]:
    """One alert event for each of `alerts`, or for a lone alert posted without its envelope.

    Alerts that cannot be read are a loss with the first reason; when none can be read, UnrecognisedError says it.
    """
    message = payload.decode(delivery.body)
    if not isinstance(message, dict):
        raise UnrecognisedError(f"not {sender} message: the body is no JSON object")
    alerts = message.get("alerts")
    if alerts is None and "labels" in message and "startsAt" in message:
        message, alerts = {}, [message]
    if not isinstance(alerts, list):
        raise UnrecognisedError(f"not {sender} message: it has no list of alerts")
    group = payload.key_of(message.get("groupKey"))
    statements: list[Statement] = []
    reasons: list[str] = []
    for index, alert in enumerate(alerts):
        try:
            statements.append(_event(alert, message, group, delivery))
        except ValueError as error:
            reasons.append(f"alerts[{index}]: {error}")
    if reasons and not statements:
        raise UnrecognisedError(reasons[0])
    if reasons:
        statements.append(Loss(len(reasons), f"alerts that could not be read: {reasons[0]}"))
    truncated = payload.count_of(message.get("truncatedAlerts"))
    if truncated:
        statements.append(
            Loss(truncated, f"truncatedAlerts: alerts that {sender.rsplit(maxsplit=1)[-1]} left out of this message")
        )
    return statements


def _event(alert: object, message: Mapping[str, Any], group: str | None, delivery: Delivery) -> Event:
    if not isinstance(alert, dict):
        raise UnrecognisedError("no JSON object")
    labels = payload.labels_of(alert.get("labels"))
    fingerprint = payload.key_of(alert.get("fingerprint")) or _fingerprint(labels)
    starts_at = _start(alert.get("startsAt"), delivery)
    ends_at, ends_assumed = None, False
    if _is_resolved(alert, message):
        ends_at, ends_assumed = _end(alert.get("endsAt"), starts_at, delivery)
    annotations = payload.object_of(alert.get("annotations"))
    return Event(
        key=f"{fingerprint}/{instants.text(starts_at)}" if starts_at else fingerprint,
        kind="alert",
        title=_title(annotations, labels),
        severity=severities.severity(labels.get("severity")),
        # Without a start the same words may be said of another time, so only the receipt tells them apart.
        said_at=None if starts_at else delivery.received_at,
        starts_at=starts_at,
        ends_at=ends_at,
        ends_assumed=ends_assumed,
        final=starts_at is not None,
        labels=labels,
        url=payload.url_of(alert.get("generatorURL")) or payload.url_of(message.get("externalURL")),
        text=payload.text_of(annotations.get("description")) or payload.text_of(annotations.get("message")),
        group=group,
    )


def _is_resolved(alert: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    # The group's status speaks of the group and after truncation, so it counts only where the alert has none.
    status = alert.get("status") or message.get("status") or "firing"
    if status == "firing":
        return False
    if status != "resolved":
        raise UnrecognisedError(f"status {payload.text_of(status, 60)!r} is neither firing nor resolved")
    return True


def _start(said: object, delivery: Delivery) -> datetime | None:
    try:
        return instants.parse(said, zone=delivery.timezone)
    except ValueError as error:
        raise UnrecognisedError(f"startsAt: {error}") from None


def _end(said: object, starts_at: datetime | None, delivery: Delivery) -> tuple[datetime, bool]:
    """The end of a resolved alert, and whether it is assumed."""
    try:
        ends_at = instants.parse(said, zone=delivery.timezone)
    except ValueError:  # it did end, whatever stands there
        ends_at = None
    assumed = ends_at is None
    ends_at = ends_at or delivery.received_at
    if starts_at and ends_at < starts_at:
        return starts_at, True
    return ends_at, assumed


def _fingerprint(labels: Mapping[str, str]) -> str:
    if not labels:
        raise UnrecognisedError("neither labels nor a fingerprint")
    return hashlib.sha256(orjson.dumps(labels, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _title(annotations: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    said = payload.title_of(annotations.get("summary")) or payload.title_of(annotations.get("title"))
    if said and "<no value>" not in said:  # what Go's templates write for a label that is not there
        return said
    name, instance = labels.get("alertname") or "Alert without a name", labels.get("instance")
    return payload.title_of(f"{name} on {instance}" if instance else name) or name
