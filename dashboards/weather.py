"""The weather lane: temperatures against design limits, with crossings, peaks and gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dashboards import gaps as gapping
from dashboards.axis import DASH, DEGREE, clock, moment, span, zone_letters
from dashboards.curves import (
    SANE_C,
    Curve,
    LineCrossing,
    Scale,
    above,
    first_crossing,
    is_seen,
    runs_of,
    scale_of,
    seconds_above,
)
from dashboards.marks import Anchor, Area, Frame, Glyph, Line, Rule, Scene, Text
from dashboards.placer import ANCHORS, Placer
from dashboards.typeface import clean, width
from incidents.cascade import MINUTE
from incidents.instants import length
from incidents.views.view import Gap, IncidentView, Series

NAMES = {"temperature_c": "temperature", "wet_bulb_c": "wet bulb", "dew_point_c": "dew point"}
INKS = {"temperature_c": "temperature", "wet_bulb_c": "wet-bulb", "dew_point_c": "ink3"}
BETWEEN = "on the line between two readings"
"""What a place on a curve says of itself that nobody read: where the window cuts it."""
_MOST_LINES = 6
_DOTS_APART = 9


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
    left_out = sum(1 for series in shown for point in series.points if abs(point.value) > SANE_C)
    if left_out:
        words.append(f"{left_out} off the scale")
    if len(shown) > _MOST_LINES:
        words.append(f"{len(shown) - _MOST_LINES} more series")
    return ", ".join(words)


def draw(scene: Scene, view: IncidentView, top: float, bottom: float, *, values: bool = True) -> None:
    """Draws all curves between `top` and `bottom`, with `values` in the gutter; `drawn_series` must not be empty."""
    frame, shown = scene.frame, drawn_series(view)[:_MOST_LINES]
    gaps = _gaps(view)
    scale = scale_of(shown, frame, top + 20, bottom - (22 if gaps else 8))
    several = len({series.site for series in shown}) > 1
    curves = [
        Curve(series, _title(series, shown, several=several), runs_of(series, frame, gaps, scale)) for series in shown
    ]
    if values:
        _value_labels(scene, scale, top + 29 if scene.gutter < 100 else top)
    placer = Placer(scene, curves, (top + 1, bottom - (20 if gaps else 1)))
    for curve in curves:
        _fill(scene, curve, scale)
    for curve in curves:
        _line(scene, curve)
    _limits(placer, scene, curves, scale)
    for curve in curves:
        if curve.series.variable == "temperature_c":
            _peak_and_crossing(placer, scene, curve, scale)
            break
    for curve in curves:
        _name(placer, curve)
    hatches = gapping.merge(gaps, frame, gapping.feeds_of(view.coverage, "weather"))
    gapping.draw(scene, hatches, bottom - scene.sizes.pad - scene.sizes.bar)


def _known(view: IncidentView, series: Series) -> bool:
    ends = min(view.until, view.as_of) if view.as_known else view.until
    return is_seen(series, view.since, ends, _gaps(view))


def _gaps(view: IncidentView) -> list[Gap]:
    return [gap for gap in view.gaps if gap.lane == "weather" and gap.since < view.as_of]


def _cadence(series: Series) -> str:
    steps = [(b.at - a.at).total_seconds() for a, b in pairwise(series.points)]
    usual = median(steps) if steps else 0
    if usual <= 0:
        return ""
    return "hourly " if 3500 <= usual <= 3700 else f"every {length(usual)} "


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


def _fill(scene: Scene, curve: Curve, scale: Scale) -> None:
    limit = curve.series.limit
    if limit is None:
        return
    level = scale.y(limit)
    for run in curve.runs:
        for polygon in above([place for place, _ in run], level):
            scene.areas.append(Area(tuple(polygon), INKS[curve.series.variable], 0.2))


def _line(scene: Scene, curve: Curve) -> None:
    ink, zone = INKS[curve.series.variable], scene.frame.zone
    strong = curve.series.variable == "temperature_c"
    dots = strong and all(b[0][0] - a[0][0] >= _DOTS_APART for run in curve.runs for a, b in pairwise(run))
    read = {point.at for point in curve.series.points}
    for run in curve.runs:
        places = tuple(place for place, _ in run)
        tips = tuple(
            f"{curve.name} {_degrees(point.value)}, "
            f"{clean(curve.series.basis, 20) if point.at in read else BETWEEN}\n"
            f"{moment(point.at, zone, scene.frame.since)} {zone_letters(point.at, zone)}"
            for _, point in run
        )
        if len(run) == 1:
            scene.glyphs.append(Glyph(*places[0], "dot", ink, tips[0]))
            continue
        scene.lines.append(Line(places, ink, 2 if strong else 1.25, tips=tips))
        if dots:
            scene.glyphs += [Glyph(x, y, "dot", ink) for (x, y), point in run if point.at in read]


def _limits(placer: Placer, scene: Scene, curves: Sequence[Curve], scale: Scale) -> None:
    """Each design limit with its name, and how long the curve that it is held against is seen above it."""
    frame = scene.frame
    limits = {
        curve.series.limit: (curve, INKS[curve.series.variable])
        for curve in reversed(curves)
        if curve.series.limit is not None and abs(curve.series.limit) <= SANE_C
    }
    for limit, (curve, ink) in limits.items():
        series = curve.series
        y = scale.y(limit)
        scene.rules.append(Rule(frame.left, y, frame.right, y, ink, 1, "5,3"))
        placer.avoid(y)
        name = clean(series.limit_name or "", 24).replace("_c", "").replace("_", " ")
        degrees = _degrees(limit)
        above_it = _above_words(curve, limit)
        variants = [f"site design limit {degrees}, {name}", f"design limit {degrees}", f"limit {degrees}"]
        variants[1:1] = [f"design limit {degrees}, {above_it}", f"limit {degrees}, {above_it}"]
        variants.insert(0, f"{variants[0]}; {above_it}")
        if not name:
            variants = variants[2:]
        for words in variants:
            spots = _spots(frame, width(words), (0.8, 0.6, 0.4, 0.2, 0.9, 0.05))
            if any(placer.put(Text(x, y + dy, words, ink)) for dy in (-8.5, 8.5) for x in spots):
                break


def _above_words(curve: Curve, limit: float) -> str:
    """How long a curve is above its limit, as far as its readings tell: `above it 7 h – 9 h in view`."""
    least, most = seconds_above(curve, limit)
    if most < 60:
        return "not above it in view"
    about = "about " if curve.series.basis == "reconstructed" else ""
    ends = length(most) if length(least) == length(most) else f"{length(least)} {DASH} {length(most)}"
    return f"above it {about}{ends} in view"


def _spots(frame: Frame, room: float, shares: Sequence[float]) -> list[float]:
    """Left ends of words centred at these shares of the axis, moved inside."""
    most = frame.right - room - 6
    return [
        min(max(frame.left + share * (frame.right - frame.left) - room / 2, frame.left + 6), most) for share in shares
    ]


def _peak_and_crossing(placer: Placer, scene: Scene, curve: Curve, scale: Scale) -> None:
    frame, ink = scene.frame, INKS[curve.series.variable]
    fitted = curve.series.basis == "reconstructed"
    read = {point.at for point in curve.series.points}
    highest = max((pair for run in curve.runs for pair in run), key=lambda pair: pair[1].value)
    if highest[1].at in read:  # where the window cuts the line, its end was read by nobody
        (x, y), peak = highest
        when = f"{'about' if fitted else 'at'} {moment(peak.at, frame.zone, frame.since)}"
        for text in (f"{_degrees(peak.value)} {when}", _degrees(peak.value)):
            if any(placer.put(Text(x, y - dy, text, ink, 11, 600, anchor)) for dy in (10, 13) for anchor in ANCHORS):
                break
    limit = curve.series.limit
    crossing = first_crossing(curve, limit) if limit is not None else None
    if limit is None or crossing is None:
        return
    at = frame.x(crossing.drawn_at)
    level = scale.y(limit)
    scene.glyphs.append(Glyph(at, level, "point", ink))
    words = _crossing_words(crossing, frame, curve.series.basis)
    for text in words:
        if any(
            placer.put(Text(at, level + dy, text, ink, anchor=anchor, shift=shift)) for dy, anchor, shift in _BESIDE
        ):
            break


def _crossing_words(crossing: LineCrossing, frame: Frame, basis: str) -> tuple[str, str]:
    """When a limit was crossed, long and short: a range, unless the readings are hardly a minute apart."""
    since, until = crossing.since, crossing.until
    is_instant = until - since <= MINUTE
    when = moment(until, frame.zone, frame.since) if is_instant else span(since, until, frame.zone, frame.since)
    brief = clock(until, frame.zone) if is_instant else f"{clock(since, frame.zone)} {DASH} {clock(until, frame.zone)}"
    if basis == "observed":
        return f"limit crossed {when}", brief
    about = "about " if basis == "reconstructed" else ""
    return f"limit crossed {about}{when}, {clean(basis, 20)}", f"{about}{brief}"


_BESIDE: tuple[tuple[float, Anchor, float], ...] = (
    (11.0, "start", 5.0),
    (-10.0, "end", -5.0),
    (11.0, "end", -5.0),
    (14.0, "start", 8.0),
    (-10.0, "start", 5.0),
)


def _name(placer: Placer, curve: Curve) -> None:
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
