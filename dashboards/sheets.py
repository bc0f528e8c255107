"""A card of the review, or the map, as a drawing that stands alone: its question, its answer, what it rests on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dashboards import footer, maps
from dashboards.axis import MINUS
from dashboards.canvas import Canvas, document, number
from dashboards.captions import Footer
from dashboards.marks import Box, Rule, Text
from dashboards.palettes import PALETTES, Ink
from dashboards.plates import WIDE, Card
from dashboards.svg import PRESETS, Preset, draw_sign
from dashboards.typeface import longest, width, wrap
from dashboards.words import count, plain
from incidents.model import Incident, Occurrence, Site

_CLASSES = re.compile(r' class="([a-z0-9 -]+)"')
_ROOT = re.compile(r'<svg [^>]*? viewBox="0 0 ([0-9.]+) ([0-9.]+)"[^>]*>')
_ROW = 18
_TOP, _LINE, _BENEATH, _LEAST_FOOT = 26, 16, 14, 54


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The words around a card: of which window and record it speaks, and its footer."""

    lines: tuple[str, ...]
    footer: Footer


def map_of(sites: Sequence[Site], hazards: Sequence[Occurrence], incidents: Sequence[Incident]) -> Card:
    """The world map in its largest size, with the list of sites that its names stand for."""
    plate = maps.compose_map(sites, hazards, incidents, wide=WIDE)
    zoned = len(hazards) - sum(map(maps.has_place, hazards))
    hidden = len(sites) - len(plate.said)
    notes = ["Hazards in force in violet."] if len(hazards) > zoned else []
    notes += [f"{count(zoned, 'hazard')} without an outline, known by zone alone."] if zoned else []
    notes += [f"{hidden} of the names found no room on the map."] if hidden else []
    going = {name: each.title for each in reversed(incidents) for name in each.sites}
    rows = tuple(
        (
            plain(site.title, 60),
            f"{site.latitude:.2f}, {site.longitude:.2f}".replace("-", MINUS),
            site.timezone,
            plain(going.get(site.name, "none"), 80),
        )
        for site in sites
    )
    columns = ("Site", "Latitude, longitude", "Time zone", "Open incident")
    drawing = plate.svg("World map", maps.described(sites, hazards, incidents))
    return Card("map", "Where we run", "", (("wide", drawing),), columns, rows, foot=" ".join(notes))


def painted(drawing: str, ink: Ink) -> str:
    """A drawing for a page with the palette's colours in place of the classes that follow the page's theme.

    A stranger's words hold no quotation mark that is not escaped, so nothing in them is taken for a class.
    """
    colours = PALETTES[ink]

    def literal(found: re.Match[str]) -> str:
        sides = {"f": "fill", "s": "stroke"}
        return "".join(f' {sides[name[0]]}="{colours[name[2:]]}"' for name in found[1].split())

    return _CLASSES.sub(literal, drawing)


def card_svg(card: Card, said: Surroundings, *, ink: Ink = "light", preset: Preset = "a4") -> str:
    """The card on a page of its own as SVG text, equal for equal cards; one without a drawing says why."""
    page = PRESETS[preset]
    inner = page.width / page.scale
    left, right = page.margin, inner - page.margin
    room = right - left
    foot = footer.lay_out(said.footer, left, right)
    below = max(foot.height, _LEAST_FOOT)
    above = [line for words in (card.note, *said.lines) for line in wrap(words, room, 3, 12)]
    under = wrap(card.foot or card.empty, room, 3, 12)
    head = _TOP + _LINE * len(above) + _BENEATH
    drawing, wide, high = _drawing(card)
    most = page.height / page.scale - 2 * left - head - below - _BENEATH - _LINE * len(under) if page.height else 0
    shrink = min(room / wide, most / high) if most and high else min(1, room / wide)
    shrink = min(shrink, 1.5)
    whole = page.height / page.scale or 2 * left + head + high * shrink + _BENEATH + _LINE * len(under) + below + 12
    canvas = Canvas(ink)
    canvas.box(Box(0, 0, inner, whole, "panel"))
    canvas.text(Text(left, left + 10, longest((card.question,), room - 120, 20, 600), "ink", 20, 600))
    draw_sign(canvas, right, left + 9)
    for row, words in enumerate(above):
        canvas.text(Text(left, left + 33 + row * _LINE, words, "ink2", 12))
    canvas.parts.append(
        _placed(painted(drawing, ink), (wide, high), left + (room - wide * shrink) / 2, left + head, shrink)
    )
    for row, words in enumerate(under):
        canvas.text(Text(left, left + head + high * shrink + _BENEATH + row * _LINE, words, "ink2", 12))
    if page.height:
        _draw_table(
            canvas,
            card,
            (left, right),
            left + head + high * shrink + 2 * _BENEATH + _LINE * len(under),
            whole - left - below - 8,
        )
    footer.draw(canvas, foot, whole - left - below)
    return document(
        canvas.parts, inner, whole, scale=page.scale, title=card.question, description=_at_length(card, said)
    )


