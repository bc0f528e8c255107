"""Where notices go and which: destinations, what each wants to hear, and how long it is tried. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from incidents.model import Incident, Severity

Kind = Literal["webhook", "slack"]
KINDS: tuple[Kind, ...] = ("webhook", "slack")
What = Literal["opened", "status_changed", "resolved", "test"]
WHAT: tuple[What, ...] = ("opened", "status_changed", "resolved")
"""What a destination can be told of; `test` is for the button alone."""
STATES = ("waiting", "sent", "dead")

PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800))
"""How long after each failed attempt the next one is: ten attempts, the last 15 to 20 hours after the first."""
MOST_ATTEMPTS = len(PAUSES) + 1
JITTER = 0.2
"""By which share a pause may be longer, so that those who failed together do not come back together."""
LONGEST_ASKED = timedelta(hours=8)
"""A receiver that asks for a longer pause is tried again after this one all the same."""
GONE = 410
"""The answer by which a receiver says that it wants nothing more: Standard Webhooks, and Slack's removed webhooks."""
HISTORY = timedelta(days=1)
"""What happened longer before it was recorded is history: nobody is told."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver as configured. Its address and its secrets are kept apart, sealed: a chat's address is a secret."""

    name: str
    kind: Kind
    host: str = ""
    """Of its address, to be shown."""
    what: tuple[str, ...] = ()
    """What it wants to hear; empty means everything."""
    severity_at_least: Severity | None = None
    sites: tuple[str, ...] = ()
    """Whose incidents it wants; empty means all, those of no site among them."""
    private: bool | None = None
    """Whether it is told of private incidents too; it is not unless somebody says so."""

    @property
    def sealed_as(self) -> str:
        """The name under which its address and secrets are kept; no source can bear it."""
        return f"destination:{self.name}"

    def wants(self, what: str, incident: Incident) -> bool:
        """Whether it is to be told this of an incident."""
        if self.what and what not in self.what:
            return False
        if incident.seen_by is not None and not self.private:
            return False
        if self.severity_at_least and incident.severity.rank < self.severity_at_least.rank:
            return False
        return not self.sites or bool(set(self.sites) & set(incident.sites))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a notice: what was answered, or why nothing was."""

    at: datetime
    outcome: Literal["sent", "failed"]
    status: int | None
    reason: str | None
    took_ms: int
    by: str | None
    """Who asked for it; None where its turn had come."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one destination is to be told of one incident. `name` is the same at every attempt."""

    id: int
    name: str
    destination: str
    incident: str | None
    what: str
    facts: Mapping[str, Any]
    recorded_at: datetime
    state: str
    due_at: datetime
    failures: int
    turn: int = 0
    again_by: str | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def title(self) -> str:
        """The incident's title as it was then."""
        return str(self.facts.get("title", ""))


@dataclass(frozen=True, slots=True)
class DestinationHealth:
    """How a destination has answered so far."""

    destination: Destination
    counts: Mapping[str, int] = field(default_factory=dict)
    """Notices by state."""
    last: Attempt | None = None


def pause_after(failures: int, jitter: float, asked: timedelta | None = None) -> timedelta | None:
    """How long after the n-th failure in a row the next attempt is; None where there is none any more.

    `jitter` is between 0 and 1; a longer pause that the receiver asks for is kept, up to `LONGEST_ASKED`.
    """
    if failures >= MOST_ATTEMPTS:
        return None
    own = PAUSES[failures - 1] * (1 + JITTER * jitter)
    return max(own, min(asked or timedelta(), LONGEST_ASKED))


def changes_of(incident: Incident, was: str, *, opened: bool) -> list[tuple[What, datetime]]:
    """What there is to tell of an incident whose status was another, and when it happened."""
    found: list[tuple[What, datetime]] = [("opened", incident.opened_at)] if opened else []
    if incident.status == "resolved" != was:
        found.append(("resolved", _since(incident)))
    elif incident.status != was:
        found.append(("status_changed", _since(incident)))
    return [] if incident.merged_into else found


def _since(incident: Incident) -> datetime:
    """Since when the status holds; a reopened one since it was recorded, which is now."""
    moments = {
        "acknowledged": incident.acknowledged_at,
        "mitigated": incident.mitigated_at,
        "resolved": incident.resolved_at,
    }
    known = moments.get(incident.status)
    return (known.until or known.at) if known else datetime.max.replace(tzinfo=incident.opened_at.tzinfo)
