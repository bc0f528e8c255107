"""The cascade: from the warning to the recovery, what is known of each step and when it was. Pure.

It is an order in time and nothing else: that one step follows another does not say that it came of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from incidents.lanes import plain_words
from incidents.model import Incident, Moment, Occurrence, Severity

THERMAL: Final = re.compile(
    r"\b(?:temperatures?|inlet|thermal|overheat\w*|throttl\w*|cooling|chillers?|cracs?|crahs?|hvac|hot aisle|heat|"
    r"(?:supply|return) air)\d*\b"
)
"""Words, over `plain_words`, by which an alert speaks of heat."""
LANES: Final = frozenset({"site", "hardware"})
"""Where alerts that speak of heat are looked for: a service that is "overheating" is not."""
MINUTE: Final = timedelta(minutes=1)
NAMES: Final = {
    "warning": "warning issued",
    "limit": "design limit crossed",
    "thermal": "first thermal alert",
    "page": "first critical alert",
    "act": "first human act",
    "post": "provider’s first post",
    "recovery": "recovery",
}
"""The steps in the order in which one would look for them; what they are is said in the reference."""


@dataclass(frozen=True, slots=True)
class CascadeStep:
    """One step that is known: its name among `NAMES`, when it was, and what it was."""

    name: str
    at: datetime
    until: datetime | None
    """Up to when it may have been; None where the instant is exact."""
    words: str
    """The step as it is called in a drawing."""
    subject: str
    """A stranger's or a person's words for it."""
    is_about: bool = False
    """Whether its time is that of a curve which was fitted, not read: even its range is approximate."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """The known steps as they followed one another, and the others, each with why it is not known."""

    steps: tuple[CascadeStep, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Crossing:
    """A curve that rose through a design limit, at some time between two readings.

    Where the curve is not one of readings as such, but was fitted or modelled, `basis` says so.
    """

    at: datetime
    until: datetime | None
    subject: str
    basis: str = "observed"


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did or noted, in happened time."""

    at: datetime
    until: datetime | None
    subject: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the steps are looked for in, all of it as known at one moment."""

    warnings: Sequence[Occurrence]
    """The incident's linked weather warnings."""
    crossing: Crossing | None
    why_no_crossing: str
    alerts: Sequence[tuple[str, Occurrence]]
    """Its alerts, each with its lane."""
    acts: Sequence[Act]
    providers: Sequence[Occurrence]
    """Its linked provider incidents."""


def cascade(incident: Incident, found: Found) -> Cascade:
    """The steps of an incident, as far as they are known."""
    looked: dict[str, CascadeStep | str] = {
        "warning": _first(found.warnings, _issued, "warning", "no warning linked"),
        "limit": _limit(found),
        "thermal": _first(
            [seen for lane, seen in found.alerts if lane in LANES and speaks_of_heat(seen)],
            _began, "thermal", "no alert speaks of heat",
        ),
        "page": _first(
            [seen for _, seen in found.alerts if seen.severity is Severity.CRITICAL],
            _began, "page", "no critical alert",
        ),
        "act": _act(found.acts),
        "post": _first([seen for seen in found.providers if _posted(seen)], _posted, "post", "no post linked"),
        "recovery": _recovery(incident),
    }  # fmt: skip
    steps = [step for step in looked.values() if isinstance(step, CascadeStep)]
    unknown = tuple((NAMES[name], why) for name, why in looked.items() if isinstance(why, str))
    return Cascade(tuple(sorted(steps, key=lambda step: (step.at, list(NAMES).index(step.name)))), unknown)


def speaks_of_heat(seen: Occurrence) -> bool:
    """Whether an alert's name or title is of temperature or of cooling."""
    return THERMAL.search(plain_words(seen.labels.get("alertname") or seen.title)) is not None


def crossings_of(points: Iterable[tuple[datetime, float]], limit: float) -> list[Moment]:
    """Each time that a curve rises through a limit: from the last reading below to the first above it.

    When in between it did, no reading tells; readings a minute apart are taken for an instant.
    """
    return [
        Moment(before, after) if after - before > MINUTE else Moment(after)
        for (before, low), (after, high) in pairwise(points)
        if low <= limit < high
    ]


def _first(
    seen: Sequence[Occurrence], when: Callable[[Occurrence], Moment | None], name: str, why: str
) -> CascadeStep | str:
    dated = [(moment, one) for one in seen if (moment := when(one))]
    if not dated:
        return why
    moment, one = min(dated, key=lambda pair: (pair[0].at, pair[1].id))
    return CascadeStep(name, moment.at, moment.until, NAMES[name], one.title)


def _issued(seen: Occurrence) -> Moment:
    """When its source first spoke of it, which may be days before it is in force."""
    return Moment(seen.first_said_at or seen.starts_at)


def _began(seen: Occurrence) -> Moment:
    return Moment(seen.starts_at, seen.starts_until)


def _posted(seen: Occurrence) -> Moment | None:
    return Moment(min(post.at for post in seen.posts)) if seen.posts else None


def _limit(found: Found) -> CascadeStep | str:
    if found.crossing is None:
        return found.why_no_crossing
    crossed = found.crossing
    words = NAMES["limit"] if crossed.basis == "observed" else f"{NAMES['limit']} ({crossed.basis})"
    is_about = crossed.basis == "reconstructed"
    return CascadeStep("limit", crossed.at, crossed.until, words, crossed.subject, is_about)


def _act(acts: Sequence[Act]) -> CascadeStep | str:
    if not acts:
        return "no entry by a responder"
    first = min(acts, key=lambda act: act.at)
    return CascadeStep("act", first.at, first.until, NAMES["act"], first.subject)


def _recovery(incident: Incident) -> CascadeStep | str:
    for name, moment in (("resolved", incident.resolved_at), ("mitigated", incident.mitigated_at)):
        if moment is not None:
            return CascadeStep("recovery", moment.at, moment.until, name, name)
    return "still to come"
