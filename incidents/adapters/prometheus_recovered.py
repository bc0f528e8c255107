"""What Prometheus says fired in a stretch of the past: the answer of its query API, for alerts that never arrived.

The series `ALERTS` has one sample for each evaluation at which an alert fired, and `ALERTS_FOR_STATE` since when it was
active, which parts two alerts of one name. Fingerprint and start are those that its Alertmanager would have told, so
that what did arrive is the same alert.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from incidents import instants
from incidents.formats import fingerprints, monitors, payload, severities
from incidents.model import Delivery, Event, Loss, Statement, UnrecognisedError

VERSION = 1
TITLE = "Prometheus, what fired in the past"
READS = ("prometheus-recovered",)
SETUP = {
    "snippets": [
        {
            "title": "In the [[sources]] of its Alertmanager",
            "language": "toml",
            "text": """\
prometheus = "http://prometheus.example:9090"
external_labels = { cluster = "eu" }
""",
            "note": "Barograph then asks by itself after a gap, and `barograph recover` asks when you want it to.",
        },
        {
            "title": "By hand, where Barograph cannot reach Prometheus",
            "language": "shell",
            "text": """\
curl -s http://prometheus.example:9090/api/v1/query --data-urlencode \\
  'query={__name__=~"ALERTS|ALERTS_FOR_STATE",alertstate=~"firing|"}[6h]' |
curl -H 'Authorization: Bearer {key}' --data-binary @- {url}
""",
        },
    ],
    "facts": [
        ["What is asked", "every sample of ALERTS and ALERTS_FOR_STATE in a window, by one instant query"],
        ["Start", "the first evaluation at which it fired; without it, before the window, the alert is left out"],
        ["End", "one interval after the last evaluation at which it fired, and assumed"],
        ["Title", "the alert's name and instance: annotations are not in these series"],
        ["External labels", "are not in these series either; the source's `external_labels` puts them back"],
        ["Repeats", "what arrived before is the same alert"],
    ],
}
MOST_SPACING = timedelta(minutes=5)
"""Between two evaluations, at the most: a series that pauses for longer has ended."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_SPACING = timedelta(minutes=1)
"""Where one sample alone tells of no interval: the default of Prometheus."""


Samples = Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the query API; `since` and `until` are the window that was asked for."""

    firing: Sequence[tuple[dict[str, str], Samples]]
    """Each series of `ALERTS` by its labels."""
    active: Mapping[str, Mapping[datetime, float]]
    """By fingerprint, since when each was active at each evaluation."""
    spacing: timedelta
    since: datetime
    until: datetime


def normalise(delivery: Delivery) -> list[Statement]:
    """One alert event for each stretch in which an alert fired; those that began before the window are a loss."""
    labels = _external(delivery)
    answered = _answered(delivery)
    statements: list[Statement] = []
    before = 0
    for named, samples in answered.firing:
        spacing, active = _spacing([samples], answered.spacing), answered.active.get(fingerprints.of_labels(named), {})
        for first, last in _stretches(samples, active, spacing):
            if first - answered.since < spacing * 1.5:
                before += 1
                continue
            ends_at = last + spacing if answered.until - last > spacing * 1.5 else None
            statements.append(_event({**named, **labels}, first, ends_at))
    if before:
        statements.append(Loss(before, "alerts that fired before the window that was asked for"))
    return statements


def _event(labels: dict[str, str], first: datetime, ends_at: datetime | None) -> Event:
    name, instance = labels.get("alertname") or "Alert without a name", labels.get("instance")
    return Event(
        key=f"{fingerprints.of_labels(labels)}/{instants.text(first)}",
        kind="alert",
        title=payload.title_of(f"{name} on {instance}" if instance else name) or name,
        severity=severities.severity(labels.get("severity")),
        # As early as it can be said: whatever the monitor itself says of it, with its own words and end, holds.
        said_at=first,
        starts_at=first,
        ends_at=ends_at,
        ends_assumed=ends_at is not None,
        final=True,
        labels=labels,
    )


def _stretches(
    samples: Samples, active: Mapping[datetime, float], spacing: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """The first and the last sample of each stretch: one ends where it pauses, or is active since another moment."""
    if not samples:
        return
    begun = samples[0][0]
    for (was, _), (now, _) in pairwise(samples):
        since, then = active.get(now), active.get(was)
        is_other = since != then if since is not None and then is not None else now - was > spacing * 1.5
        if is_other or now - was > MOST_SPACING + spacing:
            yield begun, was
            begun = now
    yield begun, samples[-1][0]


def _answered(delivery: Delivery) -> Answered:
    body = monitors.object_in(delivery, "an answer of Prometheus")
    found = payload.object_of(body.get("data"))
    if body.get("status") != "success" or found.get("resultType") != "matrix":
        raise UnrecognisedError("not an answer of Prometheus with a matrix: ask for a range, as in ALERTS[6h]")
    series = [payload.object_of(one) for one in payload.list_of(found.get("result"))]
    firing = [
        (_labels(one), _samples(one))
        for one in series
        if _metric(one).get("__name__") == "ALERTS" and _metric(one).get("alertstate") == "firing"
    ]
    active = {
        fingerprints.of_labels(_labels(one)): dict(_samples(one))
        for one in series
        if _metric(one).get("__name__") == "ALERTS_FOR_STATE"
    }
    spacing = _spacing([samples for _, samples in firing], DEFAULT_SPACING)
    since = monitors.moment(delivery.headers.get("request-since"), delivery)
    until = monitors.moment(delivery.headers.get("request-until"), delivery)
    first = min((at for _, samples in firing for at, _ in samples), default=delivery.received_at)
    return Answered(firing, active, spacing, since or first - 2 * spacing, until or delivery.received_at)


def _spacing(series: Sequence[Samples], default: timedelta) -> timedelta:
    """The usual length between two evaluations."""
    steps = [(b - a).total_seconds() for samples in series for (a, _), (b, _) in pairwise(samples)]
    return min(timedelta(seconds=statistics.median(steps)), MOST_SPACING) if steps else default


def _metric(series: Mapping[str, Any]) -> Mapping[str, Any]:
    return payload.object_of(series.get("metric"))


def _labels(series: Mapping[str, Any]) -> dict[str, str]:
    own = {name: value for name, value in _metric(series).items() if name not in ("__name__", "alertstate")}
    return payload.labels_of(own)


def _samples(series: Mapping[str, Any]) -> list[tuple[datetime, float]]:
    """The samples in order; Prometheus writes each as `[seconds, "value"]`, to the millisecond."""
    found = []
    for sample in payload.list_of(series.get("values")):
        if not (isinstance(sample, list) and len(sample) == 2):
            raise UnrecognisedError("a sample is no pair of a time and a value")
        seconds, value = payload.number_of(sample[0]), payload.number_of(sample[1])
        if seconds is None or value is None or not 0 <= seconds < 1e11:
            raise UnrecognisedError("a sample is no pair of a time and a value")
        found.append((_EPOCH + timedelta(milliseconds=round(seconds * 1000)), value))
    return sorted(found)


def _external(delivery: Delivery) -> dict[str, str]:
    """The labels that Prometheus adds to what it sends, as the source names them."""
    told = delivery.headers.get("request-labels")
    return payload.labels_of(payload.decode(told.encode())) if told else {}
