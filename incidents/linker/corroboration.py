"""Second witnesses of a link: another operator's incident nearby, another office's warning. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Final

from incidents.geography.outlines import distance_km
from incidents.lanes import plain_words
from incidents.linker.cells import provider_slug, providers_of
from incidents.linker.kernels import end_of, start_of
from incidents.linker.mechanisms import family_of, hinted_by, named_by, software_words
from incidents.model import Incident, Occurrence, Site

NEAR_IN_TIME: Final = timedelta(hours=3)
FAR_KM: Final = 300.0
MOST: Final = 3.0
"""Bits that all second witnesses together may add."""
_COMMON_WORDS: Final = (
    "a an and the of in on for to at with from by is are was not no all some above below high low rate rates error "
    "errors latency slow down up failed failing failure failures issue issues incident incidents outage service "
    "services customers elevated increased degraded availability unavailable unreachable partial major minor multiple "
    "connectivity performance problem problems impact impacted status region regions zone data center datacenter "
    "cloud web server servers request requests response times time than more less over under p99 p95 p90 s ms min h api"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Second:
    """What second witnesses are worth, in bits, and who they are."""

    bits: float
    sentence: str
    names_mechanism: bool = False
    """Whether another operator's own words name what the hazard strikes."""


def of(
    incident: Incident, affected: Sequence[Site], occurrence: Occurrence, beside: Sequence[Occurrence]
) -> Second | None:
    """Who else speaks of it: operators with an incident of theirs within three hours, other warning sources.

    `beside` are occurrences that meet the incident's sites beyond doubt.
    """
    others = [other for other in beside if other.id != occurrence.id and not other.test]
    operators, naming = _operators(incident, affected, occurrence, others)
    offices = _offices(occurrence, others)
    bits, told = 0.0, []
    if operators:
        words = sorted({word for words in naming.values() for word in words})
        named = f", and its words name {_list(words)}" if naming else ""
        bits += 2.0 if naming or len(operators) > 1 else 1.0
        told.append(f"An incident of {_list(operators)} began at this place within 3 h of the start{named}.")
    if offices:
        bits += 1.0
        told.append(f"A warning of the same kind came from {_list(offices)} on its own.")
    return Second(min(MOST, bits), " ".join(told), bool(naming)) if told else None


def _operators(
    incident: Incident, affected: Sequence[Site], occurrence: Occurrence, others: Sequence[Occurrence]
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Other operators with an incident here, and which words of theirs name what the hazard strikes."""
    earliest, latest = start_of(incident)
    own = {provider_slug(site.operator) for site in affected if site.operator}
    own |= set(providers_of(occurrence)[:1]) if occurrence.kind == "provider_incident" else set()
    family, found, naming = family_of(occurrence), [], {}
    for other in others:
        names = providers_of(other)
        if other.kind != "provider_incident" or own & set(names) or not names:
            continue
        if other.starts_at > latest + NEAR_IN_TIME or (other.starts_until or other.starts_at) < earliest - NEAR_IN_TIME:
            continue
        words = [other.title, *(post.text for post in other.posts)]
        if family != "provider" and software_words(words):
            continue  # it speaks of something else
        found.append(names[0])
        if family != "provider" and (mechanism := named_by(words, family) or hinted_by(words, family)):
            naming[names[0]] = mechanism
    return sorted(set(found)), naming


def _offices(occurrence: Occurrence, others: Sequence[Occurrence]) -> list[str]:
    """Other sources whose warning of the same family is on at this place while this one is."""
    if occurrence.kind != "hazard":
        return []
    family, sender = family_of(occurrence), occurrence.labels.get("sender")
    return sorted({
        other.source
        for other in others
        if other.kind == "hazard"
        and other.source != occurrence.source
        and (sender is None or other.labels.get("sender") != sender)
        and family_of(other) == family
        and other.starts_at <= end_of(occurrence)
        and occurrence.starts_at <= end_of(other)
    })  # fmt: skip


def are_far_apart(sites: Sequence[Site]) -> bool:
    """Whether two of these sites are further apart than one hazard is likely to reach."""
    return any(
        distance_km(one.latitude, one.longitude, other.latitude, other.longitude) > FAR_KM
        for one, other in combinations(sites[:20], 2)
    )


def shared_words(occurrence: Occurrence, affected: Sequence[Site], spoken: Sequence[str]) -> tuple[str, ...]:
    """Telling words of a provider incident's components and title that our own alerts and notes use as well.

    Names of places tell nothing here: that the two met there is weighed already.
    """
    theirs = _telling(" ".join(filter(None, [occurrence.labels.get("component"), occurrence.labels.get("service"),
                                             occurrence.title])))  # fmt: skip
    places = [*(occurrence.area.regions if occurrence.area else ()), *providers_of(occurrence)]
    places += [name for site in affected for name in (site.title, site.name, *site.provider_regions)]
    return tuple(sorted((theirs & _telling(" ".join(spoken))) - _telling(" ".join(places))))


def _telling(text: str) -> set[str]:
    return {word for word in plain_words(text).split() if word not in _COMMON and len(word) > 1 and not word.isdigit()}


def _list(words: Sequence[str]) -> str:
    shown = list(words[:3])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
