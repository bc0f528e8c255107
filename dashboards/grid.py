"""The curves of the grid lane: demand, its forecast, generation, interchange and frequency of a site's grid area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median

from dashboards.axis import moment, zone_letters
from dashboards.curves import Curve, Scale, is_seen, runs_of, scale_of
from dashboards.marks import Glyph, Line, Rule, Scene, Text
from dashboards.placer import ANCHORS, Placer
from dashboards.typeface import clean, width
from dashboards.weather import BETWEEN
from incidents.instants import length
from incidents.lanes import reading_lane
from incidents.views.view import Gap, IncidentView, Point, Series

NAMES = {
    "grid_demand_mw": "demand",
    "grid_load_mw": "load",
    "grid_demand_forecast_mw": "demand forecast",
    "grid_net_generation_mw": "net generation",
    "grid_generation_mw": "generation",
    "grid_interchange_mw": "interchange",
    "grid_frequency_hz": "frequency",
}
"""In the order in which they are drawn; what is not among them stands behind them under its own name."""
_LOOKS = {"demand": ("ink2", 2.0, ""), "load": ("ink2", 2.0, ""), "demand forecast": ("ink3", 1.25, "4,3")}
_OTHER_LOOK = ("provider", 1.25, "")
HIGH = 0.6
"""A panel beside the curves of the weather."""
_PANELS = 2
"""Panels that are drawn at most: what differs in unit or in kind shares no scale."""
_LINES = 4
"""Curves of one panel."""
_SANE = {"mw": 3_000_000.0, "hz": 100.0}
"""Readings beyond these are counted and not drawn: more than all grids of the earth together, no grid's frequency."""
_WIDE, _ROOM = 100, 46
"""From where on a gutter has its note beside the values, and how wide these are at most."""
_BROKEN = 2.5
"""So many of its usual steps without a reading break a curve: a line across them would look like calm."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that share a scale."""

    unit: str
    series: tuple[Series, ...]

    @property
    def sane(self) -> float:
        return _SANE.get(self.unit, 1e9)

    def words(self, value: float) -> str:
        """A value with its unit: `21.4 GW`, `850 MW`, `49.98 Hz`."""
        if self.unit == "hz":
            return f"{value:.2f}\u2009Hz"
        if self.unit != "mw":
            return f"{value:,.4g}".replace("-", "\u2212")
        if self._is_large():
            return f"{value / 1000:,.1f}\u2009GW".replace("-", "\u2212")
        return f"{value:,.0f}\u2009MW".replace("-", "\u2212")

    def short(self, value: float) -> str:
        """A value at a step of the scale, without its unit."""
        return f"{value / 1000 if self._is_large() else value:,.10g}".replace("-", "\u2212")

    def scale_words(self, value: float) -> str:
        """The uppermost value of the scale, which names the unit of those beneath."""
        unit = "Hz" if self.unit == "hz" else "GW" if self._is_large() else "MW"
        return f"{self.short(value)}\u2009{unit}" if self.unit in {"hz", "mw"} else self.short(value)

    def _is_large(self) -> bool:
        sane = (abs(p.value) for series in self.series for p in series.points if abs(p.value) <= self.sane)
        return self.unit == "mw" and max(sane, default=0) >= 10_000


def panels(view: IncidentView) -> list[Panel]:
    """What the lane draws: what is known of grid areas within the window, levels before the rest."""
    found: dict[tuple[int, str, str], list[Series]] = {}
    for series in view.series:
        if reading_lane(series.variable) == "grid" and _is_known(view, series):
            unit = series.variable.rpartition("_")[2]
            kind = "" if unit == "mw" and "interchange" not in series.variable else series.variable
            found.setdefault((bool(kind), unit, kind), []).append(series)
    return [Panel(unit, tuple(_once(several))) for (_, unit, _), several in sorted(found.items())]


