"""An incident as a standalone SVG: title, range, legend, figure and footer on a page of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from dashboards import captions, footer, legend
from dashboards.canvas import Canvas, document, number
from dashboards.marks import COMPACT, PRINT, TIGHT, Box, Scene, Text
from dashboards.palettes import Ink
from dashboards.phone import phone_svg
from dashboards.scene import LANES, Layout, compose
from dashboards.typeface import longest, width, wrap
from incidents.model import Lane
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
_LINE = 16
_LEAST_FOOT = 54


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the figure: the caption's lines and the legend's rows."""

    title: str
    lines: tuple[str, ...]
    legend: tuple[tuple[legend.Sample, ...], ...]

    @property
    def height(self) -> float:
        """From the top margin to where the figure begins."""
        return 26 + _LINE * len(self.lines) + 8 + legend.ROW * len(self.legend) + 4


def incident_svg(view: IncidentView, *, theme: Ink = "light", preset: Preset = "a4", address: str = "") -> str:
    """The view as SVG text, equal for equal views. `address` is where the incident is served, written as text."""
    page = PRESETS[preset]
    inner = page.width / page.scale
    left, right = page.margin, inner - page.margin
    foot = footer.lay_out(captions.footer(view, address=address, exported=captions.exported_words(view)), left, right)
    below = max(foot.height, _LEAST_FOOT)
    head, scene, shrink = _composed(view, page, right - left, below)
    whole = page.height / page.scale if page.height else 2 * left + head.height + scene.height * shrink + 16 + below
    canvas = Canvas(theme)
    canvas.box(Box(0, 0, inner, whole, "panel"))
    _draw_head(canvas, head, left, right)
    canvas.parts.append(
        f'<g transform="translate({number(left)} {number(left + head.height)}) scale({number(shrink)})">'
    )
    canvas.scene(scene)
    canvas.parts.append("</g>")
    footer.draw(canvas, foot, whole - left - below)
    said = captions.at_length(view)
    return document(canvas.parts, inner, whole, scale=page.scale, title=captions.title(view), description=said)


def _composed(view: IncidentView, page: Page, room: float, below: float) -> tuple[Head, Scene, float]:
    """Head and scene; a cascade that finds no room is left out, and the caption says so."""
    layout = Layout(view, int(room), on_paper=True)
    found = _laid_out(layout, page, room, below)
    if view.cascade is None or "cascade" in found[1].lanes:
        return found
    # The words take room themselves, so that all is laid out anew.
    told = f"Left out for want of room: the cascade ({len(view.cascade.steps)} steps, told in the file's description)"
    return _laid_out(layout, page, room, below, told)


def _laid_out(layout: Layout, page: Page, room: float, below: float, left_out: str = "") -> tuple[Head, Scene, float]:
    """What the legend holds is known from the scene, and the scene's room from the legend's rows.

    With `left_out`, which says so, the cascade is left out.
    """
    view = layout.view
    head = Head(
        longest((captions.title(view),), room - width("Barograph", 12, 600) - 50, 20, 600),
        (*wrap(captions.subtitle(view), room, 2, 12), *wrap(captions.reading(view, left_out), room, 2, 12)),
        (),
    )
    for rows in (1, 2, 3):
        head = replace(head, legend=((),) * rows)
        available = page.height / page.scale - 2 * page.margin - head.height - below - 6 if page.height else 0
        scene, shrink = _fitted(layout, room, available, cascade=not left_out)
        found = legend.rows_of(legend.samples(view, scene), room)
        if len(found) <= rows:
            break
    return replace(head, legend=tuple(map(tuple, found))), scene, shrink


def _fitted(layout: Layout, room: float, available: float, *, cascade: bool = True) -> tuple[Scene, float]:
    """The scene in the first sizes that the page has room for, shrunk only when the tightest are still too high."""
    least = 0.0
    for sizes, rows in _FITS:
        if available and sizes == COMPACT and least - len(LANES) * COMPACT.row * (_MOST_ROWS - rows) > available:
            continue
        scene = layout.scene(rows=rows, sizes=sizes, cascade=cascade)
        if not available or scene.height <= available:
            return _filled(layout, scene, rows, available, cascade=cascade), 1
        least = scene.height if (sizes, rows) == (COMPACT, _MOST_ROWS) else least
    if cascade and layout.view.cascade is not None:
        # Type that can be read goes before it; the file's description has its steps.
        return _fitted(layout, room, available, cascade=False)
    view = layout.view if cascade else replace(layout.view, cascade=None)
    scene = compose(view, width=int(room * scene.height / available), rows=1, sizes=TIGHT)
    return scene, min(1.0, available / scene.height, room / scene.width)


def _filled(layout: Layout, scene: Scene, rows: int, available: float, *, cascade: bool) -> Scene:
    """The scene with more rows in those lanes that had to fold, as far as the page has room for them."""
    if rows == _MOST_ROWS:
        return scene
    whole = layout.scene(rows=_MOST_ROWS, sizes=scene.sizes, cascade=cascade)
    steps = {lane: (_high(whole, lane) - _high(scene, lane)) / (_MOST_ROWS - rows) for lane in LANES}
    for given in _grants(steps, rows, available - scene.height):
        tried = layout.scene(rows=given, sizes=scene.sizes, cascade=cascade)
        if tried.height <= available:
            return tried
    return scene


def _grants(steps: Mapping[Lane, float], rows: int, free: float) -> list[Mapping[str, int]]:
    """Rows of each lane that should fit, the most generous first: laying thousands of marks out anew takes its time.

    A lane grows by its step with each row, but for the row with which nothing is left to be counted; so there are
    two more tries, each with the last row taken back.
    """
    given: dict[str, int] = dict.fromkeys(steps, rows)
    tries: list[Mapping[str, int]] = []
    for more in range(rows + 1, _MOST_ROWS + 1):
        for lane, step in steps.items():
            if 0 < step <= free:
                free -= step
                given = given | {lane: more}
                tries.append(given)
    return tries[:-4:-1]


def _high(scene: Scene, lane: str) -> float:
    top, bottom = scene.lanes[lane]
    return bottom - top


def _draw_head(canvas: Canvas, head: Head, left: float, right: float) -> None:
    top = left
    canvas.text(Text(left, top + 10, head.title, "ink", 20, 600))
    draw_sign(canvas, right, top + 9)
    for row, words in enumerate(head.lines):
        canvas.text(Text(left, top + 33 + row * _LINE, words, "ink2", 12))
    legend.draw(canvas, head.legend, left, top + 26 + _LINE * len(head.lines) + 13)


def draw_sign(canvas: Canvas, right: float, y: float) -> None:
    """The product's name with its sign, a pen's line in a frame, ending at `right`."""
    canvas.text(Text(right, y, "Barograph", "ink", 12, 600, "end"))
    left = right - width("Barograph", 12, 600) - 24
    frame = f'x="{number(left)}" y="{number(y - 8)}" width="16" height="16" rx="4"'
    wave = f"M{number(left + 3)} {number(y + 1)}q2.5 -9 5 -1t5 0"
    canvas.parts.append(f'<rect {frame} {canvas.stroke("ink")} stroke-width="1.5"/>')
    canvas.parts.append(f'<path d="{wave}" {canvas.stroke("ink")} stroke-width="1.5" stroke-linecap="round"/>')
