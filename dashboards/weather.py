"""The weather lane: temperatures against design limits, with crossings, peaks and gaps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from dashboards import gaps as gapping
from dashboards.axis import DEGREE, clock, length, moment, zone_letters
from dashboards.marks import Anchor, Area, Frame, Glyph, Line, Place, Rule, Scene, Text
from dashboards.typeface import clean, width
from incidents.view import Gap, IncidentView, Point, Series

NAMES = {"temperature_c": "temperature", "wet_bulb_c": "wet bulb", "dew_point_c": "dew point"}
INKS = {"temperature_c": "temperature", "wet_bulb_c": "wet-bulb", "dew_point_c": "ink3"}
_SANE_C = 150
"""Readings beyond this many degrees either way are counted, not drawn: they would flatten all others."""
_MOST_LINES = 6
_DOTS_APART = 9
_ANCHORS: tuple[Anchor, ...] = ("middle", "start", "end")


@dataclass(frozen=True, slots=True)
class Scale:
    """Degrees to pixels."""

    low: float
    high: float
    top: float
    bottom: float
    step: float

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Curve:
    """One series as drawn: unbroken runs of places with their points."""

    series: Series
    name: str
    runs: tuple[tuple[tuple[Place, Point], ...], ...]


def drawn_series(view: IncidentView) -> list[Series]:
    """The series that the lane shows: temperature, wet bulb and dew point, temperature first, nearest first."""
    order = list(NAMES)
    shown = [series for series in view.series if series.variable in NAMES and _known(view, series)]
    return sorted(shown, key=lambda series: (order.index(series.variable), series.distance_km or 0.0, series.site))


def note(view: IncidentView) -> str:
    """What is drawn, how often it was read, and whether it was observed, modelled or reconstructed."""
    shown = drawn_series(view)
    names = list(dict.fromkeys(NAMES[series.variable] for series in shown[:_MOST_LINES]))
    bases = list(dict.fromkeys(clean(series.basis, 20) for series in shown[:_MOST_LINES]))
    stations = list(dict.fromkeys(clean(series.station, 16) for series in shown if series.station))
    words = [" and ".join(names), f"{_cadence(shown[0])}{' and '.join(bases)}"]
    if len(stations) == 1 and bases == ["observed"]:
        words[-1] += f" at {stations[0]}"
    left_out = sum(1 for series in shown for point in series.points if abs(point.value) > _SANE_C)
    if left_out:
        words.append(f"{left_out} off the scale")
    if len(shown) > _MOST_LINES:
        words.append(f"{len(shown) - _MOST_LINES} more series")
    return ", ".join(words)


def draw(scene: Scene, view: IncidentView, top: float, bottom: float, *, values: bool = True) -> None:
    """Draws all curves between `top` and `bottom`, with `values` in the gutter; `drawn_series` must not be empty."""
    frame, shown = scene.frame, drawn_series(view)[:_MOST_LINES]
    gaps = [gap for gap in view.gaps if gap.lane == "weather" and gap.since < view.as_of]
    scale = _scale(shown, frame, top + 20, bottom - (22 if gaps else 8))
    several = len({series.site for series in shown}) > 1
    curves = [
        Curve(series, _title(series, shown, several=several), _runs(series, frame, gaps, scale)) for series in shown
    ]
    if values:
        _value_labels(scene, scale, top + 29 if scene.gutter < 100 else top)
    placer = _Placer(scene, frame, curves, (top + 1, bottom - (20 if gaps else 1)))
    for curve in curves:
        _fill(scene, curve, scale)
    for curve in curves:
        _line(scene, curve)
    _limits(placer, scene, shown, scale)
    for curve in curves:
        if curve.series.variable == "temperature_c":
            _peak_and_crossing(placer, scene, curve, scale)
            break
    for curve in curves:
        _name(placer, curve)
    gapping.draw(scene, gapping.merge(gaps, frame), bottom - scene.sizes.pad - scene.sizes.bar)


def _known(view: IncidentView, series: Series) -> bool:
    ends = min(view.until, view.as_of) if view.as_known else view.until
    return any(view.since <= point.at <= ends and abs(point.value) <= _SANE_C for point in series.points)


def _cadence(series: Series) -> str:
    steps = [(b.at - a.at).total_seconds() for a, b in pairwise(series.points)]
    usual = median(steps) if steps else 0
    if usual <= 0:
        return ""
    return "hourly " if 3500 <= usual <= 3700 else f"every {length(usual)} "


def _scale(shown: Sequence[Series], frame: Frame, top: float, bottom: float) -> Scale:
    margin = timedelta(hours=3)
    values = [
        point.value
        for series in shown
        for point in series.points
        if frame.since - margin <= point.at <= frame.until + margin and abs(point.value) <= _SANE_C
    ]
    values += [series.limit for series in shown if series.limit is not None and abs(series.limit) <= _SANE_C]
    low, high = min(values), max(values)
    if high - low < 1:
        low, high = low - 1, high + 1
    raw = (high - low) / 2.5
    decade = 10 ** math.floor(math.log10(raw))
    step = next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= raw)
    return Scale(low - (high - low) * 0.04, high, top, bottom, step)


def _value_labels(scene: Scene, scale: Scale, top: float) -> None:
    """Degrees at round steps left of the plot, none above `top`, where a narrow gutter has the lane's name."""
    first = math.ceil(scale.low / scale.step)
    steps = (number * scale.step for number in range(first, first + 5))
    values = [value for value in steps if scale.y(value) >= max(top, scale.top)]
    for value in values:
        y = scale.y(value)
        words = _degrees(value) if value == values[-1] else f"{value:g}".replace("-", "\u2212")
        scene.texts.append(Text(scene.frame.left, y, words, "ink2", anchor="end", shift=-6, fixed=True))
        scene.rules.append(Rule(scene.frame.left, y, scene.frame.right, y, "sunk"))


