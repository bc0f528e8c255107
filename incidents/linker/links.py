"""What a link between an incident and an occurrence rests on: additive bits, each with its sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import fsum, isfinite, log2
from typing import Final

from incidents.formats import zones
from incidents.geography.places import Nearness, relation
from incidents.linker import corroboration, extremes, kernels
from incidents.linker.cells import provider_slug, providers_of
from incidents.linker.extremes import Extreme
from incidents.linker.kernels import Kernel, end_of, length, start_of
from incidents.linker.mechanisms import (
    Family,
    cooling_words,
    family_of,
    hinted_by,
    named_by,
    other_physical_words,
    software_words,
)
from incidents.linker.priors import PROVIDER_INCIDENT, percent, prior_of
from incidents.model import BaseRate, Evidence, Incident, Occurrence, Reason, Site, Tier

VERSION = 2
ACTOR = f"rule:overlap@{VERSION}"

MOST_SURPRISE: Final = 6.0
"""Bits: beyond one in 64 the figures at hand are not good enough to tell."""
METRO_KM: Final = 50.0
"""A site known less well than this is somewhere in a state; its coordinates prove nothing."""
LEAST_CHANGE: Final = 0.5
"""Bits by which a score must move for a link to be told anew; a change of tier always is."""

TIERS: Final[tuple[Tier, ...]] = ("context", "coincident", "plausible", "strong")
_FLOORS: Final[tuple[tuple[float, Tier], ...]] = ((8.0, "strong"), (5.0, "plausible"), (2.0, "coincident"))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around an incident when an occurrence is weighed; what is left out weighs nothing."""

    signals: Sequence[str] = ()
    """The names of the incident's own alerts, and its title."""
    notes: Sequence[str] = ()
    changes: Sequence[str] = ()
    """Titles of our own changes at its sites that began within the hour before it."""
    base_rate: BaseRate | None = None
    """From the store's record; without one a shipped prior stands in."""
    tried: int = 1
    """How many classes of hazards were compared."""
    extreme: Extreme | None = None
    beside: Sequence[Occurrence] = ()
    """Hazards and provider incidents that meet the incident's sites beyond doubt, the one weighed among them."""
    elsewhere: int = 0
    """Other incidents of ours that began with it at sites far away."""
    heard_from: frozenset[str] = frozenset()
    """The sources that the incident's own alerts came from."""


NOTHING: Final = Known()


@dataclass(frozen=True, slots=True)
class _Part:
    """A reason, the highest tier that it allows, and what would change it."""

    reason: Reason
    most: Tier = "strong"
    would_change: str = ""


def weigh(incident: Incident, sites: Sequence[Site], occurrence: Occurrence, known: Known = NOTHING) -> Evidence | None:
    """The evidence that an incident and a hazard or provider incident have to do with each other.

    `sites` may be all there are: `incident.sites` says which of them count. None when place or time do not meet.
    """
    family, spoken = family_of(occurrence), [*known.signals, *known.notes]
    affected = [site for site in sites if site.name in incident.sites]
    kernel = kernels.kernel_of(family, cooling=bool(cooling_words(spoken)))
    if not _may_meet(incident, occurrence, kernel) or (place := _place(affected, occurrence, family)) is None:
        return None
    rate = known.base_rate if known.base_rate is not None and known.base_rate.n > 0 else _prior(occurrence, affected)
    second = corroboration.of(incident, affected, occurrence, known.beside)
    hazard = family != "provider"
    parts = [
        place,
        _independence(affected, occurrence, known),
        _time(incident, occurrence, family, kernel),
        _surprise(rate, _counted_elsewhere(occurrence, affected)),
        _extremeness(known, family),
        _mechanism(family, known, second) if hazard else _component(occurrence, affected, spoken),
        _Part(_reason("corroboration", second.bits, second.sentence)) if second else None,
        _change(known) if hazard else None,
        _scope(incident, affected, known) if hazard else None,
        _tried(known.tried) if hazard else None,
    ]
    return _evidence([part for part in parts if part is not None], rate)


