"""Keys of the index of places: under which names an area is filed, and under which a site looks. Pure.

What `places.relation` lets meet shares a key; the reverse need not hold. Keys are warning zones, grid areas, provider
regions, providers, and cells of degrees in the coarseness that lets an area's box do with a few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, floor, isfinite, radians
from typing import Any, Final

from incidents.geography.outlines import KM_PER_DEGREE
from incidents.geography.places import METRO_KM
from incidents.geography.regions import candidates
from incidents.lanes import plain_words
from incidents.model import Area, Occurrence, Site

SIZES: Final = (0.25, 1.0, 4.0, 16.0)
"""Degrees of latitude and longitude on a side, the finest first."""
EVERYWHERE: Final = "w"
"""The key of areas too wide, or too many-named, for others. Every site looks here."""
_MOST_CELLS: Final = 9
_MOST_NAMES: Final = 2000
_MOST_LOOKED_UP: Final = 600
_MARGIN: Final = 1.1
_ZONE_SUFFIXES: Final = (re.compile(r"[a-z]$"), re.compile(r"-[a-z]$"), re.compile(r"-az\d$"))


@dataclass(frozen=True, slots=True)
class Box:
    """Bounds in degrees. One that would cross the antimeridian spans all longitudes."""

    south: float
    north: float
    west: float
    east: float

    def touches(self, other: Box) -> bool:
        """Whether the two have a point in common."""
        return (
            self.south <= other.north
            and other.south <= self.north
            and self.west <= other.east
            and other.west <= self.east
        )


def keys_of(occurrence: Occurrence) -> tuple[tuple[str, ...], Box | None]:
    """The keys that a hazard or provider incident is filed under, and the box of its outline or circle."""
    area = occurrence.area or Area()
    names = [*(f"p:{name}" for name in providers_of(occurrence))] if occurrence.kind == "provider_incident" else []
    if area.grid_areas:  # a control room's notice holds for its network alone
        names += [f"a:{name.casefold()}" for name in area.grid_areas]
        return tuple(dict.fromkeys(names)), None
    names += [f"z:{zone.casefold()}" for zone in area.zones]
    names += [f"r:{form}" for region in area.regions for form in _region_forms(region)]
    names += [cell for region in area.regions for cell in _metro_cells(region)]
    box = box_of(area)
    if len(names) > _MOST_NAMES:
        names = [EVERYWHERE]
    return tuple(dict.fromkeys([*names, *(cells(box) if box else ())])), box


def keys_of_site(site: Site) -> tuple[str, ...] | None:
    """The keys that a site looks under; None for one so vague that it must look at everything."""
    names = [EVERYWHERE, *(f"z:{zone.casefold()}" for zone in site.zones)]
    names += [f"a:{site.grid_area.casefold()}"] if site.grid_area else []
    names += [f"r:{form}" for region in site.provider_regions for form in _region_forms(region)]
    names += [f"p:{provider_slug(name)}" for name in (*site.depends_on, site.operator or "") if name]
    box = box_of_site(site)
    for level, size in enumerate(SIZES):
        rows, columns = _counts(box, size)
        if rows * columns > _MOST_LOOKED_UP:
            return None
        names += _cells(box, level)
    return tuple(dict.fromkeys(names))


def box_of_site(site: Site) -> Box:
    """The box around a site's coordinates and their uncertainty, a little wider than it need be."""
    return _around(site.latitude, site.longitude, site.uncertainty_km * _MARGIN + 1)


def box_of(area: Area) -> Box | None:
    """The box of an area's geometry and circle; None where it has neither."""
    boxes = [box for box in (_box_of_geometry(area.geometry), _box_of_circle(area)) if box]
    if not boxes:
        return None
    return Box(
        min(box.south for box in boxes),
        max(box.north for box in boxes),
        min(box.west for box in boxes),
        max(box.east for box in boxes),
    )


