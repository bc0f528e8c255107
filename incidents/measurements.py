"""Lengths between an incident's milestones, each with an outcome: recorded, pending, not applicable, invalid. Pure."""

from __future__ import annotations

from incidents.model import Incident, Measurement, Moment

PAIRS = (
    ("time_to_detect", "impact_started_at", "detected_at"),
    ("time_to_acknowledge", "detected_at", "acknowledged_at"),
    ("time_to_mitigate", "impact_started_at", "mitigated_at"),
    ("time_to_resolve", "impact_started_at", "resolved_at"),
)
"""Each measurement's name with the milestones that it runs between."""
_BY_NAME = {pair[0]: pair for pair in PAIRS}

_WORDS = {
    "impact_started_at": "the start of the impact",
    "detected_at": "the detection",
    "acknowledged_at": "the acknowledgement",
    "mitigated_at": "the mitigation",
    "resolved_at": "the resolution",
}


def measure(incident: Incident) -> tuple[Measurement, ...]:
    """All measurements of an incident, in the order of `PAIRS`. Lengths are in seconds."""
    return tuple(_length(incident, *pair) for pair in PAIRS)


def measured(incident: Incident, name: str) -> Measurement:
    """One measurement of an incident."""
    return _length(incident, *_BY_NAME[name])


def _length(incident: Incident, name: str, since: str, until: str) -> Measurement:
    start: Moment | None = getattr(incident, since)
    end: Moment | None = getattr(incident, until)
    if start is None and since == "impact_started_at":
        start, since = incident.detected_at, "detected_at"
        if until == "detected_at":
            return Measurement(name, "not_applicable", reason="nobody said when the impact began")
    if start is None:
        return Measurement(name, "not_applicable", reason=f"{_WORDS[since]} is not recorded")
    if end is None:
        if incident.status == "resolved":
            return Measurement(name, "not_applicable", reason=f"resolved without {_WORDS[until]}")
        return Measurement(name, "pending", reason=f"{_WORDS[until]} is still to come")
    return _between(name, start, end, f"{_WORDS[until]} lies before {_WORDS[since]}")


def _between(name: str, start: Moment, end: Moment, disorder: str) -> Measurement:
    least = (end.at - (start.until or start.at)).total_seconds()
    most = ((end.until or end.at) - start.at).total_seconds()
    if most < 0:
        return Measurement(name, "invalid", reason=disorder)
    ranged = start.until is not None or end.until is not None
    return Measurement(name, "recorded", seconds=max(0.0, least), seconds_max=most if ranged else None)