def _degrees(value: float) -> str:
    rounded = round(value, 1)
    return f"{rounded:g}{DEGREE}".replace("-", "\u2212")


def _title(series: Series, shown: Sequence[Series], *, several: bool) -> str:
    words = NAMES[series.variable]
    if several:
        words += f" {clean(series.site, 20)}"
    if len({other.basis for other in shown if other.variable == series.variable}) > 1:
        words += f", {clean(series.basis, 20)}"
    return words


def _runs(
    series: Series, frame: Frame, gaps: Sequence[Gap], scale: Scale
) -> tuple[tuple[tuple[Place, Point], ...], ...]:
    """The parts of a series between gaps, cut at the ends of what is known."""
    last = frame.at(frame.edge)
    runs: list[list[Point]] = [[]]
    previous: Point | None = None
    for point in series.points:
        if abs(point.value) > _SANE_C:
            continue
        if previous is not None and any(gap.since < point.at and previous.at < gap.until for gap in gaps):
            runs.append([])
        runs[-1].append(point)
        previous = point
    cut = (_cut(run, frame.since, last) for run in runs)
    return tuple(
        tuple(((frame.x(point.at), scale.y(point.value)), point) for point in _thin(run, frame)) for run in cut if run
    )


def _cut(run: Sequence[Point], since: datetime, until: datetime) -> list[Point]:
    """The run within the window, with points computed where it crosses the ends."""
    kept: list[Point] = []
    for before, after in pairwise(run):
        if before.at < since < after.at:
            kept.append(_between(before, after, since))
        if since <= before.at <= until:
            kept.append(before)
        if before.at < until < after.at:
            kept.append(_between(before, after, until))
    if run and since <= run[-1].at <= until:
        kept.append(run[-1])
    return kept


def _between(before: Point, after: Point, at: datetime) -> Point:
    share = (at - before.at) / (after.at - before.at)
    return Point(at, before.value + share * (after.value - before.value))


def _thin(run: list[Point], frame: Frame) -> list[Point]:
    """At most the least and the greatest value of each pixel column."""
    if len(run) <= 2 * (frame.right - frame.left):
        return run
    columns: dict[int, list[Point]] = {}
    for point in run:
        columns.setdefault(int(frame.x(point.at)), []).append(point)
    kept: list[Point] = []
    for points in columns.values():
        ends = {min(points, key=lambda point: point.value), max(points, key=lambda point: point.value)}
        kept += sorted(ends, key=lambda point: point.at)
    return kept


