"""What is known of a site's place: from the catalogue, from its coordinates, and what is missing for linking. Pure."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from typing import Any, Final

from incidents.formats import zones
from incidents.geography.outlines import distance_km
from incidents.geography.places import METRO_KM
from incidents.geography.regions import Place, candidates
from incidents.model import Site

MOST_SHOWN: Final = 4
"""Candidates that a sentence names before it counts."""


def one_place(regions: Sequence[str]) -> Place:
    """The one place that all these provider regions are. Raises ValueError with the reason when there is none.

    Regions of several providers are one place only when the catalogue has them at the same coordinates: which
    of two to take is not ours to guess.
    """
    found = []
    for text in regions:
        places = candidates(text)
        if not places:
            raise ValueError(f"{text[:60]!r} is not in the catalogue of provider regions")
        if len(places) > 1:
            raise ValueError(f"{text[:60]!r} may be {listed(places)}: say which")
        found.append(places[0])
    first = found[0]
    for other in found[1:]:
        away = distance_km(first.latitude, first.longitude, other.latitude, other.longitude)
        if away > 0:
            raise ValueError(f"{first.name} and {other.name} are {away:.0f} km apart in the catalogue")
    return max(found, key=lambda place: place.uncertainty_km)


def listed(places: Sequence[Place]) -> str:
    """Names for a sentence: `aws:eu-west-2, gcp:europe-west2 or 3 more`."""
    names = [place.name for place in places]
    if len(names) > MOST_SHOWN:
        names = [*names[: MOST_SHOWN - 1], f"{len(names) - MOST_SHOWN + 1} more"]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def place_json(place: Place) -> dict[str, Any]:
    """A place of the catalogue as the API and the commands give it."""
    return {key: value for key, value in asdict(place).items() if key != "aliases"}


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=4096)
def zone_at(latitude: float, longitude: float) -> str | None:
    """The time zone of a place on land; None at sea, where no law sets the clocks.

    Zone outlines are tzfpy's, simplified to about a kilometre: beside a border give the zone.
    """
    import tzfpy  # 3 MB of outlines are unpacked at the first question, which --help never asks

    name = str(tzfpy.get_tz(longitude, latitude))
    return name if name in _zones() and not name.startswith("Etc/") else None


@dataclass(frozen=True, slots=True)
class Survey:
    """A site with what the catalogue knows of its provider regions, and what is missing for linking, in sentences."""

    site: Site
    regions: tuple[tuple[str, tuple[Place, ...]], ...]
    missing: tuple[str, ...]

    @property
    def place(self) -> Place | None:
        """The catalogue's place that the coordinates are of; None where a person gave them."""
        if self.site.located_by != "catalogue":
            return None
        return next((places[0] for _, places in self.regions if len(places) == 1), None)

    def as_json(self) -> dict[str, Any]:
        """What the API and `--json` add to the site's own fields."""
        return {
            "place": place_json(self.place) if self.place else None,
            "regions": [{"name": text, "places": [place.name for place in places]} for text, places in self.regions],
            "missing": list(self.missing),
        }


def survey(site: Site) -> Survey:
    """What a reader of a site's links should know of it."""
    regions = tuple((text, candidates(text)) for text in site.provider_regions)
    return Survey(site, regions, tuple(_missing(site, regions)))


def _missing(site: Site, regions: Sequence[tuple[str, Sequence[Place]]]) -> list[str]:
    found = []
    if not site.match:
        found.append("no labels name it: no alert is placed here")
    if not site.zones:
        how = "finds them" if zones.is_american(site) else "knows the United States only"
        found.append(f"no warning zones: warnings are matched by outline only; `barograph site zones` {how}")
    if not site.grid_area:
        found.append("no grid area: no grid notice is matched")
    if not site.provider_regions:
        found.append("no provider regions: provider incidents are matched within the metropolitan area at most")
    for text, places in regions:
        if not places:
            found.append(f"{text[:60]} is not in the catalogue: provider incidents are matched by this exact name only")
        elif len(places) > 1:
            found.append(f"{text[:60]} may be {listed(places)}: no provider incident is matched by it for certain")
    if site.uncertainty_km > METRO_KM:
        found.append(
            f"its place is known to {site.uncertainty_km:g} km only: what is matched by coordinates is context"
        )
    elif site.located_by == "catalogue":
        found.append("its coordinates are those of a provider region, not of a building")
    if site.timezone_by == "default":
        found.append("no time zone was given or found: UTC")
    return found


@dataclass(frozen=True, slots=True)
class PointZones:
    """The zones that api.weather.gov names for a point, as UGC codes, and where the point is.

    Fire weather zones are numbered apart from forecast zones: the same code can be another place, so a fire zone
    does not belong among a site's `zones`.
    """

    county: str | None
    forecast: str | None
    fire: str | None
    timezone: str | None
    latitude: float | None = None
    longitude: float | None = None

    @property
    def zones(self) -> tuple[str, ...]:
        """What a site's `zones` should hold."""
        return tuple(zone for zone in (self.county, self.forecast) if zone)


def zones_of_point(document: object) -> PointZones:
    """The zones of an answer of `api.weather.gov/points/{latitude},{longitude}`, as GeoJSON or as JSON-LD.

    Raises ValueError when it is another document.
    """
    whole: Mapping[str, Any] = document if isinstance(document, Mapping) else {}
    inner = whole.get("properties")
    fields: Mapping[str, Any] = inner if isinstance(inner, Mapping) else whole
    county, forecast, fire = (_code(fields.get(key)) for key in ("county", "forecastZone", "fireWeatherZone"))
    if not (county or forecast):
        raise ValueError("it names neither a county nor a forecast zone, so it is no answer of api.weather.gov/points")
    zone = fields.get("timeZone")
    latitude, longitude = _point(whole.get("geometry"))
    return PointZones(county, forecast, fire, zone if zone in _zones() else None, latitude, longitude)


def _code(address: object) -> str | None:
    """`CAZ017` of `https://api.weather.gov/zones/forecast/CAZ017`."""
    last = address.rstrip("/").rpartition("/")[2].upper() if isinstance(address, str) else ""
    return last if len(last) == 6 and last[:2].isalpha() and last[2] in "CZ" and last[3:].isdecimal() else None


def _point(geometry: object) -> tuple[float | None, float | None]:
    at = geometry.get("coordinates") if isinstance(geometry, Mapping) and geometry.get("type") == "Point" else None
    if isinstance(at, list) and len(at) >= 2 and all(type(n) in (int, float) for n in at[:2]):
        return float(at[1]), float(at[0])
    return None, None
