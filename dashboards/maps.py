"""The world map: sites, official warnings and storms on a coastline of our own, with no label over another.

Plain longitude and latitude. The coastline is Natural Earth's at 1:110 million (coastline.json, public domain).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import orjson

from dashboards.canvas import number, xml
from dashboards.marks import SEVERITY_SHAPES, Glyph, Place, Rule, Text
from dashboards.plates import MEDIUM, NARROW, WIDE, Card, Plate, fitted
from dashboards.typeface import clean
from dashboards.words import count
from incidents.geography.outlines import distance_km
from incidents.model import Incident, Occurrence, Severity, Site

COASTLINE = Path(__file__).parent / "coastline.json"
NORTH, SOUTH = 78, -58
_OUTLINES = 200
_LEAST = 8
"""Pixels from the middle of the smallest outline to its edge."""
_APART = 4
"""Pixels from which on two marks can be told apart."""
_COMPARED = 60
"""Sites of which that is asked."""
_CORNERS = 400
"""Most corners of one outline that are drawn, evenly taken."""


@dataclass(frozen=True, slots=True)
class World:
    """A map `wide` pixels wide."""

    wide: float

    @property
    def high(self) -> float:
        """Its height in pixels."""
        return round((NORTH - SOUTH) * self.wide / 360)

    def at(self, longitude: float, latitude: float) -> Place:
        """Where a place lies."""
        return (longitude + 180) * self.wide / 360, (NORTH - latitude) * self.wide / 360


def map_card(
    sites: Sequence[Site], hazards: Sequence[Occurrence], incidents: Sequence[Incident] = (), *, wide: float = MEDIUM
) -> Card | None:
    """The map for a page, `wide` pixels and a phone wide; None without any site.

    Sites with an open incident bear the mark of the gravest one.
    """
    if not sites:
        return None
    told, drawings, notes = described(sites, hazards, incidents), [], []
    names = {WIDE: ("wide", "medium", "narrow")}.get(int(wide), ("medium", "narrow"))
    for name, pixels in zip(names, {WIDE: (WIDE, MEDIUM, NARROW)}.get(int(wide), (wide, NARROW)), strict=True):
        plate = compose_map(sites, hazards, incidents, wide=pixels)
        said = (
            [f"{count(hidden, 'name')} left out for want of room."] if (hidden := len(sites) - len(plate.said)) else []
        )
        if aside := " ".join([*said, *_together(sites, World(pixels))]):
            notes.append((name, aside))
        drawings.append((name, plate.svg("World map", told)))
    drawn = sum(map(has_place, hazards))
    said = [f"{count(drawn, 'hazard')} in force drawn in violet."] if drawn else []
    said += (
        [f"{count(len(hazards) - drawn, 'hazard')} without an outline, known by zone alone."]
        if len(hazards) > drawn
        else []
    )
    foot = " ".join([*said, "Coastline: Natural Earth."])
    return Card("map", "Where we run", "", tuple(drawings), foot=foot, notes=tuple(notes))


def compose_map(
    sites: Sequence[Site], hazards: Sequence[Occurrence], incidents: Sequence[Incident] = (), *, wide: float = 464
) -> Plate:
    """The marks of the map, the land behind, outlines over it, sites and their names in front."""
    world = World(wide)
    plate = Plate(wide, world.high)
    plate.parts.append(f'<path d="{_land(wide)}" {plate.fill("before-tint")}/>')
    for longitude in (-120, -60, 0, 60, 120):
        x, _ = world.at(longitude, 0)
        plate.rule(Rule(x, 0, x, world.high, "line", 0.5))
    _, equator = world.at(0, 0)
    plate.rule(Rule(0, equator, wide, equator, "line", 0.5))
    for hazard in hazards[:_OUTLINES]:
        _hazard(plate, world, hazard)
    worst = _gravest(incidents)
    places = {site.name: world.at(site.longitude, site.latitude) for site in sites}
    for site in sites:
        x, y = places[site.name]
        severity = worst.get(site.name)
        if severity is None:
            plate.glyph(Glyph(x, y, "point", "ink", clean(site.title)))
        else:
            shape = SEVERITY_SHAPES[str(severity)]
            plate.glyph(Glyph(x, y, shape, str(severity), f"{clean(site.title)}, {severity} incident open"))
    for site in sorted(sites, key=lambda s: (s.name not in worst, s.name)):
        _name(plate, places, site)
    return plate


def described(sites: Sequence[Site], hazards: Sequence[Occurrence], incidents: Sequence[Incident] = ()) -> str:
    """What the map shows, in words."""
    named = ", ".join(clean(site.title, 40) for site in sites[:20]) + (", and more" if len(sites) > 20 else "")
    said = f"{count(len(sites), 'site')}: {named}. " if sites else "No site. "
    said += f"{count(sum(map(has_place, hazards)), 'hazard')} drawn of {len(hazards)} in force."
    worst = _gravest(incidents)
    return said + (f" Incidents are open at {', '.join(sorted(worst))}." if worst else "")


def has_place(hazard: Occurrence) -> bool:
    """Whether a hazard says where it is by more than names of zones."""
    area = hazard.area
    return area is not None and (
        area.geometry is not None or (area.latitude is not None and area.longitude is not None)
    )


def _together(sites: Sequence[Site], world: World) -> list[str]:
    """Which two sites have one spot on a map of this width, and how far they are from each other; the first of many."""
    pairs = [
        (one, other)
        for one, other in combinations(sites[:_COMPARED], 2)
        if math.dist(world.at(one.longitude, one.latitude), world.at(other.longitude, other.latitude)) < _APART
    ]
    if not pairs:
        return []
    one, other = pairs[0]
    away = distance_km(one.latitude, one.longitude, other.latitude, other.longitude)
    far = f"{away:,.0f} km from each other" if away >= 1 else "at one place"
    more = f", and {count(len(pairs) - 1, 'more pair')} likewise" if len(pairs) > 1 else ""
    return [f"{clean(one.title, 40)} and {clean(other.title, 40)}, {far}, are one spot at this scale{more}."]


def _gravest(incidents: Iterable[Incident]) -> dict[str, Severity]:
    worst: dict[str, Severity] = {}
    for incident in incidents:
        for name in incident.sites:
            if name not in worst or worst[name].rank < incident.severity.rank:
                worst[name] = incident.severity
    return worst


def _name(plate: Plate, places: Mapping[str, Place], site: Site) -> None:
    """The site's name right, left, above, below or aslant of its mark, where it covers no mark and no other name."""
    x, y = places[site.name]
    whole, short = fitted(clean(site.title), plate.wide / 2), fitted(clean(site.title, 24), 120)
    tries = (
        text
        for said in dict.fromkeys((whole, short))
        for text in (
            Text(x + 9, y, said, "ink"),
            Text(x - 9, y, said, "ink", anchor="end"),
            Text(x, y - 13, said, "ink", anchor="middle"),
            Text(x, y + 13, said, "ink", anchor="middle"),
            Text(x - 4, y - 13, said, "ink"),
            Text(x - 4, y + 13, said, "ink"),
        )
    )
    others = [place for name, place in places.items() if name != site.name]
    for text in tries:
        left, top, right, bottom = text.box
        covers = any(left - 4 < px < right + 4 and top - 3 < py < bottom + 3 for px, py in others)
        if not covers and plate.is_free(text.box):
            plate.text(text)
            return