def _fill(scene: Scene, curve: Curve, scale: Scale) -> None:
    limit = curve.series.limit
    if limit is None:
        return
    level = scale.y(limit)
    for run in curve.runs:
        for polygon in _above([place for place, _ in run], level):
            scene.areas.append(Area(tuple(polygon), INKS[curve.series.variable], 0.2))


def _above(places: Sequence[Place], level: float) -> Iterator[list[Place]]:
    """The polygons between the line and the level where the line is above it (smaller y), ends computed."""
    polygon: list[Place] = []
    for index, (x, y) in enumerate(places):
        if index:
            x0, y0 = places[index - 1]
            if (y0 < level) != (y < level):
                polygon.append((x0 + (level - y0) / (y - y0) * (x - x0), level))
        if y < level:
            if not polygon:
                polygon.append((x, level))
            polygon.append((x, y))
        elif len(polygon) > 1:
            yield polygon
            polygon = []
        else:
            polygon = []
    if len(polygon) > 1:
        yield [*polygon, (polygon[-1][0], level)]


def _line(scene: Scene, curve: Curve) -> None:
    ink, zone = INKS[curve.series.variable], scene.frame.zone
    strong = curve.series.variable == "temperature_c"
    dots = strong and all(b[0][0] - a[0][0] >= _DOTS_APART for run in curve.runs for a, b in pairwise(run))
    read = {point.at for point in curve.series.points}
    for run in curve.runs:
        places = tuple(place for place, _ in run)
        tips = tuple(
            f"{curve.name} {_degrees(point.value)}, {clean(curve.series.basis, 20)}\n"
            f"{moment(point.at, zone, scene.frame.since)} {zone_letters(point.at, zone)}"
            for _, point in run
        )
        scene.lines.append(Line(places, ink, 2 if strong else 1.25, tips=tips))
        if dots or len(run) == 1:
            scene.glyphs += [Glyph(x, y, "dot", ink) for (x, y), point in run if point.at in read]


class _Placer:
    """Finds room for words between the curves; what finds none is not drawn."""

    def __init__(self, scene: Scene, frame: Frame, curves: Sequence[Curve], body: tuple[float, float]) -> None:
        self.scene, self.frame, self.body = scene, frame, body
        self._paths = [[place for place, _ in run] for curve in curves for run in curve.runs]
        self._levels: list[float] = []
        self._taken: list[tuple[float, float, float, float]] = []

    def avoid(self, level: float) -> None:
        self._levels.append(level)

    def put(self, text: Text) -> bool:
        """Draws the text when it is inside the lane, clear of all words before it and of every curve."""
        left, top, right, bottom = text.box
        inside = left >= self.frame.left + 2 and right <= self.frame.right - 2
        if not (inside and top >= self.body[0] and bottom <= self.body[1]):
            return False
        if any(left < box[2] + 4 and box[0] < right + 4 and top < box[3] and box[1] < bottom for box in self._taken):
            return False
        if any(top < level < bottom for level in self._levels):
            return False
        if any(_holds(area.points, ((left + right) / 2, text.y)) for area in self.scene.areas):
            return False
        if any(_crosses(path, (left - 2, top + 1, right + 2, bottom - 1)) for path in self._paths):
            return False
        self._taken.append(text.box)
        self.scene.texts.append(text)
        return True


def _holds(polygon: Sequence[Place], place: Place) -> bool:
    """Whether a place is inside a polygon, by counting crossings."""
    x, y = place
    inside = False
    for (x0, y0), (x1, y1) in pairwise((*polygon, polygon[0])):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            inside = not inside
    return inside