def cells(box: Box) -> tuple[str, ...]:
    """The cells that cover a box, of the finest size of which a few are enough."""
    for level, size in enumerate(SIZES):
        rows, columns = _counts(box, size)
        if rows * columns <= _MOST_CELLS:
            return tuple(_cells(box, level))
    return (EVERYWHERE,)


def providers_of(occurrence: Occurrence) -> tuple[str, ...]:
    """The names of the provider that speaks, most telling first: its page, its regions, else its source's own name."""
    said = [occurrence.labels.get("provider"), occurrence.labels.get("page")]
    said += [
        region.partition(":")[0] for region in (occurrence.area.regions if occurrence.area else ()) if ":" in region
    ]
    said.append(occurrence.source)
    return tuple(dict.fromkeys(slug for name in said if name and (slug := provider_slug(name))))


def provider_slug(name: str) -> str:
    """A provider's name as keys have it: `GitHub`, `GitHub Status` and `github-status` are all `github`."""
    words = [word for word in plain_words(name.casefold()).split() if word not in {"status", "posts", "page"}]
    return " ".join(words)


def _metro_cells(region: str) -> tuple[str, ...]:
    """The cells of the metropolitan area around a region that is named for certain: it is told there as near."""
    named = candidates(region)
    if len(named) != 1:
        return ()
    return cells(_around(named[0].latitude, named[0].longitude, METRO_KM * _MARGIN + 1))


def _region_forms(region: str) -> Iterator[str]:
    """A region, what it may mean by the catalogue, and what it may be a zone of.

    A zone meets its region, whichever of the two is named where.
    """
    whole = region.casefold()
    yield whole
    for place in candidates(region):
        yield place.region.casefold()
    for suffix in _ZONE_SUFFIXES:
        shorter = suffix.sub("", whole)
        if shorter != whole:
            yield shorter


def _counts(box: Box, size: float) -> tuple[int, int]:
    return (
        floor(box.north / size) - floor(box.south / size) + 1,
        floor(box.east / size) - floor(box.west / size) + 1,
    )


def _cells(box: Box, level: int) -> Iterator[str]:
    size = SIZES[level]
    for row in range(floor(box.south / size), floor(box.north / size) + 1):
        for column in range(floor(box.west / size), floor(box.east / size) + 1):
            yield f"g{level}:{row}:{column}"


def _around(latitude: float, longitude: float, radius_km: float) -> Box:
    high = radius_km / KM_PER_DEGREE
    wide = high / max(0.01, cos(radians(min(90.0, abs(latitude) + high))))
    return _wrapped(Box(latitude - high, latitude + high, longitude - wide, longitude + wide))


def _wrapped(box: Box) -> Box:
    """The box with all longitudes where it reaches over the antimeridian, or nearly around the globe."""
    if box.west < -180 or box.east > 180 or box.east - box.west > 180:
        return Box(box.south, box.north, -180.0, 180.0)
    return box


def _box_of_circle(area: Area) -> Box | None:
    values = (area.latitude, area.longitude, area.radius_km or 0.0)
    if not all(_is_number(value, 50_000) for value in values):
        return None
    latitude, longitude, radius = (float(value or 0.0) for value in values)
    return _around(latitude, longitude, radius * _MARGIN + 1)


def _box_of_geometry(geometry: Mapping[str, Any] | None) -> Box | None:
    points = list(_points(geometry))
    if not points:
        return None
    longitudes, latitudes = [p[0] for p in points], [p[1] for p in points]
    return _wrapped(Box(min(latitudes), max(latitudes), min(longitudes), max(longitudes)))


def _points(geometry: object) -> Iterator[Sequence[float]]:
    """Every position of a GeoJSON geometry, of whatever type; what is not one is passed over."""
    waiting: list[object] = [geometry]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting += _list(part.get("geometries"))
            waiting.append(part.get("coordinates"))
        elif isinstance(part, list | tuple):
            if len(part) >= 2 and all(_is_number(value, 1000) for value in part[:2]):
                yield part
            else:
                waiting += part


def _list(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else ()


def _is_number(value: object, bound: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and abs(value) <= bound