def _hazard(plate: Plate, world: World, hazard: Occurrence) -> None:
    area = hazard.area
    if area is None:
        return
    rings = list(_rings(area.geometry))
    point = _point(area.geometry) or _pair(area.longitude, area.latitude)
    if not rings and point is not None and area.radius_km:
        rings = [_circle(*point, min(area.radius_km, 5000))]
    told = clean(hazard.title)
    for ring in rings:
        for turn in _turns(ring):
            outline = [world.at(longitude + turn, latitude) for longitude, latitude in ring]
            _outline(plate, outline, told)
    if not rings and point is not None:
        _ring(plate, *world.at(*point), told)


def _outline(plate: Plate, outline: Sequence[Place], told: str) -> None:
    wide = max(x for x, _ in outline) - min(x for x, _ in outline)
    if wide < 2 * _LEAST:
        x, y = (sum(place[n] for place in outline) / len(outline) for n in (0, 1))
        _ring(plate, x, y, told)
        return
    plate.polygon(outline, "hazard", 0.22)
    plate.path([*outline, outline[0]], "hazard", 1)


def _ring(plate: Plate, x: float, y: float, told: str) -> None:
    """What is too small to be seen under a site's mark: a circle of the least size around its middle."""
    corners = [(x + _LEAST * math.cos(a), y + _LEAST * math.sin(a)) for a in (math.tau * n / 24 for n in range(25))]
    plate.parts.append(f"<g><title>{xml(told)}</title>")
    plate.polygon(corners, "hazard", 0.22)
    plate.path(corners, "hazard", 1)
    plate.parts.append("</g>")