def note(view: IncidentView, *, most: int = _PANELS) -> str:
    """What is drawn of which area, how often it was read, on what basis, and what is left out."""
    shown = panels(view)
    drawn = [series for panel in shown[:most] for series in panel.series[:_LINES]]
    names = list(dict.fromkeys(_called(series) for series in drawn))
    areas = list(dict.fromkeys(clean(series.station or "", 16) for series in drawn if series.station))
    bases = list(dict.fromkeys(clean(series.basis, 20) for series in drawn))
    words = [f"{', '.join(names)} of {' and '.join(areas) or 'the grid'}", f"{_cadence(drawn[0])}{' and '.join(bases)}"]
    left_out = sum(1 for panel in shown for series in panel.series for p in series.points if abs(p.value) > panel.sane)
    words += [f"{left_out} off the scale"] if left_out else []
    more = sum(len(panel.series) for panel in shown) - len(drawn)
    words += [f"{more} more series"] if more else []
    return ", ".join(words)


def height(view: IncidentView, high: float, *, most: int = _PANELS) -> float:
    """How high the curves are, each panel being `high`; nothing where there are none."""
    return min(len(panels(view)), most) * high


def draw(
    scene: Scene, view: IncidentView, top: float, high: float, *, most: int = _PANELS, values: bool = True
) -> None:
    """Draws the panels from `top` down, each `high`, with `values` in the gutter."""
    for number, panel in enumerate(panels(view)[:most]):
        _draw(scene, view, panel, (top + number * high, top + (number + 1) * high), values=values)


def _draw(scene: Scene, view: IncidentView, panel: Panel, body: tuple[float, float], *, values: bool) -> None:
    frame, shown = scene.frame, panel.series[:_LINES]
    narrowest = 0.1 if panel.unit == "hz" else 1
    scale = scale_of(shown, frame, body[0] + 17, body[1] - 5, sane=panel.sane, narrowest=narrowest)
    curves = [
        Curve(one, _title(one, shown), runs_of(one, frame, _holes(view, one, panel.sane), scale, sane=panel.sane))
        for one in shown
    ]
    if values:
        _values(scene, panel, scale)
    placer = Placer(scene, curves, (body[0] + 1, body[1] - 1))
    for curve in reversed(curves):
        _line(scene, panel, curve)
    _peak(placer, panel, curves[0])
    for curve in curves:
        _name(placer, curve)


def _is_known(view: IncidentView, series: Series) -> bool:
    ends = min(view.until, view.as_of) if view.as_known else view.until
    sane = _SANE.get(series.variable.rpartition("_")[2], 1e9)
    return is_seen(series, view.since, ends, _holes(view, series, sane), sane=sane)


def _once(several: Sequence[Series]) -> list[Series]:
    """One series for each variable, area and basis: sites in one area have the same; demand first."""
    order = list(NAMES)
    found = {(series.variable, series.station, series.basis, series.points[:1]): series for series in several}

    def place(series: Series) -> tuple[int, str, str]:
        known = order.index(series.variable) if series.variable in order else len(order)
        return known, series.station or "", series.basis

    return sorted(found.values(), key=place)


def _called(series: Series) -> str:
    plain = series.variable.removeprefix("grid_").rpartition("_")[0] or series.variable
    return NAMES.get(series.variable, clean(plain.replace("_", " "), 24))


def _title(series: Series, shown: Sequence[Series]) -> str:
    words = _called(series)
    if len({other.station for other in shown}) > 1:
        words += f" {clean(series.station or '', 12)}"
    if len({other.basis for other in shown if other.variable == series.variable}) > 1:
        words += f", {clean(series.basis, 20)}"
    return words


def _step(series: Series) -> float:
    steps = [(b.at - a.at).total_seconds() for a, b in pairwise(series.points)]
    return median(steps) if steps else 0.0


def _cadence(series: Series) -> str:
    usual = _step(series)
    if usual <= 0:
        return ""
    return "hourly " if 3500 <= usual <= 3700 else f"every {length(usual)} "


