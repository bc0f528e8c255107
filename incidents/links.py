"""What a link between an incident and an occurrence rests on: additive bits, each with its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import fsum, isfinite, log2
from typing import Final

from incidents.mechanisms import Family, family_of, named_by, software_words
from incidents.model import BaseRate, Evidence, Incident, Moment, Occurrence, Reason, Site, Tier
from incidents.places import Nearness, relation
from incidents.priors import PROVIDER_INCIDENT, percent, prior_of

VERSION = 1
ACTOR = f"rule:overlap@{VERSION}"

MOST_SURPRISE: Final = 6.0
"""Bits: beyond one in 64 the figures at hand are not good enough to tell."""
PROVIDER_TOLERANCE: Final = timedelta(minutes=30)
"""A status page dates its incident by when it was noticed there, so its start may follow our first alert."""
METRO_KM: Final = 50.0
"""A site known less well than this is somewhere in a state; its coordinates prove nothing."""

_TIERS: Final[tuple[Tier, ...]] = ("context", "coincident", "plausible", "strong")
_FLOORS: Final[tuple[tuple[float, Tier], ...]] = ((8.0, "strong"), (5.0, "plausible"), (2.0, "coincident"))
_LAG_HOURS: Final[dict[Family, int]] = {
    "heat": 6, "cold": 6, "smoke": 24, "flood": 48, "snow": 24,
}  # fmt: skip
_DEFAULT_LAG: Final = timedelta(hours=3)
_AFTER, _ON, _LAGGING, _OVER = -2.0, 1.0, 0.5, -1.0
_EVER: Final = datetime.max.replace(tzinfo=UTC)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Part:
    """A reason, the highest tier that it allows, and what would change it."""

    reason: Reason
    most: Tier = "strong"
    would_change: str = ""


def weigh(
    incident: Incident,
    sites: Sequence[Site],
    occurrence: Occurrence,
    *,
    signals: Sequence[str] = (),
    base_rate: BaseRate | None = None,
    tried: int = 1,
) -> Evidence | None:
    """The evidence that an incident and a hazard or provider incident have to do with each other.

    `sites` may be all there are: `incident.sites` says which of them count. `signals` are the names of the incident's
    own alerts and, if wanted, their titles. `base_rate` comes from the store's record; without one a shipped prior
    stands in. `tried` is how many classes of hazards were compared. None when place or time do not meet.
    """
    if occurrence.kind not in {"hazard", "provider_incident"} or occurrence.test:
        return None
    family = family_of(occurrence)
    if not _meets(incident, occurrence, family) or (place := _place(incident, sites, occurrence, family)) is None:
        return None
    rate = base_rate if base_rate is not None and base_rate.n > 0 else _prior(occurrence)
    parts = [place, _time(incident, occurrence, family), _surprise(rate)]
    parts += [part for part in (_mechanism(family, signals), _tried(tried)) if part is not None]
    return _evidence(parts, rate)


def _evidence(parts: Sequence[_Part], rate: BaseRate) -> Evidence:
    """Bits are rounded to tenths before they are added, so what is shown adds up to what is shown."""
    score = round(fsum(part.reason.bits for part in parts), 1)
    by_score = next((tier for floor, tier in _FLOORS if score >= floor), _TIERS[0])
    lowest = min(parts, key=lambda part: _TIERS.index(part.most))
    tier = min(by_score, lowest.most, key=_TIERS.index)
    change = lowest.would_change or "A report from the facility or from the operator would raise or lower this."
    return Evidence(tier, score, tuple(part.reason for part in parts), rate, change)


def _place(incident: Incident, sites: Sequence[Site], occurrence: Occurrence, family: Family) -> _Part | None:
    affected = [site for site in sites if site.name in incident.sites]
    found = [(near, site) for site in affected if (near := relation(site, occurrence.area)) is not None]
    if family == "grid":
        found = [(near, site) for near, site in found if near.how == "grid_area"]
    if not found:
        return None
    near, site = max(found, key=lambda pair: (pair[0].how != "uncertain", pair[0].bits))
    return _weigh_nearness(near, site)


def _weigh_nearness(near: Nearness, site: Site) -> _Part:
    by_coordinates = near.how in {"polygon", "radius", "uncertain"}
    if by_coordinates and site.uncertainty_km > METRO_KM:
        sentence = f"{near.sentence} That is too vague a place for more than context."
        change = f"A closer position of {site.title} would change this."
        return _Part(_reason("space", near.bits, sentence), "context", change)
    if near.how == "uncertain":
        sentence = f"{near.sentence} Whether it reached the site is open, so at most coincident."
        change = f"A closer position of {site.title}, or a sharper outline, would change this."
        return _Part(_reason("space", near.bits, sentence), "coincident", change)
    return _Part(_reason("space", near.bits, near.sentence))


def _start(incident: Incident) -> tuple[datetime, datetime]:
    """The earliest and the latest instant at which the incident can have begun."""
    said = incident.impact_started_at
    if said is None:
        first = incident.opened_at
        detected = incident.detected_at
        said = Moment(first if detected is None else min(first, detected.at))
    return said.at, max(said.at, said.until or said.at)


def _lag(family: Family) -> timedelta:
    hours = _LAG_HOURS.get(family)
    return _DEFAULT_LAG if hours is None else timedelta(hours=hours)


def _end(occurrence: Occurrence) -> datetime:
    return _EVER if occurrence.ends_at is None else max(occurrence.starts_at, occurrence.ends_at)


def _later(at: datetime, by: timedelta) -> datetime:
    """`at + by`, held within what a datetime can say."""
    return _EVER if at > _EVER - by else at + by


def _meets(incident: Incident, occurrence: Occurrence, family: Family) -> bool:
    since = min(incident.opened_at, _start(incident)[0])
    resolved = incident.resolved_at
    until = _EVER if resolved is None else resolved.until or resolved.at
    return occurrence.starts_at <= until and since <= _later(_end(occurrence), _lag(family))


def _steps(occurrence: Occurrence, family: Family) -> list[tuple[datetime, float]]:
    """Bits by when the incident began, as (from, bits) in order: before the occurrence, while it was on, after it."""
    start, end = occurrence.starts_at, _end(occurrence)
    lagging = _ON if family == "earthquake" else _LAGGING  # a shock has no length; what follows it is its time
    tail = [(end, lagging), (_later(end, _lag(family)), _OVER)]
    if family != "provider":
        return [(_NEVER, _AFTER), (start, _ON), *tail]
    # One that has long been open tells little of an incident that begins now: its own beginning must be near.
    early = start - PROVIDER_TOLERANCE if start - _NEVER > PROVIDER_TOLERANCE else _NEVER
    fresh = [(early, 2.0), (_later(start, timedelta(hours=3)), 1.0), (_later(start, timedelta(hours=24)), 0.0)]
    return [(_NEVER, _AFTER), *((at, bits) for at, bits in fresh if at <= end), *tail]


def _expected(steps: Sequence[tuple[datetime, float]], earliest: datetime, latest: datetime) -> float:
    """The mean of the steps over the range of possible starts, each instant counting alike."""
    if latest == earliest:
        return next(bits for at, bits in reversed(steps) if at <= earliest)
    total = (latest - earliest).total_seconds()
    ends = [at for at, _ in steps[1:]] + [_EVER]
    lengths = (
        max(0.0, (min(end, latest) - max(at, earliest)).total_seconds())
        for (at, _), end in zip(steps, ends, strict=True)
    )
    return fsum(bits * length for (_, bits), length in zip(steps, lengths, strict=True)) / total


def _time(incident: Incident, occurrence: Occurrence, family: Family) -> _Part:
    earliest, latest = _start(incident)
    bits = _expected(_steps(occurrence, family), earliest, latest)
    start, end = occurrence.starts_at, _end(occurrence)
    tolerance = PROVIDER_TOLERANCE if family == "provider" else timedelta(0)
    if start - latest > tolerance:
        least = "" if earliest == latest else "at least "
        sentence = f"It began {least}{length(start - latest)} after the incident did, so it is context at most."
        change = "An earlier start of it, or a later start of the incident, on record would change this."
        return _Part(_reason("time", bits, sentence), "context", change)
    return _Part(_reason("time", bits, _when(earliest, latest, start, end)))


def _when(earliest: datetime, latest: datetime, start: datetime, end: datetime) -> str:
    """How the occurrence lies to the incident's start, in words."""
    if earliest != latest:
        on = max(0.0, (min(end, latest) - max(start, earliest)).total_seconds()) / (latest - earliest).total_seconds()
        return (
            f"In force for {on:.0%} of the {length(latest - earliest)} in which the incident can have begun.".replace(
                "%", " %"
            )
        )
    if start > earliest:
        return f"It began {length(start - earliest)} after the incident did; a status page may date its start late."
    if earliest >= end:
        return f"It had ended {length(earliest - end)} before the incident began."
    return f"In force when the incident began, for {length(earliest - start)} by then."