def _turns(ring: Sequence[Place]) -> list[int]:
    """By how many degrees an outline is drawn again where it runs over the map's edge."""
    turns = [0]
    if max(longitude for longitude, _ in ring) > 180:
        turns.append(-360)
    if min(longitude for longitude, _ in ring) < -180:
        turns.append(360)
    return turns


def _rings(geometry: object) -> Iterable[list[Place]]:
    """Outer rings of a GeoJSON polygon or several, unwound over the antimeridian; anything strange is passed over."""
    if not isinstance(geometry, Mapping):
        return
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "GeometryCollection":
        for part in _items(geometry.get("geometries")):
            if isinstance(part, Mapping) and part.get("type") != "GeometryCollection":
                yield from _rings(part)
    for polygon in [coordinates] if kind == "Polygon" else _items(coordinates) if kind == "MultiPolygon" else []:
        outer = next(iter(_items(polygon)), ())
        ring = [pair for raw in _items(outer) if (pair := _position(raw))]
        if len(ring) >= 3:
            yield _unwound(ring[:: -(-len(ring) // _CORNERS)])


def _unwound(ring: Sequence[Place], *, seam: bool = False) -> list[Place]:
    """The ring with steps over the antimeridian made short. A step of a whole turn is the map's edge, or a `seam`."""
    found, shift = [ring[0]], 0.0
    for (before, _), (longitude, latitude) in pairwise(ring):
        if 180 < abs(longitude - before) < (361 if seam else 359):
            shift += 360 if longitude < before else -360
        found.append((longitude + shift, latitude))
    return found


def _circle(longitude: float, latitude: float, radius_km: float) -> list[Place]:
    up = radius_km / 111.2
    across = up / max(0.05, math.cos(math.radians(latitude)))
    angles = [math.tau * n / 36 for n in range(36)]
    return [(longitude + across * math.cos(a), max(-90, min(90, latitude + up * math.sin(a)))) for a in angles]


def _point(geometry: object) -> Place | None:
    if isinstance(geometry, Mapping) and geometry.get("type") == "Point":
        return _position(geometry.get("coordinates"))
    return None


def _position(raw: object) -> Place | None:
    return _pair(raw[0], raw[1]) if isinstance(raw, list | tuple) and len(raw) >= 2 else None


def _pair(longitude: object, latitude: object) -> Place | None:
    if not isinstance(longitude, int | float) or not isinstance(latitude, int | float):
        return None
    return (longitude, latitude) if -540 <= longitude <= 540 and -90 <= latitude <= 90 else None


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


@lru_cache(maxsize=1)
def land_rings() -> tuple[tuple[Place, ...], ...]:
    """The rings of the coastline in degrees; those that run over the map's edge stand there twice."""
    found = []
    for flat in orjson.loads(COASTLINE.read_bytes()):
        ring = _unwound([(x / 10, y / 10) for x, y in zip(flat[::2], flat[1::2], strict=True)], seam=True)
        found += [tuple((longitude + turn, latitude) for longitude, latitude in ring) for turn in _turns(ring)]
    return tuple(ring for ring in found if max(latitude for _, latitude in ring) > SOUTH)


@lru_cache(maxsize=8)
def _land(wide: float) -> str:
    """The coastline as path data in whole pixels, half ones on a large map; points that fall together are left out."""
    world, drawn, grain = World(wide), [], 2 if wide > 1000 else 1
    for ring in land_rings():
        spots: list[Place] = []
        for longitude, latitude in ring:
            x, y = world.at(longitude, latitude)
            spot = round(grain * x) / grain, round(grain * y) / grain
            if not spots or spot != spots[-1]:
                spots.append(spot)
        if len(spots) > 3:
            drawn.append(_path(spots))
    return "".join(drawn)


def _path(spots: Sequence[Place]) -> str:
    steps = [f"{number(there[0] - here[0])} {number(there[1] - here[1])}" for here, there in pairwise(spots)]
    return f"M{number(spots[0][0])} {number(spots[0][1])}l{' '.join(steps)}z"