def _placed(drawing: str, size: tuple[float, float], x: float, y: float, shrink: float) -> str:
    """The drawing in a view of its own, which cuts what runs over its edges as a page does."""
    wide, high = size
    place = f'x="{number(x)}" y="{number(y)}" width="{number(wide * shrink)}" height="{number(high * shrink)}"'
    return f'<svg {place} viewBox="0 0 {number(wide)} {number(high)}" overflow="hidden">{drawing}</svg>'


def _draw_table(canvas: Canvas, card: Card, ends: tuple[float, float], top: float, bottom: float) -> None:
    """As many rows of the card's table as fit between two heights; how many more there are is told."""
    fitting = int((bottom - top) // _ROW) - 1
    if fitting < 3 or not card.rows:
        return
    rows = [[cell_text(cell) for cell in row] for row in card.rows]
    shown = rows if len(rows) <= fitting else rows[: fitting - 1]
    left, right = ends
    wide = _widths([list(card.columns), *shown], right - left)
    for number_, row in enumerate([list(card.columns), *shown]):
        y, x = top + (number_ + 0.5) * _ROW, left
        for cell, column in zip(row, wide, strict=True):
            canvas.text(
                Text(
                    x,
                    y,
                    longest((cell,), column - 12, 11, 600 if number_ == 0 else 400),
                    "ink2",
                    weight=600 if number_ == 0 else 400,
                )
            )
            x += column
        canvas.rule(Rule(left, y + _ROW / 2, min(x, right), y + _ROW / 2, "line"))
    if len(rows) > len(shown):
        more = f"{len(rows) - len(shown)} more rows are in the review and in the file's description."
        canvas.text(Text(left, top + (len(shown) + 1.5) * _ROW, more, "ink2"))


def _widths(rows: Sequence[Sequence[str]], room: float) -> list[float]:
    """As wide as each column needs; all of them narrower alike where they need more than there is."""
    needs = [max(width(row[n], 11, 600) for row in rows) + 16 for n in range(len(rows[0]))]
    return [need * min(1, room / sum(needs)) for need in needs]


def _drawing(card: Card) -> tuple[str, float, float]:
    """The elements of the card's largest drawing, its width and its height."""
    if not card.drawings:
        return "", 1, 0
    svg = card.drawings[0][1]
    root = _ROOT.match(svg)
    assert root is not None
    return svg[root.end() :].removesuffix("</svg>").strip(), float(root[1]), float(root[2])


def _at_length(card: Card, said: Surroundings) -> str:
    """What the drawing says in words: its notes, and its table as far as forty rows."""
    named = (zip(card.columns, row, strict=True) for row in card.rows)
    rows = ["; ".join(f"{name}: {cell_text(cell)}" for name, cell in row) for row in named]
    more = [f"{len(rows) - 40} more rows"] if len(rows) > 40 else []
    parts: Sequence[str] = (card.note, card.foot or card.empty, *said.lines, *rows[:40], *more)
    return " ".join(f"{part.rstrip('.')}." for part in (*parts, " ".join(said.footer.sources)) if part)


def size_of(drawing: str) -> tuple[float, float]:
    """Width and height of a drawing for a page, in pixels."""
    root = _ROOT.match(drawing)
    assert root is not None
    return float(root[1]), float(root[2])


def cell_text(cell: str | tuple[str, str]) -> str:
    return cell if isinstance(cell, str) else cell[0]
