"""An incident as a standalone SVG: title, range, legend, figure and footer on a page of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from dashboards import captions
from dashboards.canvas import Canvas, document, number
from dashboards.marks import COMPACT, PRINT, TIGHT, Box, Glyph, Rule, Scene, Shape, Text
from dashboards.phone import phone_svg
from dashboards.scene import LANES, compose
from dashboards.tokens import Theme
from dashboards.typeface import longest, width, wrap
from incidents.views.view import IncidentView

__all__ = ["PRESETS", "Preset", "incident_svg", "phone_svg"]

Preset = Literal["a4", "letter", "slide", "wide"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page in pixels at 96 dpi, drawn at `scale`; `height` 0 is as high as its content."""

    width: float
    height: float
    margin: float
    scale: float = 1


PRESETS: dict[str, Page] = {
    "a4": Page(1122.52, 793.7, 28),
    "letter": Page(1056, 816, 28),
    "slide": Page(1280, 720, 24, 1.1),
    "wide": Page(1440, 0, 24),
}
_MOST_ROWS = 4
_FITS = (
    (PRINT, _MOST_ROWS),
    (COMPACT, _MOST_ROWS),
    *((sizes, rows) for rows in (3, 2, 1) for sizes in (COMPACT, TIGHT)),
)
"""Sizes and rows of every lane, tried in this order until the page holds the figure."""
_HEAD = 80
_FOOT = 64
_LEGEND: tuple[tuple[Shape | str, str, str], ...] = (
    ("diamond", "critical", "critical alert"),
    ("triangle", "error", "error"),
    ("circle", "warning", "warning"),
    ("square", "info", "info"),
    ("edge", "hazard", "official warning"),
    ("edge", "provider", "provider incident"),
    ("ring", "ink2", "provider\u2019s post"),
    ("square", "ink", "entry"),
    ("hollow", "ink", "recorded late"),
    ("whisker", "ink2", "uncertain time"),
    ("hatch", "gap", "feed gap"),
)


def incident_svg(view: IncidentView, *, theme: Theme = "light", preset: Preset = "a4", address: str = "") -> str:
    """The view as SVG text, equal for equal views. `address` is where the incident is served, written as text."""
    page = PRESETS[preset]
    inner = page.width / page.scale
    room = inner - 2 * page.margin
    available = page.height / page.scale - 2 * page.margin - _HEAD - _FOOT if page.height else 0
    scene, shrink = _fitted(view, room, available)
    whole = page.height / page.scale if page.height else 2 * page.margin + _HEAD + scene.height * shrink + 16 + _FOOT
    canvas = Canvas(theme)
    canvas.box(Box(0, 0, inner, whole, "panel"))
    _head(canvas, view, page.margin, inner - page.margin)
    canvas.parts.append(
        f'<g transform="translate({number(page.margin)} {number(page.margin + _HEAD)}) scale({number(shrink)})">'
    )
    canvas.scene(scene)
    canvas.parts.append("</g>")
    _foot(canvas, view, (page.margin, inner - page.margin), whole - page.margin - _FOOT, address=address)
    said = f"{captions.described(view)} {captions.subtitle(view)}"
    return document(canvas.parts, inner, whole, scale=page.scale, title=captions.title(view), description=said)


def _fitted(view: IncidentView, room: float, available: float) -> tuple[Scene, float]:
    """The scene in the first sizes that the page has room for, shrunk only when the tightest are still too high."""
    for sizes, rows in _FITS:
        scene = compose(view, width=int(room), rows=rows, sizes=sizes)
        if not available or scene.height <= available:
            return _filled(view, scene, rows, available), 1
    if view.cascade is not None:  # type that can be read goes before it; the file's description has its steps
        return _fitted(replace(view, cascade=None), room, available)
    scene = compose(view, width=int(room * scene.height / available), rows=1, sizes=TIGHT)
    return scene, min(1.0, available / scene.height, room / scene.width)


def _filled(view: IncidentView, scene: Scene, rows: int, available: float) -> Scene:
    """The scene with more rows in those lanes that had to fold, as far as the page has room for them."""
    if rows == _MOST_ROWS:
        return scene
    given: dict[str, int] = dict.fromkeys(LANES, rows)
    wide = int(scene.width)
    whole = compose(view, width=wide, rows=_MOST_ROWS, sizes=scene.sizes)
    folded = [lane for lane in LANES if _high(whole, lane) > _high(scene, lane)]
    for more in range(rows + 1, _MOST_ROWS + 1):
        for lane in folded:
            tried = compose(view, width=wide, rows=given | {lane: more}, sizes=scene.sizes)
            if tried.height <= available:
                scene, given[lane] = tried, more
    return scene


