"""Where things are: which sites an alert names, and how an area lies to a site."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from math import inf
from typing import Final, Literal

from incidents.geography.outlines import distance_km, is_number, meets_ring, point_of, polygons_of
from incidents.geography.regions import Place, candidates
from incidents.model import Area, Match, Site

How = Literal["region", "polygon", "zone", "grid_area", "radius", "uncertain", "metro"]
_What = Literal["same", "around", "within", "lettered", "may_be"]

BUILDING_KM: Final = 5.0
"""Up to this uncertainty a site is a building or a campus; above it a metropolitan area."""
METRO_KM: Final = 50.0
"""Up to this uncertainty a place is somewhere in a metropolitan area, and up to this distance two are in the same."""

# A zone within a provider's region: us-west-1a, europe-west2-a, uksouth-az1. A digit would be another region.
_ZONE_SUFFIX: Final = re.compile(r"-?[a-z]|-az\d")


@dataclass(frozen=True, slots=True)
class Nearness:
    """How an area meets a site. `bits` is what that is worth to a link; the sentence tells it in words."""

    how: How
    bits: float
    sentence: str
    distance_km: float | None = None


class SiteMatcher:
    """The globs of a list of sites, compiled once; answers for labels seen before come from memory."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._globs = tuple((site.name, tuple((m.label, _glob(m.value)) for m in site.match)) for site in sites)
        self._labels = tuple(sorted({m.label for site in sites for m in site.match}))
        self._find = lru_cache(maxsize=16_384)(self._search)

    def sites_of(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Names of every site that these labels name, in the order of the sites."""
        return self._find(tuple(labels.get(label) for label in self._labels))

    def _search(self, values: tuple[str | None, ...]) -> tuple[str, ...]:
        value_of = dict(zip(self._labels, values, strict=True))
        return tuple(
            name
            for name, globs in self._globs
            if any((value := value_of[label]) is not None and glob.match(value) for label, glob in globs)
        )


def sites_of(labels: Mapping[str, str], sites: Sequence[Site]) -> tuple[str, ...]:
    """Names of every site that these labels name. In a loop keep a `SiteMatcher` instead."""
    return tuple(site.name for site in sites if matches(labels, site.match))


def matches(labels: Mapping[str, str], match: Sequence[Match]) -> bool:
    """Whether any of the alternatives holds; no alternatives hold nothing. Globs see upper and lower case."""
    return any((value := labels.get(m.label)) is not None and _glob(m.value).match(value) for m in match)


def relation(site: Site, area: Area | None) -> Nearness | None:
    """The strongest way in which `area` meets `site`; None when it does not, or when no area is known.

    An area that names grid areas meets a site through the site's grid area alone: a control room's notice
    holds for its network, however near the border runs. A zone that is named beside a polygon which misses
    the site's point counts as vague: where a service draws a polygon, the polygon is what it warned.
    """
    return None if area is None else _relation(_Pair(site, area))


class _Pair:
    """A site and an area as the objects that they are: a weighing asks thrice how the same two meet."""

    __slots__ = ("area", "site")

    def __init__(self, site: Site, area: Area) -> None:
        self.site, self.area = site, area

    def __hash__(self) -> int:
        return hash((id(self.site), id(self.area)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pair) and self.site is other.site and self.area is other.area


@lru_cache(maxsize=256)
def _relation(pair: _Pair) -> Nearness | None:
    site, area = pair.site, pair.area
    if area.grid_areas:
        return _by_grid_area(site, area)
    polygon, missed_by_km = _by_polygon(site, area)
    found = (_by_region(site, area), polygon, _by_zone(site, area, missed_by_km), _by_circle(site, area))
    # Of equals the first stands, so a plain meeting goes before a vague one.
    best = max((n for n in found if n), key=lambda n: (n.how != "uncertain", n.bits), default=None)
    return best or _by_metro(site, area)


def concerns(site: Site, area: Area | None) -> bool:
    """Whether `area` takes in the site itself, or may: a provider's trouble across the town does not."""
    near = relation(site, area)
    return near is not None and near.how != "metro"


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _by_grid_area(site: Site, area: Area) -> Nearness | None:
    own = site.grid_area
    if not own or own.casefold() not in {name.casefold() for name in area.grid_areas}:
        return None
    return Nearness("grid_area", 1.0, f"It was declared for {own}, the grid area of {site.title}.")


def _by_region(site: Site, area: Area) -> Nearness | None:
    if not (site.provider_regions and area.regions):
        return None
    ask = _meeting if _is_short(area.regions) else _meeting.__wrapped__
    met = ask(site.provider_regions, area.regions)
    if met is None:
        return None
    own, title = met.own, site.title
    match met.what:
        case "same":
            return Nearness("region", 2.0, f"It names {own}, the provider region of {title}.")
        case "around":
            return Nearness("region", 2.0, f"It names the whole region around {own}, where {title} is.")
        case "within":
            return Nearness("region", 1.0, f"It names one zone of {own}, the provider region of {title}.")
        case "lettered":
            sentence = f"It names {met.other}; which zone {own}, where {title} is, that means differs by account."
        case "may_be":
            sentence = f"It names {met.other}, which may be {own}, the provider region of {title}, or another place."
    return Nearness("uncertain", 0.0, sentence)


@dataclass(frozen=True, slots=True)
class _Meeting:
    """How a name of the outside world meets a provider region of a site: two names, and how well the one is the other.

    `lettered`: one speaks of a zone by its letter, the other by its id. `may_be`: the name is ambiguous.
    """

    what: _What
    own: str
    other: str


_STRONGEST: Final[tuple[_What, ...]] = ("same", "around", "within", "lettered", "may_be")


@lru_cache(maxsize=16_384)
def _meeting(owns: tuple[str, ...], others: tuple[str, ...]) -> _Meeting | None:
    """The strongest meeting of any of the site's regions with any that is named."""
    found = [
        _Meeting(what, own, _clipped(other)) for own in owns for other in others if (what := _compare_names(own, other))
    ]
    return min(found, key=lambda met: _STRONGEST.index(met.what), default=None)


def _compare_names(own: str, other: str) -> _What | None:
    """By the catalogue where it has both, else by their letters."""
    here, there = candidates(own), candidates(other)
    if len(here) == len(there) == 1:
        return _compare(here[0], there[0])
    if here and there:
        return "may_be" if {place.region for place in here} & {place.region for place in there} else None
    ours, theirs = own.casefold(), other.casefold()
    if ours == theirs:
        return "same"
    if _is_zone_in(ours, theirs):
        return "around"
    return "within" if _is_zone_in(theirs, ours) else None


def _compare(here: Place, there: Place) -> _What | None:
    if here.region != there.region:
        return None
    if here.granularity != "zone":
        return "within" if there.granularity == "zone" else "same"
    if there.granularity != "zone":
        return "around"
    if here.name == there.name:
        return "same"
    # AWS deals the letters out anew for each account; only the ids (use1-az4) are the same for all.
    return "lettered" if _is_zone_id(here) != _is_zone_id(there) else None


def _is_zone_id(place: Place) -> bool:
    return place.provider == "aws" and "-az" in place.name


def _is_short(names: Sequence[str]) -> bool:
    """Whether an answer about these names may be remembered: a payload that names a thousand would fill the memory."""
    return sum(map(len, names)) <= 2000


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _by_metro(site: Site, area: Area) -> Nearness | None:
    """A region of another provider in the site's own metropolitan area, by the catalogue's coordinates."""
    if not area.regions or site.uncertainty_km > METRO_KM:
        return None
    nearest: tuple[float, Place] | None = None
    ask = _places_of if _is_short(area.regions) else _places_of.__wrapped__
    for place in ask(site.provider_regions, area.regions):
        away = distance_km(site.latitude, site.longitude, place.latitude, place.longitude)
        if away <= METRO_KM and (nearest is None or away < nearest[0]):
            nearest = away, place
    if nearest is None:
        return None
    away, place = nearest
    sentence = (
        f"It names {place.name} ({place.title}), {_km(away)} from {site.title} in the same metropolitan area; "
        f"that place is known to {_km(place.uncertainty_km)}, the site's to {_km(site.uncertainty_km)}."
    )
    # Less than what may be the site itself: these are another company's buildings.
    return Nearness("metro", -1.0, sentence, away)


@lru_cache(maxsize=16_384)
def _places_of(owns: tuple[str, ...], others: tuple[str, ...]) -> tuple[Place, ...]:
    """The places that are named for certain, of other providers than the site's own, known to a metropolitan area."""
    ours = {place.provider for own in owns for place in candidates(own)}
    named = (found[0] for other in others if len(found := candidates(other)) == 1)
    return tuple(place for place in named if place.provider not in ours and place.uncertainty_km <= METRO_KM)


def _is_zone_in(zone: str, region: str) -> bool:
    return bool(region) and zone.startswith(region) and _ZONE_SUFFIX.fullmatch(zone[len(region) :]) is not None


def _by_zone(site: Site, area: Area, missed_by_km: float | None) -> Nearness | None:
    own = {zone.casefold(): zone for zone in site.zones}
    shared = sorted({own[key] for zone in area.zones if (key := zone.casefold()) in own})
    if not shared:
        return None
    named = shared[0] if len(shared) == 1 else f"{shared[0]} and {len(shared) - 1} more"
    if missed_by_km is not None:
        sentence = f"It names {named}, zone of {site.title}, but its outline passes {_km(missed_by_km)} away."
        return Nearness("uncertain", 0.0, sentence, missed_by_km)
    return Nearness("zone", 1.0, _covers(shared, named, site))


def _covers(shared: Sequence[str], named: str, site: Site) -> str:
    """Zones of IODA are whole countries, regions and networks, which are no warning zones."""
    scheme, _, place = shared[0].partition(":")
    kind, _, code = place.partition("/")
    if scheme.casefold() != "ioda" or not code:
        return f"It covers {named}, the warning zone of {site.title}."
    what = {"asn": f"the network AS{code}", "geoasn": f"the network AS{code.partition('-')[0]}"}.get(
        kind, f"the {kind} {code} as a whole"
    )
    more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
    return f"It was measured over {what}{more}, which {site.title} names as its own: it tells of no one building."


def _by_circle(site: Site, area: Area) -> Nearness | None:
    latitude, longitude, radius = area.latitude, area.longitude, area.radius_km or 0.0
    if latitude is None or longitude is None:
        point = point_of(area.geometry)
        if point is None:
            return None
        longitude, latitude = point
    if not (is_number(latitude) and is_number(longitude) and is_number(radius, 50_000)):
        return None
    away = distance_km(site.latitude, site.longitude, latitude, longitude)
    if away <= radius:
        sentence = f"{site.title} is {_km(away)} from its centre, within its radius of {_km(radius)}."
        return Nearness("radius", 1.0, sentence, away)
    if away <= radius + site.uncertainty_km:
        sentence = (
            f"Its edge is {_km(away - radius)} from {site.title}, whose place is known to {_km(site.uncertainty_km)}."
        )
        return Nearness("uncertain", 0.0, sentence, away)
    return None


def _by_polygon(site: Site, area: Area) -> tuple[Nearness | None, float | None]:
    """How the outline meets the site and, where it does not contain the site's point, by how many km it misses."""
    inside, edge_km = _outline(area.geometry, site)
    if edge_km == inf:
        return None, None
    known = f"place known to {_km(site.uncertainty_km)}"
    if not inside:
        if edge_km > site.uncertainty_km:
            return None, edge_km
        sentence = f"Its outline passes {_km(edge_km)} from {site.title}, {known}."
        return Nearness("uncertain", 0.0, sentence, edge_km), edge_km
    if site.uncertainty_km <= BUILDING_KM:
        return Nearness("polygon", 2.0, f"Its outline contains {site.title}, {known}.", 0.0), None
    if edge_km >= site.uncertainty_km:
        return Nearness("polygon", 1.0, f"Its outline contains all of {site.title}, {known}.", 0.0), None
    return Nearness("polygon", 0.5, f"Its outline contains the middle of {site.title}, {known}.", 0.0), None


def _outline(geometry: object, site: Site) -> tuple[bool, float]:
    """Whether the polygons hold the site's point, and the distance in km to their nearest edge (inf: no polygon).

    Even-odd ray casting and point-to-segment distances on a plane around the site: linear in the number of vertices
    and total on any input. Repairing a strange outline with GEOS is neither: 500 random vertices took it two minutes.
    """
    inside, nearest = False, inf
    for rings in polygons_of(geometry):
        crossed = False
        for ring in rings:
            odd, edge_km = meets_ring(ring, site)
            crossed ^= odd
            nearest = min(nearest, edge_km)
        inside |= crossed
    return inside, nearest


def _km(length: float) -> str:
    return f"{length:.1f}".removesuffix(".0") + " km" if length < 10 else f"{length:,.0f} km"