def meets(incident: Incident, sites: Sequence[Site], occurrence: Occurrence, spoken: Sequence[str] = ()) -> bool:
    """The gates alone: whether place and time meet, by what our own alerts and notes say of it."""
    family = family_of(occurrence)
    affected = [site for site in sites if site.name in incident.sites]
    kernel = kernels.kernel_of(family, cooling=bool(cooling_words(spoken)))
    return _may_meet(incident, occurrence, kernel) and _place(affected, occurrence, family) is not None


def _may_meet(incident: Incident, occurrence: Occurrence, kernel: Kernel) -> bool:
    is_outside = occurrence.kind in {"hazard", "provider_incident"} and not occurrence.test
    return is_outside and kernels.meets(incident, occurrence, kernel)


def unmet(was: Evidence) -> Evidence:
    """The evidence of a link whose occurrence, by what is known now, no longer meets the incident."""
    sentence = "By what is known now it no longer meets the incident in place and time; this link has lapsed."
    change = "An interval or an area that meets the incident again would bring it back."
    return Evidence("context", kernels.AFTER, (Reason("time", kernels.AFTER, sentence),), was.base_rate, change)


def differs(was: Evidence, now: Evidence) -> bool:
    """Whether the change is worth telling: another tier, or half a bit and more."""
    return was.tier != now.tier or round(abs(was.score - now.score), 1) >= LEAST_CHANGE


def _evidence(parts: Sequence[_Part], rate: BaseRate) -> Evidence:
    """Bits are rounded to tenths before they are added, so what is shown adds up to what is shown."""
    score = round(fsum(part.reason.bits for part in parts), 1)
    by_score = next((tier for floor, tier in _FLOORS if score >= floor), TIERS[0])
    lowest = min(parts, key=lambda part: TIERS.index(part.most))
    tier = min(by_score, lowest.most, key=TIERS.index)
    change = lowest.would_change or "A report from the facility or from the operator would raise or lower this."
    return Evidence(tier, score, tuple(part.reason for part in parts), rate, change)


# --- place ----------------------------------------------------------------------------------------------------------


def _place(affected: Sequence[Site], occurrence: Occurrence, family: Family) -> _Part | None:
    found = [(near, site) for site in affected if (near := relation(site, occurrence.area)) is not None]
    if family == "grid":
        found = [(near, site) for near, site in found if near.how == "grid_area"]
    if found:
        near, site = max(found, key=lambda pair: (pair[0].how != "uncertain", pair[0].bits))
        return _weigh_nearness(near, site)
    return _dependency(affected, occurrence) if family == "provider" else None


def _dependency(affected: Sequence[Site], occurrence: Occurrence) -> _Part | None:
    """A provider that a site depends on, where it names no region of its own, reaches the site wherever that is."""
    if occurrence.area is not None and occurrence.area.regions:
        return None
    names = providers_of(occurrence)
    for site in affected:
        for own in (*site.depends_on, *([site.operator] if site.operator else [])):
            if provider_slug(own) in names:
                sentence = f"{site.title} depends on {own}, which names no region of it."
                return _Part(_reason("space", 1.0, sentence))
    return None


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
    if near.how == "metro":
        sentence = f"{near.sentence} These are another company's buildings, so at most coincident."
        change = "A word of what the two have in common, such as their power or their building, would change this."
        return _Part(_reason("space", near.bits, sentence), "coincident", change)
    return _Part(_reason("space", near.bits, near.sentence))


def _independence(affected: Sequence[Site], occurrence: Occurrence, known: Known) -> _Part | None:
    """A word of the affected party itself, or of the source that raised the alerts, is no second event."""
    if occurrence.kind == "provider_incident":
        names = providers_of(occurrence)
        own = next((s.operator for s in affected if s.operator and provider_slug(s.operator) in names), None)
        if own:
            sentence = f"{own} speaks here of a site of its own: the same event told again, so context at most."
            change = "A provider incident of another operator would weigh by itself."
            return _Part(_reason("independence", 0.0, sentence), "context", change)
    if occurrence.source in known.heard_from:
        sentence = f"{occurrence.source} also raised alerts of this incident: one witness, so context at most."
        change = "The same word from another source would weigh by itself."
        return _Part(_reason("independence", 0.0, sentence), "context", change)
    return None