def _high(scene: Scene, lane: str) -> float:
    top, bottom = scene.lanes[lane]
    return bottom - top


def _head(canvas: Canvas, view: IncidentView, left: float, right: float) -> None:
    top = left
    brand_room = width("Barograph", 12, 600) + 50
    title = longest((captions.title(view),), right - left - brand_room, 20, 600)
    canvas.text(Text(left, top + 10, title, "ink", 20, 600))
    _sign(canvas, right, top + 9)
    said = wrap(captions.subtitle(view), right - left, 2, 12)
    for row, words in enumerate(said):
        canvas.text(Text(left, top + 33 + row * 16, words, "ink2", 12))
    y = top + 58 + (10 if len(said) > 1 else 0)
    x = left
    for shape, ink, words in _LEGEND:
        wide = 22 if shape in {"whisker", "hatch"} else 12
        if x + wide + 6 + width(words) > right:
            break
        _sample(canvas, shape, ink, (x, y), wide)
        canvas.text(Text(x + wide + 6, y, words, "ink2"))
        x += wide + 6 + width(words) + 15


def _sign(canvas: Canvas, right: float, y: float) -> None:
    """The product's name with its sign, a pen's line in a frame, ending at `right`."""
    canvas.text(Text(right, y, "Barograph", "ink", 12, 600, "end"))
    left = right - width("Barograph", 12, 600) - 24
    frame = f'x="{number(left)}" y="{number(y - 8)}" width="16" height="16" rx="4"'
    wave = f"M{number(left + 3)} {number(y + 1)}q2.5 -9 5 -1t5 0"
    canvas.parts.append(f'<rect {frame} {canvas.stroke("ink")} stroke-width="1.5"/>')
    canvas.parts.append(f'<path d="{wave}" {canvas.stroke("ink")} stroke-width="1.5" stroke-linecap="round"/>')


def _sample(canvas: Canvas, shape: Shape | str, ink: str, place: tuple[float, float], wide: float) -> None:
    x, y = place
    if shape == "edge":
        canvas.box(Box(x, y - 5, x + wide, y + 5, f"{ink}-tint"))
        canvas.box(Box(x, y - 5, x + 2, y + 5, ink))
    elif shape == "hatch":
        canvas.hatch(Box(x, y - 5, x + wide, y + 5, "gap"))
    elif shape == "whisker":
        canvas.rule(Rule(x, y, x + wide, y, ink, 1.5))
        canvas.rule(Rule(x, y - 4, x, y + 4, ink, 1.5))
        canvas.rule(Rule(x + wide, y - 4, x + wide, y + 4, ink, 1.5))
    else:
        canvas.glyph(Glyph(x + wide / 2, y, shape, ink))  # type: ignore[arg-type]  # the other names are drawn above


def _foot(canvas: Canvas, view: IncidentView, ends: tuple[float, float], top: float, *, address: str) -> None:
    """Three columns under a rule: what was made, the sources, and the incident."""
    left, right = ends
    canvas.rule(Rule(left, top, right, top, "ink", 1.5))
    said = captions.footer(view, address=address, exported=captions.exported_words(view))
    column = (right - left) * 0.36
    for x, (bold, words) in ((left, said.made), (left + column + 20, said.sources)):
        indent = width(bold, 11, 600) + 3
        canvas.text(Text(x, top + 16, bold, "ink", 11, 600))
        lines = _flow(words, column - 20, indent, 3)
        for row, line in enumerate(lines):
            canvas.text(Text(x + (indent if row == 0 else 0), top + 16 + row * 15, line, "ink2"))
    for row, words in enumerate(said.incident):
        bold_weight = 600 if row == 0 else 400
        ink = "ink" if row == 0 else "ink2"
        fitted = longest((words,), (right - left) * 0.28 - 24, 11, bold_weight)
        canvas.text(
            Text(right, top + 16 + row * 15, fitted, ink, 11, bold_weight, "end"), mono=words.startswith("revision")
        )


def _flow(words: str, room: float, indent: float, lines: int) -> list[str]:
    """Text of which the first line begins `indent` further in."""
    parts = words.split()
    count = 0
    while count < len(parts) and width(" ".join(parts[: count + 1])) <= room - indent:
        count += 1
    return [" ".join(parts[:count]), *wrap(" ".join(parts[count:]), room, lines - 1)]