def _surprise(rate: BaseRate) -> _Part:
    """-log2 of the share, with one imagined case on either side so that a short record claims little."""
    share = min(1.0, max(0.0, rate.share)) if isfinite(rate.share) else 1.0
    bits = min(MOST_SURPRISE, -log2((share * rate.n + 1) / (rate.n + 2)))
    whose = "By this place's record" if rate.basis == "record" else "By a shipped prior"
    return _Part(_reason("surprise", bits, f"{whose}, the like is on in {percent(share)} of {rate.n:,} cases."))


def _prior(occurrence: Occurrence) -> BaseRate:
    event = PROVIDER_INCIDENT if occurrence.kind == "provider_incident" else occurrence.event or occurrence.title
    return prior_of(event).base_rate()


def _mechanism(family: Family, signals: Sequence[str]) -> _Part | None:
    """What the incident's own alerts name; a hazard that none of them speaks to met it in place and time only."""
    if family == "provider":
        return None
    named = named_by(signals, family)
    software = software_words(signals)
    if named and software:
        sentence = f"Our own alerts name both {_list(named)} and {_list(software)}; that weighs neither way."
        return _Part(_reason("mechanism", 0.0, sentence))
    if named:
        return _Part(_reason("mechanism", 2.0, f"Our own alerts name {_list(named)}."))
    change = "An alert of ours, or a facility's report, that names power, cooling or water would raise this."
    if software:
        sentence = f"Our own alerts name {_list(software)}, which no hazard of this kind touches."
        return _Part(_reason("mechanism", -4.0, sentence), "coincident", change)
    sentence = "No alert of ours names what such a hazard strikes, so at most coincident."
    return _Part(_reason("mechanism", 0.0, sentence), "coincident", change)


def _tried(tried: int) -> _Part | None:
    if tried <= 1:
        return None
    return _Part(_reason("tried", -log2(tried), f"Classes of hazards that were compared: {tried}."))


def _reason(part: str, bits: float, sentence: str) -> Reason:
    return Reason(part, round(bits, 1) + 0.0, sentence)  # + 0.0 turns -0.0 into 0.0


def _list(words: Sequence[str]) -> str:
    shown = list(words[:3])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def length(span: timedelta) -> str:
    """`34 min`, `24 h 17 min`, `5 d 3 h`: whole minutes, days from three on."""
    minutes = int(abs(span).total_seconds()) // 60
    hours, rest = divmod(minutes, 60)
    if hours >= 72:
        return " ".join(f"{n:,} {unit}" for n, unit in ((hours // 24, "d"), (hours % 24, "h")) if n)
    return " ".join(f"{n} {unit}" for n, unit in ((hours, "h"), (rest, "min")) if n) or "under a minute"