# --- time -----------------------------------------------------------------------------------------------------------


def _time(incident: Incident, occurrence: Occurrence, family: Family, kernel: Kernel) -> _Part:
    earliest, latest = start_of(incident)
    bits = kernels.expected(kernels.knots(occurrence, kernel), earliest, latest)
    start, end = occurrence.starts_at, end_of(occurrence)
    if start - latest > kernel.early:
        least = "" if earliest == latest else "at least "
        sentence = f"It began {least}{length(start - latest)} after the incident did, so it is context at most."
        change = "An earlier start of it, or a later start of the incident, on record would change this."
        return _Part(_reason("time", bits, sentence), "context", change)
    return _Part(_reason("time", bits, _when((earliest, latest), start, end, kernel, family)))


def _when(began: tuple[datetime, datetime], start: datetime, end: datetime, kernel: Kernel, family: Family) -> str:
    """How the occurrence lies to the incident's start, in words, with the window that its kind is given."""
    earliest, latest = began
    window = f"{kernel.takes} is given {length(kernel.lag)}"
    if earliest != latest:
        on = max(0.0, (min(end, latest) - max(start, earliest)).total_seconds()) / (latest - earliest).total_seconds()
        share = f"{on:.0%}".replace("%", " %")
        return f"In force for {share} of the {length(latest - earliest)} in which the incident can have begun."
    if start > earliest:
        late = "a status page may date its start late" if family == "provider" else "a notice may be late"
        return f"It began {length(start - earliest)} after the incident did; {late}."
    lag = f"It began {length(earliest - start)} before the incident did"
    if earliest >= end:
        if end == start:
            return f"{lag}; {window}."
        return f"It had ended {length(earliest - end)} before the incident began; {window} after its end."
    return f"In force when the incident began, for {length(earliest - start)} by then."


# --- how rare, how extreme ------------------------------------------------------------------------------------------


def _surprise(rate: BaseRate, elsewhere: str) -> _Part:
    """-log2 of the share, with one imagined case on either side so that a short record claims little."""
    share = min(1.0, max(0.0, rate.share)) if isfinite(rate.share) else 1.0
    bits = min(MOST_SURPRISE, -log2((share * rate.n + 1) / (rate.n + 2)))
    told = f"the like is on in {percent(share)} of {rate.n:,} cases."
    if rate.basis == "record":
        return _Part(_reason("surprise", bits, f"By this place's record, {told}"))
    if elsewhere:
        return _Part(_reason("surprise", bits, f"Not known here; by a shipped prior of {elsewhere}, {told}"))
    return _Part(_reason("surprise", bits, f"By a shipped prior, {told}"))


def _prior(occurrence: Occurrence, affected: Sequence[Site]) -> BaseRate:
    event = PROVIDER_INCIDENT if occurrence.kind == "provider_incident" else occurrence.event or occurrence.title
    return prior_of(event).base_rate(elsewhere=_counted_elsewhere(occurrence, affected))


def _counted_elsewhere(occurrence: Occurrence, affected: Sequence[Site]) -> str:
    """What the shipped priors are counts of, where that is not this place or this provider; else nothing."""
    if occurrence.kind == "provider_incident":
        return "" if "aws" in providers_of(occurrence) else "another provider's regions (AWS)"
    return "" if any(zones.is_american(site) for site in affected) else "counties of the United States"


def _extremeness(known: Known, family: Family) -> _Part | None:
    if known.extreme is None:
        return None
    bits, sentence = extremes.weigh(known.extreme, family)
    return _Part(_reason("extremeness", bits, sentence))


def _tried(tried: int) -> _Part | None:
    if tried <= 1:
        return None
    return _Part(_reason("tried", -log2(tried), f"Classes of hazards that were compared: {tried}."))


# --- mechanism ------------------------------------------------------------------------------------------------------


