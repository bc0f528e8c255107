"""The same drawing as a Plotly figure: a plain dict whose y-axis is pixels and whose x-axis is UTC without offset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from dashboards import captions, words
from dashboards.axis import Tick, zone_words
from dashboards.canvas import BANDS, FACE, number
from dashboards.marks import Box, Glyph, Line, Rule, Scene, Shape, Text
from dashboards.scene import compose
from dashboards.tokens import BAND_OPACITY, THEMES, Theme
from incidents.views.view import IncidentView

CONFIG: Mapping[str, Any] = {
    "displayModeBar": False,
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": False,
    "scrollZoom": False,
    "doubleClick": "reset",
}
"""What the page passes beside the figure: no bar of buttons, nothing sent anywhere."""
_SYMBOLS: Mapping[Shape, tuple[str, float]] = {
    "diamond": ("diamond", 9.5),
    "triangle": ("triangle-up", 9.5),
    "circle": ("circle", 8),
    "square": ("square", 7),
    "ring": ("circle", 7),
    "hollow": ("square", 7),
    "dot": ("circle", 4.5),
    "point": ("circle", 6),
    "left": ("triangle-left", 5),
    "right": ("triangle-right", 5),
}
_OPEN: frozenset[Shape] = frozenset({"ring", "hollow", "dot"})
_ARROWS: frozenset[Shape] = frozenset({"left", "right"})
_Figure = dict[str, Any]


def incident_figure(
    view: IncidentView, *, theme: Theme = "light", width: int = 1392, lane_heights: Mapping[str, float] | None = None
) -> _Figure:
    """A figure `width` pixels wide, laid out for that width.

    `lane_heights` keeps lanes at least so high: those of the full view when the reader moves back in time.
    `layout.meta` says what the page needs beside it: the sentence for readers who cannot see it (`alt`), the
    zone, the lanes as [top, bottom], and where the known-at track lies (`left`, `right`, `y`), all in pixels, with
    what it spans in seconds of the epoch; the ends of the axis in pixels and in milliseconds of the epoch, and the
    range in words. A bar of counts has the two ends of its stretch of time as `customdata`.
    """
    scene = compose(view, width=width, track=True, lane_heights=lane_heights)
    drawing = _Drawing(scene, theme)
    return {"data": drawing.traces(), "layout": drawing.layout(view)}


def slider_of(view: IncidentView) -> dict[str, int]:
    """The known-at track in seconds of the epoch, over the figure's own range; its end means everything."""
    least, most = math.floor(view.since.timestamp()), math.ceil(view.until.timestamp())
    fine = (most - least) // 240
    # The last step may reach beyond the range, by so little that the handle stands where the drawing says.
    step = fine // 60 * 60 if fine >= 60 else max(1, fine)
    last = least + -(-(most - least) // step) * step
    value = min(max(int(view.as_of.timestamp()), least), most) if view.as_known else last
    return {"least": least, "most": last, "step": step, "value": value}


class _Drawing:
    """One scene in one theme."""

    def __init__(self, scene: Scene, theme: Theme) -> None:
        self.scene, self.frame, self.theme = scene, scene.frame, theme
        self.colours = THEMES[theme]
        self.first, self.last = _utc(scene, scene.frame.left), _utc(scene, scene.frame.right)

    def at(self, x: float) -> str:
        """The instant of a place, held within the range so that rounding hides nothing."""
        return min(max(_utc(self.scene, x), self.first), self.last)

    def traces(self) -> list[_Figure]:
        scene = self.scene
        traces = [self._bars(ink, boxes) for ink, boxes in _grouped(scene.boxes)]
        if scene.gaps:
            traces.append(self._gaps(scene.gaps))
        traces += [self._area(points, ink, opacity) for points, ink, opacity in scene.areas]
        traces += self._lines()
        traces += self._glyphs()
        traces.append({
            "type": "scatter", "x": [self.first], "y": [scene.top_axis], "xaxis": "x2", "mode": "markers",
            "opacity": 0, "hoverinfo": "skip",
        })  # fmt: skip
        return traces

    def _bars(self, ink: str, boxes: list[Box]) -> _Figure:
        trace = self._boxes(boxes)
        trace["marker"] = {"color": self.colours[ink], "line": {"width": 0}}
        return trace

    def _gaps(self, boxes: list[Box]) -> _Figure:
        colour, trace = self.colours["gap"], self._boxes(boxes)
        trace["marker"] = {
            "color": "rgba(0,0,0,0)",
            "line": {"width": 1, "color": colour},
            "pattern": {"shape": "/", "size": 5, "solidity": 0.2, "fgcolor": colour, "bgcolor": "rgba(0,0,0,0)"},
        }
        return trace

    def _boxes(self, boxes: list[Box]) -> _Figure:
        milliseconds = self.frame.seconds_a_pixel * 1000
        trace: _Figure = {
            "type": "bar",
            "orientation": "h",
            "base": [self.at(box.left) for box in boxes],
            "x": [round((box.right - box.left) * milliseconds, 3) for box in boxes],
            "y": [round((box.top + box.bottom) / 2, 2) for box in boxes],
            "width": [round(box.bottom - box.top, 2) for box in boxes],
        }
        if any(box.span for box in boxes):
            trace["customdata"] = [[_utc_text(at) for at in box.span] if box.span else None for box in boxes]
        return trace | _hover([box.tip for box in boxes])

    def _area(self, points: tuple[tuple[float, float], ...], ink: str, opacity: float) -> _Figure:
        return {
            "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": _faint(self.colours[ink], opacity),
            "line": {"width": 0}, "hoverinfo": "skip",
            "x": [self.at(x) for x, _ in points], "y": [round(y, 2) for _, y in points],
        }  # fmt: skip

    def _lines(self) -> list[_Figure]:
        """Lines of one look in one trace, parted by nothing; those that answer when pointed at have their own."""
        alike: dict[tuple[str, float, str], list[Line]] = {}
        traces: list[_Figure] = []
        for line in self.scene.lines:
            if line.tips:
                traces.append(self._line([line]) | _hover(list(line.tips)))
            else:
                alike.setdefault((line.ink, line.width, line.dash), []).append(line)
        return traces + [self._line(lines) | {"hoverinfo": "skip"} for lines in alike.values()]

    def _line(self, lines: list[Line]) -> _Figure:
        xs: list[str | None] = []
        ys: list[float | None] = []
        for line in lines:
            xs += [*([None] if xs else []), *(self.at(x) for x, _ in line.points)]
            ys += [*([None] if ys else []), *(round(y, 2) for _, y in line.points)]
        look: _Figure = {"color": self.colours[lines[0].ink], "width": lines[0].width}
        if lines[0].dash:
            look["dash"] = _dash(lines[0].dash)
        return {"type": "scatter", "mode": "lines", "x": xs, "y": ys, "line": look}

    def _glyphs(self) -> list[_Figure]:
        alike: dict[tuple[Shape, str], list[Glyph]] = {}
        for glyph in self.scene.glyphs:
            alike.setdefault((glyph.shape, glyph.ink), []).append(glyph)
        return [self._glyph(shape, ink, glyphs) for (shape, ink), glyphs in alike.items()]

    def _glyph(self, shape: Shape, ink: str, glyphs: list[Glyph]) -> _Figure:
        symbol, size = _SYMBOLS[shape]
        colour, panel = self.colours[ink], self.colours["panel"]
        marker: _Figure = {"symbol": symbol, "size": size, "opacity": 1, "color": colour}
        if shape in _OPEN:
            marker |= {"color": panel, "line": {"color": colour, "width": 1.5}}
        elif shape not in _ARROWS:
            marker["line"] = {"color": panel, "width": 1}
        trace = {
            "type": "scatter",
            "mode": "markers",
            "x": [self.at(glyph.x) for glyph in glyphs],
            "y": [round(glyph.y, 2) for glyph in glyphs],
            "marker": marker,
        }
        return trace | _hover([glyph.tip for glyph in glyphs])

    def layout(self, view: IncidentView) -> _Figure:
        scene, colours = self.scene, self.colours
        axis: _Figure = {
            "type": "date", "range": [self.first, self.last], "showgrid": False, "zeroline": False, "showline": False,
            "ticks": "", "anchor": "free", "tickmode": "array", "tickvals": [_iso(tick) for tick in scene.ticks],
            "tickangle": 0, "tickfont": {"size": 11, "color": colours["ink2"]}, "automargin": False,
        }  # fmt: skip
        lower = [_tick_words(tick) for tick in scene.ticks]
        upper = scene.upper_words()
        return {
            "width": scene.width,
            "height": scene.height,
            "autosize": False,
            "margin": {"l": scene.gutter, "r": scene.width - self.frame.right, "t": 0, "b": 0, "pad": 0},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FACE, "size": 11, "color": colours["ink2"]},
            "showlegend": False,
            "barmode": "overlay",
            "bargap": 0,
            "hovermode": "closest",
            "hoverdistance": 8,
            "dragmode": "zoom",
            "hoverlabel": {
                "bgcolor": colours["ink"],
                "bordercolor": colours["ink"],
                "align": "left",
                "namelength": 0,
                "font": {"family": FACE, "size": 12, "color": colours["panel"]},
            },
            "xaxis": axis | {"ticktext": lower, "side": "bottom", "position": self._share(scene.bottom_axis - 9)},
            "xaxis2": axis
            | {
                "ticktext": upper,
                "side": "top",
                "position": self._share(scene.top_axis + 9),
                "overlaying": "x",
                "matches": "x",
            },
            "yaxis": {"range": [scene.height, 0], "visible": False, "fixedrange": True},
            "shapes": [self._band(box) for box in scene.bands] + self._rules(scene.rules),
            "annotations": [self._text(text) for text in scene.texts],
            "meta": self._meta(view),
        }

    def _share(self, y: float) -> float:
        """A height as a share of the paper, from below."""
        return round(min(max(1 - y / self.scene.height, 0), 1), 5)

    def _meta(self, view: IncidentView) -> _Figure:
        scene = self.scene
        meta: _Figure = {
            "alt": captions.described(view),
            "zone": view.zone,
            "zone_words": zone_words(view.since, self.frame.zone),
            "site_zone": view.sites[0].timezone if view.sites else None,
            "range_words": words.window(view.since, view.until, view.zone),
            "axis": {
                "left": self.frame.left,
                "right": self.frame.right,
                "since": _milliseconds(self.frame.since),
                "until": _milliseconds(self.frame.until),
            },
            "lanes": {name: [top, bottom] for name, (top, bottom) in scene.lanes.items()},
        }
        if scene.known_at is not None:
            place = {"left": self.frame.left, "right": self.frame.right, "y": scene.known_at}
            meta["known_at"] = place | slider_of(view)
        return meta

    def _band(self, box: Box) -> _Figure:
        ink, opacity = (BANDS[box.ink], BAND_OPACITY[self.theme]) if box.ink in BANDS else (box.ink, box.opacity)
        return {
            "type": "rect", "layer": "below", "xref": "x", "yref": "y",
            "x0": self.at(box.left), "x1": self.at(box.right), "y0": box.top, "y1": box.bottom,
            "fillcolor": self.colours[ink], "opacity": opacity, "line": {"width": 0},
        }  # fmt: skip

    def _rules(self, rules: list[Rule]) -> list[_Figure]:
        """Upright rules of one look are one shape: the library takes half a millisecond for each shape."""
        alike: dict[tuple[str, float, str] | int, list[Rule]] = {}
        for place, rule in enumerate(rules):
            is_upright = rule.left == rule.right and not rule.fixed
            alike.setdefault((rule.ink, rule.width, rule.dash) if is_upright else place, []).append(rule)
        return [
            self._rule(group[0]) if isinstance(look, int) else self._uprights(group) for look, group in alike.items()
        ]

    def _uprights(self, rules: list[Rule]) -> _Figure:
        # A path is drawn where it says, unlike a line, which is moved to whole pixels so that it is sharp.
        places = [(self.at(math.floor(rule.left) + 0.5).replace(" ", "_"), rule.top, rule.bottom) for rule in rules]
        path = "".join(f"M{x},{number(top)}L{x},{number(bottom)}" for x, top, bottom in places)
        return {"type": "path", "layer": "below", "xref": "x", "yref": "y", "path": path, "line": self._pen(rules[0])}

    def _pen(self, rule: Rule) -> _Figure:
        line: _Figure = {"color": self.colours[rule.ink], "width": rule.width}
        return line | {"dash": _dash(rule.dash)} if rule.dash else line

    def _rule(self, rule: Rule) -> _Figure:
        line = self._pen(rule)
        wide = self.frame.right - self.frame.left
        ends: _Figure = {"xref": "x", "x0": self.at(rule.left), "x1": self.at(rule.right)}
        if rule.fixed:
            places = [round((x - self.frame.left) / wide, 5) for x in (rule.left, rule.right)]
            ends = {"xref": "paper", "x0": places[0], "x1": places[1]}
        return ends | {
            "type": "line", "layer": "below", "line": line,
            "yref": "y", "y0": round(rule.top, 2), "y1": round(rule.bottom, 2),
        }  # fmt: skip

    def _text(self, text: Text) -> _Figure:
        place: _Figure = {"xref": "x", "x": self.at(text.x), "xshift": round(text.shift, 2)}
        if text.fixed:
            place = {"xref": "paper", "x": 0, "xshift": round(text.x + text.shift - self.frame.left, 2)}
        return place | {
            "yref": "y",
            "y": round(text.y, 2),
            "text": escape(text.words),
            "showarrow": False,
            "xanchor": {"start": "left", "middle": "center", "end": "right"}[text.anchor],
            "yanchor": "middle",
            "borderpad": 0,
            "font": {"size": text.size, "weight": text.weight, "color": self.colours[text.ink]},
        }


def _grouped(boxes: list[Box]) -> list[tuple[str, list[Box]]]:
    """Boxes by ink and by whether they answer, in the order in which each first appears."""
    groups: dict[tuple[str, bool], list[Box]] = {}
    for box in boxes:
        groups.setdefault((box.ink, bool(box.tip)), []).append(box)
    return [(ink, group) for (ink, _), group in groups.items()]


def _hover(tips: list[str]) -> _Figure:
    """Escaped hover texts; marks that say nothing do not answer."""
    if not any(tips):
        return {"hoverinfo": "skip"}
    return {"hoverinfo": "text", "hovertext": [escape(tip).replace("\n", "<br>") for tip in tips]}


def _utc(scene: Scene, x: float) -> str:
    return _utc_text(scene.frame.at(x))


def _utc_text(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _iso(tick: Tick) -> str:
    return _utc_text(tick.at)


def _tick_words(tick: Tick) -> str:
    words = f"<b>{tick.words}</b>" if tick.level == 2 else tick.words
    return f"{words}<br>{tick.beneath}" if tick.beneath else words


def _dash(dash: str) -> str:
    return ",".join(f"{part}px" for part in dash.split(","))


def _faint(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"