def _crosses(path: Sequence[Place], box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    if len(path) == 1:
        return left < path[0][0] < right and top < path[0][1] < bottom
    for (x0, y0), (x1, y1) in pairwise(path):
        if x1 < left or x0 > right:
            continue
        slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
        a = y0 + slope * (max(left, x0) - x0)
        b = y0 + slope * (min(right, x1) - x0)
        if min(a, b) < bottom and max(a, b) > top:
            return True
    return False


def _limits(placer: _Placer, scene: Scene, shown: Sequence[Series], scale: Scale) -> None:
    frame = scene.frame
    limits = {
        series.limit: (series, INKS[series.variable])
        for series in reversed(shown)
        if series.limit is not None and abs(series.limit) <= _SANE_C
    }
    for limit, (series, ink) in limits.items():
        y = scale.y(limit)
        scene.rules.append(Rule(frame.left, y, frame.right, y, ink, 1, "5,3"))
        placer.avoid(y)
        name = clean(series.limit_name or "", 24).replace("_c", "").replace("_", " ")
        degrees = _degrees(limit)
        variants = [f"site design limit {degrees}, {name}", f"design limit {degrees}", f"limit {degrees}"]
        for words in variants if name else variants[1:]:
            spots = _spots(frame, width(words), (0.8, 0.6, 0.4, 0.2, 0.9, 0.05))
            if any(placer.put(Text(x, y + dy, words, ink)) for dy in (-8.5, 8.5) for x in spots):
                break


def _spots(frame: Frame, room: float, shares: Sequence[float]) -> list[float]:
    """Left ends of words centred at these shares of the axis, moved inside."""
    most = frame.right - room - 6
    return [
        min(max(frame.left + share * (frame.right - frame.left) - room / 2, frame.left + 6), most) for share in shares
    ]


def _peak_and_crossing(placer: _Placer, scene: Scene, curve: Curve, scale: Scale) -> None:
    frame, ink = scene.frame, INKS[curve.series.variable]
    (x, y), peak = max((pair for run in curve.runs for pair in run), key=lambda pair: pair[1].value)
    words = (f"{_degrees(peak.value)} at {moment(peak.at, frame.zone, frame.since)}", _degrees(peak.value))
    for text in words:
        if any(placer.put(Text(x, y - dy, text, ink, 11, 600, anchor)) for dy in (10, 13) for anchor in _ANCHORS):
            break
    limit = curve.series.limit
    crossing = _first_crossing(curve, limit) if limit is not None else None
    if limit is None or crossing is None:
        return
    at = frame.x(crossing)
    level = scale.y(limit)
    scene.glyphs.append(Glyph(at, level, "point", ink))
    words = (f"limit crossed {moment(crossing, frame.zone, frame.since)}", clock(crossing, frame.zone))
    for text in words:
        if any(
            placer.put(Text(at, level + dy, text, ink, anchor=anchor, shift=shift)) for dy, anchor, shift in _BESIDE
        ):
            break


_BESIDE: tuple[tuple[float, Anchor, float], ...] = (
    (11.0, "start", 5.0),
    (-10.0, "end", -5.0),
    (11.0, "end", -5.0),
    (14.0, "start", 8.0),
    (-10.0, "start", 5.0),
)


def _first_crossing(curve: Curve, limit: float) -> datetime | None:
    """When the line first rises through the limit, by straight lines between readings."""
    for run in curve.runs:
        for (_, before), (_, after) in pairwise(run):
            if before.value <= limit < after.value:
                return before.at + (after.at - before.at) * ((limit - before.value) / (after.value - before.value))
    return None


def _name(placer: _Placer, curve: Curve) -> None:
    """Writes the line's name along it; wet bulb and dew point with their value there."""
    ink = INKS[curve.series.variable]
    pairs = [pair for run in curve.runs for pair in run]
    if not pairs:
        return
    for share in (0.85, 0.75, 0.6, 0.45, 0.3, 0.15, 0.05, 0.95):
        (x, y), point = pairs[min(int(share * len(pairs)), len(pairs) - 1)]
        words = (
            curve.name if curve.series.variable == "temperature_c" else f"{curve.name} {_degrees(round(point.value))}"
        )
        for dy in (-9, 9, -12, 12, -16, 16):
            if placer.put(Text(x, y + dy, words, ink, anchor="middle")):
                return