def _mechanism(family: Family, known: Known, second: corroboration.Second | None) -> _Part:
    """What our own alerts and notes name; a hazard that none of them speaks to met it in place and time only."""
    spoken = [*known.signals, *known.notes]
    # A note on a warm day speaks of the day; only an alert speaks of the room.
    named = named_by(spoken, family)
    hinted = hinted_by(known.signals if family in {"heat", "smoke"} else spoken, family)
    against = software_words(spoken)
    other = other_physical_words(spoken)
    change = "An alert of ours, or a facility's report, that names power, cooling or water would raise this."
    if other:
        sentence = f"{_whose(known, other, other_physical_words)} {_list(other)}: a course of its own, without weather."
        return _Part(_reason("mechanism", -3.0, sentence), "coincident",
                     "A report that names the hazard as the beginning of it would raise this.")  # fmt: skip
    if named and against:
        sentence = f"Our own words name both {_list(named)} and {_list(against)}; that weighs neither way."
        return _Part(_reason("mechanism", 0.0, sentence), "plausible", change)
    if against:
        sentence = f"{_whose(known, against, software_words)} {_list(against)}, which no hazard of this kind touches."
        return _Part(_reason("mechanism", -4.0, sentence), "coincident", change)
    if named:
        return _Part(
            _reason("mechanism", 2.0, f"{_whose(known, named, lambda s: named_by(s, family))} {_list(named)}.")
        )
    if hinted and family not in {"heat", "smoke"}:
        sentence = f"Our own words name {_list(hinted)}, which a lost supply brings about at one remove."
        return _Part(_reason("mechanism", 1.0, sentence))
    if hinted:
        sentence = f"Our own words name {_list(hinted)} only: a warm room need not mean a hot day."
        return _Part(_reason("mechanism", 1.0, sentence), _without_words(second), change)
    # Of published incidents one in some hundreds is of power or cooling: silence about both is evidence, too.
    bits = -1.0 if any(spoken) else 0.0
    sentence = f"No alert or note of ours names what such a hazard strikes, so at most {_without_words(second)}."
    return _Part(_reason("mechanism", bits, sentence), _without_words(second), change)


def _without_words(second: corroboration.Second | None) -> Tier:
    """What is allowed where we name nothing ourselves: more when another operator nearby names it."""
    return "plausible" if second is not None and second.names_mechanism else "coincident"


def _whose(known: Known, found: Sequence[str], words_of: object) -> str:
    """Who names these words: our alerts, our notes or both."""
    assert callable(words_of)
    where = [
        whose
        for whose, texts in (("alerts", known.signals), ("notes", known.notes))
        if set(words_of(texts)) & set(found)
    ]
    return f"Our own {_list(where or ['words'])} name"


def _component(occurrence: Occurrence, affected: Sequence[Site], spoken: Sequence[str]) -> _Part | None:
    """Words that the provider's components and our own alerts share."""
    shared = corroboration.shared_words(occurrence, affected, spoken)
    if not shared:
        return None
    return _Part(_reason("component", 1.0, f"Our own words and the provider's components both name {_list(shared)}."))


def _change(known: Known) -> _Part | None:
    """A change of our own shortly before is another thing that coincided."""
    if not known.changes:
        return None
    more = f" and {len(known.changes) - 1} more" if len(known.changes) > 1 else ""
    sentence = f"A change of our own, {known.changes[0][:80]}{more}, began here within the hour before it."
    return _Part(_reason("change", -1.0, sentence))


def _scope(incident: Incident, affected: Sequence[Site], known: Known) -> _Part | None:
    """A hazard has a place: what begins in several places at once has begun elsewhere."""
    apart = known.elsewhere + (len(incident.sites) - 1 if corroboration.are_far_apart(affected) else 0)
    if apart <= 0:
        return None
    far = f"{corroboration.FAR_KM:.0f} km"
    sentence = f"At {apart} more of our sites, over {far} away, an incident began with it; a hazard has one place."
    change = "A start of its own at each of these sites would change this."
    return _Part(_reason("scope", -1.5 if apart == 1 else -3.0, sentence), "plausible", change)


def _reason(part: str, bits: float, sentence: str) -> Reason:
    return Reason(part, round(bits, 1) + 0.0, sentence)  # + 0.0 turns -0.0 into 0.0


def _list(words: Sequence[str]) -> str:
    shown = list(words[:3])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
