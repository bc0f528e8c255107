"""SVG of our own, mark by mark: escaped text, no script, no style, no reference, equal bytes for equal marks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Literal

from dashboards import palettes
from dashboards.marks import SHAPE_SIZES, Box, Glyph, Place, Rule, Scene, Text
from dashboards.palettes import Ink

Paint = Ink | Literal["page"]
"""A palette with literal colours, or classes that follow the page's theme."""
FACE = "Inter, 'Helvetica Neue', Arial, sans-serif"
MONO = "'IBM Plex Mono', Menlo, Consolas, monospace"
_HATCH = 5
_FAINT = ("sunk",)
"""Rules that letters outshine."""
_LEAST_PIECE = 4
"""Pixels of a rule between two words that are still drawn."""
Measured = tuple[float, float, float, float]
"""Left, top, right and bottom of words."""
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 may not hold."""
_BASELINE = 0.36
"""Where a line's middle lies above its baseline, in em: half of Inter's cap height."""
BANDS = {"impact-band": "critical", "mitigated-band": "error"}
"""Phases that run down behind the lanes, and their ink."""


def number(value: float) -> str:
    """A length with at most two decimals and no idle zeros."""
    text = f"{value:.2f}"
    if text.endswith(".00"):
        return text[:-3] if text != "-0.00" else "0"
    return text.removesuffix("0")


def xml(text: str) -> str:
    """Text for XML 1.0: escaped, without the characters that XML may not hold."""
    return escape(text if text.isprintable() and text.isascii() else _ILLEGAL.sub("", text))


class Canvas:
    """Collects elements; colours are literal in a theme, or classes where the page's style sheet decides."""

    def __init__(self, paint: Paint) -> None:
        self._colours = None if paint == "page" else palettes.PALETTES[paint]
        self._band_opacity = palettes.BANDS["light" if paint == "page" else paint]
        self.parts: list[str] = []

    def fill(self, ink: str) -> str:
        return f'class="f-{ink}"' if self._colours is None else f'fill="{self._colours[ink]}"'

    def stroke(self, ink: str, *, filled: str = "") -> str:
        """Stroke, and a fill of another ink when `filled` names one."""
        if self._colours is None:
            return f'class="s-{ink} f-{filled}"' if filled else f'class="s-{ink}" fill="none"'
        return f'stroke="{self._colours[ink]}" fill="{self._colours[filled] if filled else "none"}"'

    def box(self, box: Box) -> None:
        ink, opacity = (BANDS[box.ink], self._band_opacity) if box.ink in BANDS else (box.ink, box.opacity)
        faint = f' fill-opacity="{number(opacity)}"' if opacity < 1 else ""
        self._add("rect", f"{_rectangle(box.left, box.top, box.right, box.bottom)} {self.fill(ink)}{faint}", box.tip)

    def rule(self, rule: Rule) -> None:
        ends = f'x1="{number(rule.left)}" y1="{number(rule.top)}" x2="{number(rule.right)}" y2="{number(rule.bottom)}"'
        self._add("line", f"{ends} {self.stroke(rule.ink)}{_pen(rule.width, rule.dash)}")

    def path(self, points: Sequence[Place], ink: str, wide: float, dash: str = "") -> None:
        self._add(
            "polyline", f'points="{_points(points)}" {self.stroke(ink)}{_pen(wide, dash)} stroke-linejoin="round"'
        )

    def polygon(self, points: Sequence[Place], ink: str, opacity: float = 1) -> None:
        faint = f' fill-opacity="{number(opacity)}"' if opacity < 1 else ""
        self._add("polygon", f'points="{_points(points)}" {self.fill(ink)}{faint}')

    def hatch(self, box: Box) -> None:
        """45° lines with an outline, cut by computation: a pattern would need a reference."""
        left, top, right, bottom = box[:4]
        strokes = []
        start = left - (bottom - top) + _HATCH
        while start < right:
            x0, x1 = max(start, left), min(start + bottom - top, right)
            strokes.append(f"M{number(x0)} {number(bottom - x0 + start)}L{number(x1)} {number(bottom - x1 + start)}")
            start += _HATCH
        self._add("path", f'd="{"".join(strokes)}" {self.stroke("gap")} stroke-width="1"')
        outline = _rectangle(left + 0.5, top + 0.5, max(right - 0.5, left + 1), bottom - 0.5)
        self._add("rect", f'{outline} {self.stroke("gap")} stroke-width="1" pointer-events="all"', box.tip)

    def glyph(self, glyph: Glyph) -> None:
        x, y, shape, tip = glyph.x, glyph.y, glyph.shape, glyph.tip
        half = SHAPE_SIZES[shape] / 2
        if shape in {"ring", "dot"}:
            place = f'cx="{number(x)}" cy="{number(y)}" r="{number(half - 0.5)}"'
            self._add("circle", f"{place} {self.stroke(glyph.ink, filled='panel')}{_pen(1.5)}", tip)
        elif shape == "hollow":
            place = (
                f'x="{number(x - half)}" y="{number(y - half)}" width="{number(2 * half)}" height="{number(2 * half)}"'
            )
            self._add("rect", f"{place} {self.stroke(glyph.ink, filled='panel')}{_pen(1.75)}", tip)
        elif shape in {"circle", "point"}:
            place = f'cx="{number(x)}" cy="{number(y)}" r="{number(half)}"'
            self._add("circle", f"{place} {self._solid(glyph.ink, shape)}", tip)
        else:
            corners = [(x + dx * half, y + dy * half) for dx, dy in _CORNERS[shape]]
            self._add("polygon", f'points="{_points(corners)}" {self._solid(glyph.ink, shape)}', tip)

    def _solid(self, ink: str, shape: str) -> str:
        """Filled, with an outline in the panel's colour that keeps neighbours apart."""
        if shape in {"left", "right"}:
            return self.fill(ink)
        return f'{self.stroke("panel", filled=ink)} stroke-width="1" paint-order="stroke"'

    def text(self, text: Text, *, mono: bool = False) -> None:
        place = f'x="{number(text.x + text.shift)}" y="{number(text.y + text.size * _BASELINE)}"'
        look = f'font-size="{number(text.size)}"'
        if text.weight != 400:
            look += f' font-weight="{text.weight}"'
        if text.anchor != "start":
            look += f' text-anchor="{text.anchor}"'
        if mono:
            look += f' font-family="{MONO}"'
        self.parts.append(f"<text {place} {look} {self.fill(text.ink)}>{xml(text.words)}</text>")

    def scene(self, scene: Scene) -> None:
        """All marks of a scene, from the back to the front."""
        for box in scene.bands:
            self.box(box)
        words = [text.box for text in scene.texts]
        for rule in scene.rules:
            for piece in interrupted(rule, words):
                self.rule(piece)
        for box in scene.boxes:
            self.box(box)
        for gap in scene.gaps:
            self.hatch(gap)
        for area in scene.areas:
            self.polygon(area.points, area.ink, area.opacity)
        for line in scene.lines:
            self.path(line.points, line.ink, line.width, line.dash)
        for glyph in scene.glyphs:
            self.glyph(glyph)
        self.texts(scene.texts)
        self.texts(scene.tick_texts())

    def texts(self, texts: Iterable[Text]) -> None:
        for text in texts:
            self.text(text)

    def _add(self, name: str, attributes: str, tip: str = "") -> None:
        inner = f"><title>{xml(tip)}</title></{name}>" if tip else "/>"
        self.parts.append(f"<{name} {attributes}{inner}")