def _holes(view: IncidentView, series: Series, sane: float) -> list[Gap]:
    """Where a curve breaks: gaps of feeds in which it has no reading, and stretches without one all the same."""
    at = [point.at for point in series.points if abs(point.value) <= sane]
    longest = _step(series) * _BROKEN
    found = [gap for gap in view.gaps if gap.lane == "grid" and not any(gap.since < one < gap.until for one in at)]
    return found + [Gap("grid", "", a, b) for a, b in pairwise(at) if 0 < longest < (b - a).total_seconds()]


def _values(scene: Scene, panel: Panel, scale: Scale) -> None:
    first = math.ceil(scale.low / scale.step)
    # A narrow gutter has the lane's name where the uppermost value would stand.
    top = max(scale.top - 1, scene.lanes["grid"][0] + 29) if scene.gutter < _WIDE else scale.top - 1
    values = [n * scale.step for n in range(first, first + 5) if scale.y(n * scale.step) >= top]
    for value in values:
        said = (panel.scale_words(value), panel.short(value)) if value == values[-1] else (panel.short(value),)
        words = next((words for words in said if width(words) <= _ROOM), "")
        # The lowest would reach into the name of a crowded page's next lane.
        y = min(scale.y(value), scale.bottom - 1)
        scene.texts.append(Text(scene.frame.left, y, words, "ink2", anchor="end", shift=-6, fixed=True))
        scene.rules.append(Rule(scene.frame.left, scale.y(value), scene.frame.right, scale.y(value), "sunk"))


def _line(scene: Scene, panel: Panel, curve: Curve) -> None:
    ink, wide, dash = _LOOKS.get(_called(curve.series), _OTHER_LOOK)
    read = {point.at for point in curve.series.points}
    for run in curve.runs:
        tips = tuple(_tip(scene, panel, curve, point, is_read=point.at in read) for _, point in run)
        if len(run) == 1:
            scene.glyphs.append(Glyph(*run[0][0], "dot", ink, tips[0]))
        else:
            scene.lines.append(Line(tuple(place for place, _ in run), ink, wide, dash, tips=tips))


def _tip(scene: Scene, panel: Panel, curve: Curve, point: Point, *, is_read: bool) -> str:
    area = f", {clean(curve.series.station, 24)}" if curve.series.station else ""
    at: datetime = point.at
    when = f"{moment(at, scene.frame.zone, scene.frame.since)} {zone_letters(at, scene.frame.zone)}"
    basis = clean(curve.series.basis, 20) if is_read else BETWEEN
    tip = f"{curve.name} {panel.words(point.value)}{area}, {basis}\n{when}"
    return tip + (f"\n{clean(curve.series.credit, 90)}" if curve.series.credit else "")


def _peak(placer: Placer, panel: Panel, curve: Curve) -> None:
    """The greatest value of the first curve, with its time."""
    pairs = [pair for run in curve.runs for pair in run]
    if not pairs:
        return
    (x, y), peak = max(pairs, key=lambda pair: pair[1].value)
    if peak.at not in {point.at for point in curve.series.points}:
        return  # where the window cuts the line, its end was read by nobody
    frame = placer.frame
    for words in (f"{panel.words(peak.value)} at {moment(peak.at, frame.zone, frame.since)}", panel.words(peak.value)):
        for dy in (9, 12, 15, -10, -13):
            ink = _LOOKS.get(_called(curve.series), _OTHER_LOOK)[0]
            if any(placer.put(Text(x, y - dy, words, ink, 11, 600, anchor)) for anchor in ANCHORS):
                return


def _name(placer: Placer, curve: Curve) -> None:
    pairs = [pair for run in curve.runs for pair in run]
    ink = _LOOKS.get(_called(curve.series), _OTHER_LOOK)[0]
    for share in (0.85, 0.7, 0.55, 0.4, 0.25, 0.1, 0.95) if pairs else ():
        (x, y), _ = pairs[min(int(share * len(pairs)), len(pairs) - 1)]
        for dy in (-9, 9, -12, 12, -16, 16):
            if placer.put(Text(x, y + dy, curve.name, ink, anchor="middle")):
                return
