"""Rules: which alerts open an incident or join one, when it is mitigated and resolved. Pure; each gives its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidents.geography.places import matches
from incidents.model import Incident, Occurrence, Rule, Severity

LEAD = timedelta(minutes=10)
"""How far before its earliest alert an incident's span begins."""
QUIET = timedelta(minutes=30)
"""How long all alerts must have ended before a rule marks the incident mitigated."""
SETTLED = timedelta(hours=6)
"""How much longer until a rule marks it resolved."""
QUIET_ACTOR = "rule:quiet@1"
MEMBER_ACTOR = "rule:span@1"

DEFAULT_RULES = (
    Rule(name="critical-alert", severity_at_least=Severity.CRITICAL),
    Rule(name="burst", count=5, within_seconds=600),
)
"""What holds when a configuration gives no rules."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A rule's decision to open an incident at an anchor alert, and why."""

    rule: Rule
    anchor: Occurrence
    reason: str


def span_of(incident: Incident, now: datetime) -> tuple[datetime, datetime]:
    """The stretch of happened time that an incident covers: [earliest start − 10 min, resolved or now]."""
    starts = [incident.opened_at]
    if incident.impact_started_at:
        starts.append(incident.impact_started_at.at)
    until = incident.resolved_at
    return min(starts) - LEAD, (until.until or until.at) if until else max(now, incident.opened_at)


def meets(alert: Occurrence, since: datetime, until: datetime) -> bool:
    """Whether an alert's interval touches the span [since, until]."""
    return alert.starts_at <= until and (alert.ends_at is None or alert.ends_at >= since)


def find_opening(alerts: Sequence[Occurrence], rules: Sequence[Rule]) -> Opening | None:
    """The earliest opening among alerts of one group that belong to no incident, or None. Rules go in their order."""
    ordered = sorted((a for a in alerts if not a.test), key=lambda a: (a.starts_at, a.id))
    found = [opening for rule in rules if rule.open for opening in [_opening(ordered, rule)] if opening]
    return min(found, key=lambda o: (o.anchor.starts_at, rules.index(o.rule)), default=None)


def _opening(ordered: Sequence[Occurrence], rule: Rule) -> Opening | None:
    heard = [a for a in ordered if _hears(rule, a)]
    if rule.count is None:
        least = rule.severity_at_least or Severity.UNKNOWN
        return Opening(rule, heard[0], f"severity {heard[0].severity}, at least {least}") if heard else None
    within = timedelta(seconds=rule.within_seconds)
    for first, last in zip(heard, heard[rule.count - 1 :], strict=False):
        if last.starts_at - first.starts_at <= within:
            return Opening(rule, first, f"{rule.count} alerts within {rule.within_seconds // 60} min")
    return None


def _hears(rule: Rule, alert: Occurrence) -> bool:
    if rule.severity_at_least and alert.severity.rank < rule.severity_at_least.rank:
        return False
    if rule.match and not matches(alert.labels, rule.match):
        return False
    return not (rule.unless and matches(alert.labels, rule.unless))


@dataclass(frozen=True, slots=True)
class Settling:
    """A rule's decision on the status of an incident, with the instant at which it came true."""

    status: str
    happened_at: datetime
    reason: str


def settle(incident: Incident, now: datetime, *, by_rule: bool) -> Settling | None:
    """The next status that quiet, or renewed noise, brings about; None when nothing is due at `now`.

    `by_rule` says that the present status was set by a rule: only then does a new alert undo "mitigated".
    """
    sums = incident.members
    if not sums.alerts or incident.merged_into:
        return None
    if sums.on:
        if incident.status == "mitigated" and by_rule:
            before = "acknowledged" if incident.acknowledged_at else "open"
            return Settling(before, now, "1 alert is on again" if sums.on == 1 else f"{sums.on} alerts are on again")
        return None
    quiet_at = quiet_since(incident) + QUIET
    if incident.status in ("open", "acknowledged") and quiet_at <= now:
        return Settling("mitigated", quiet_at, "all alerts have ended for 30 min")
    if incident.status == "mitigated" and incident.mitigated_at:
        settled_at = max(quiet_at, incident.mitigated_at.at) + SETTLED
        if settled_at <= now:
            return Settling("resolved", settled_at, "quiet for 6 h since it was mitigated")
    return None


def next_due(incident: Incident) -> datetime | None:
    """When `settle` will next have something to say if nothing is heard until then."""
    sums = incident.members
    if not sums.alerts or sums.on or incident.merged_into or sums.last_ends_at is None:
        return None
    if incident.status in ("open", "acknowledged"):
        return quiet_since(incident) + QUIET
    if incident.status == "mitigated" and incident.mitigated_at:
        return max(quiet_since(incident) + QUIET, incident.mitigated_at.at) + SETTLED
    return None


def quiet_since(incident: Incident) -> datetime:
    """Since when all alerts have been over, or since somebody opened or acknowledged it after that."""
    ended_at = incident.members.last_ends_at
    assert ended_at is not None
    if incident.status in ("open", "acknowledged") and incident.set_by_hand_at:
        return max(ended_at, incident.set_by_hand_at)
    return ended_at