def interrupted(rule: Rule, boxes: Iterable[Measured]) -> Iterator[Rule]:
    """The pieces of an upright rule between the words that stand on it: a stroke through letters reads as one of them.

    The faintest rules and those that lie flat stay whole.
    """
    x = rule.left
    if x != rule.right or rule.ink in _FAINT:
        yield rule
        return
    crossed = ((top + 1, bottom - 1) for left, top, right, bottom in boxes if left - 1 < x < right + 1)
    start = rule.top
    for top, bottom in sorted(crossed):
        if bottom > start and top < rule.bottom:
            if top - start >= _LEAST_PIECE:
                yield rule._replace(top=start, bottom=top)
            start = bottom
    if start == rule.top or rule.bottom - start >= _LEAST_PIECE:
        yield rule._replace(top=start)


_CORNERS: dict[str, tuple[Place, ...]] = {
    "diamond": ((0, -1), (1, 0), (0, 1), (-1, 0)),
    "triangle": ((0, -0.9), (1, 0.75), (-1, 0.75)),
    "square": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "left": ((-1, 0), (0.8, -1), (0.8, 1)),
    "right": ((1, 0), (-0.8, -1), (-0.8, 1)),
}


def _rectangle(left: float, top: float, right: float, bottom: float) -> str:
    return f'x="{number(left)}" y="{number(top)}" width="{number(right - left)}" height="{number(bottom - top)}"'


def _points(points: Sequence[Place]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _pen(wide: float, dash: str = "") -> str:
    return f' stroke-width="{number(wide)}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def document(parts: Sequence[str], wide: float, high: float, *, scale: float, title: str, description: str) -> str:
    """A whole SVG file around its elements, drawn at `scale`."""
    size = f'width="{number(wide * scale)}" height="{number(high * scale)}" viewBox="0 0 {number(wide)} {number(high)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FACE}">'
    return "\n".join([head, f"<title>{xml(title)}</title>", f"<desc>{xml(description)}</desc>", *parts, "</svg>\n"])


def inline(parts: Sequence[str], wide: float, high: float, *, title: str, description: str) -> str:
    """A drawing for a page: it says what it shows to those who cannot see it, and pops up no title of its own."""
    size = f'width="{number(wide)}" height="{number(high)}" viewBox="0 0 {number(wide)} {number(high)}"'
    label = f'role="img" aria-label="{xml(f"{title}. {description}")}" font-family="{FACE}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>', *parts, "</svg>"])
