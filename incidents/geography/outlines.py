"""Outlines: a stranger's GeoJSON polygons, unwound at the date line, and how a point lies to them. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import asin, cos, hypot, inf, radians, sin, sqrt
from typing import Any, Final, TypeGuard

from incidents.model import Site

Ring = list[tuple[float, float]]


EARTH_RADIUS_KM: Final = 6371.0088
KM_PER_DEGREE: Final = EARTH_RADIUS_KM * radians(1)
_MOST_VERTICES: Final = 200_000
_DEEPEST: Final = 8


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance by the haversine formula on a sphere of the Earth's mean radius."""
    south, north = radians(latitude), radians(other_latitude)
    chord = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, max(0.0, chord))))


def meets_ring(ring: Ring, site: Site) -> tuple[bool, float]:
    """Parity of the crossings and distance in km for one ring, seen from the site and its copies 360° away."""
    x_scale, unwound = KM_PER_DEGREE * max(0.01, cos(radians(site.latitude))), _unwind(ring)
    points = [((lon - site.longitude) * x_scale, (lat - site.latitude) * KM_PER_DEGREE) for lon, lat in unwound]
    west, east = min(x for x, _ in points), max(x for x, _ in points)
    turn = 360 * x_scale
    odd, nearest = False, inf
    for copy in (0.0, turn, -turn):
        if copy and not (west - turn / 2 <= copy <= east + turn / 2):
            continue
        crossed, edge_km = _cast(points, copy)
        odd |= crossed
        nearest = min(nearest, edge_km)
    return odd, nearest


def _cast(points: Ring, x: float) -> tuple[bool, float]:
    """Ray casting from (x, 0) over a closed ring, and the distance from there to its nearest segment."""
    odd, nearest = False, inf
    x0, y0 = points[-1]
    for x1, y1 in points:
        dx, dy = x1 - x0, y1 - y0
        if (y0 > 0) != (y1 > 0) and x < x0 - dx * y0 / dy:
            odd = not odd
        length = dx * dx + dy * dy
        along = min(1.0, max(0.0, ((x - x0) * dx - y0 * dy) / length)) if length else 0.0
        nearest = min(nearest, hypot(x0 + along * dx - x, y0 + along * dy))
        x0, y0 = x1, y1
    return odd, nearest


def _unwind(ring: Ring) -> Ring:
    """The ring with steps over the antimeridian made short; as it was when that does not close (around a pole)."""
    out, shift = [ring[0]], 0.0
    for (before, _), (lon, lat) in zip(ring, [*ring[1:], ring[0]], strict=True):
        step = lon - before
        # A step of a whole turn is the edge of a map, not a crossing.
        if 180 < abs(step) < 359:
            shift -= 360 if step > 0 else -360
        out.append((lon + shift, lat))
    return ring if shift else out[:-1]


def polygons_of(geometry: object) -> Iterator[list[Ring]]:
    """Polygons of any GeoJSON geometry as lists of rings (lon, lat); what is not one is passed over."""
    left = _MOST_VERTICES
    waiting: list[tuple[object, int]] = [(geometry, 0)]
    while waiting:
        part, depth = waiting.pop()
        if not isinstance(part, Mapping) or depth > _DEEPEST:
            continue
        kind, coordinates = part.get("type"), part.get("coordinates")
        if kind == "GeometryCollection":
            waiting.extend((inner, depth + 1) for inner in _list(part.get("geometries")))
        for polygon in [coordinates] if kind == "Polygon" else _list(coordinates) if kind == "MultiPolygon" else []:
            rings = [ring for raw in _list(polygon) if len(ring := _positions(raw)) >= 3]
            left -= sum(map(len, rings))
            if left < 0:
                return
            if rings:
                yield rings


def _positions(raw: object) -> Ring:
    return [(float(p[0]), float(p[1])) for p in _list(raw) if _is_position(p)]


def point_of(geometry: object) -> tuple[float, float] | None:
    if not isinstance(geometry, Mapping) or geometry.get("type") != "Point":
        return None
    at = geometry.get("coordinates")
    return (float(at[0]), float(at[1])) if _is_position(at) else None


def _is_position(value: object) -> TypeGuard[Sequence[float]]:
    return isinstance(value, list | tuple) and len(value) >= 2 and all(is_number(v) for v in value[:2])


def is_number(value: object, bound: float = 1000) -> bool:
    """A real, finite number of a size that a place can have; NaN fails both comparisons."""
    return isinstance(value, int | float) and -bound <= value <= bound


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
