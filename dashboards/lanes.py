"""A lane of bars: gaps and words first, then as many bars as have room, the rest as stacked counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dashboards import counts as counting
from dashboards import gaps as gapping
from dashboards.gaps import Hatch
from dashboards.items import Item, lengthened, tip_of
from dashboards.lane_items import LaneItems
from dashboards.marks import Box, Extent, Frame, Glyph, Line, Scene, Sizes, Text
from dashboards.packing import APART, TRIED, Row, by_rank, first_fit, in_order
from dashboards.typeface import clean, width
from incidents.views.view import Density, Gap


@dataclass(slots=True)
class Packed:
    """A lane ready to be drawn, in any sizes."""

    gaps: list[Hatch]
    rows: list[list[Item]]
    counts: counting.Counts | None
    silence: str = ""
    silence_x: float = 0
    silence_row: int = 0

    def height(self, sizes: Sizes) -> float:
        tall: float = len(self.rows) * sizes.row - (sizes.row - sizes.bar) if self.rows else 0
        if self.counts is not None:
            tall += counting.height(self.counts, sizes) + (sizes.row - sizes.bar if self.rows else 0)
        return max(sizes.least, tall + 2 * sizes.pad)


class Packing:
    """One lane over one frame, packed for as many rows as are asked for; what was packed once is kept."""

    def __init__(
        self, items: LaneItems, gaps: Sequence[Gap], frame: Frame, *, kind: str, silence: str,
        density: Density | None = None, by_service: bool = False, feeds: Collection[str] = (),
        insists: bool = False, standing: int = 0, lengthens: bool = False,
    ) -> None:  # fmt: skip
        """`feeds` are those that would tell of the lane, of which the gaps are some.

        With `insists`, `silence` has a row of its own beside gaps that say whose they are. `standing` are those that
        were on from before the window and are not among the items. With `lengthens`, words that were cut are longer
        where their row has room: on paper nobody can point at them.
        """
        self.items, self.frame, self.kind, self.density = items, frame, kind, density
        self.gaps = gapping.merge(gaps, frame, feeds)
        self._silence, self._insists = silence, insists
        self._by_service, self._standing, self._lengthens = by_service, standing, lengthens
        self._packed: dict[int, Packed] = {}

    def pack(self, most: int) -> Packed:
        """Chooses at most so many rows; those that find none are counted in stacked bars instead."""
        if most not in self._packed:
            self._packed[most] = self._pack(most)
        return self._packed[most]

    def _pack(self, most: int) -> Packed:
        items = self.items
        chosen: tuple[list[Row], Mapping[int, int]] | None = None
        if self.density is None and not self._standing and len(items) <= TRIED:
            chosen = _rows_for_all(items.all(), self.gaps, most, by_service=self._by_service)
        counts = None
        if chosen is None:
            rows = _rows_with(self.gaps)
            chosen = rows, by_rank(items, rows, max(1, most - 1))
            counts = counting.count(
                items.begun, self.density, self.frame,
                kind=self.kind, left_out=len(items) - len(chosen[1]), standing=self._standing,
            )  # fmt: skip
        rows, found = chosen
        placed: list[list[Item]] = [[] for _ in rows]
        for number in sorted(found):
            placed[found[number]].append(items.item(number))
        _spill(items.spilled, placed, rows, most if counts is None else most - 1)
        if self._lengthens:
            taken = gapping.extents(self.gaps)
            placed = [_lengthened(row, [] if number else taken, self.frame.edge) for number, row in enumerate(placed)]
        packed = Packed(self.gaps, _in_order(placed, keep=1 if self.gaps else 0), counts)
        if not len(items) and counts is None and self._silence:
            _say_silence(packed, rows, clean(self._silence, 80), self.frame, insists=self._insists)
        return packed


def _rows_for_all(
    items: Sequence[Item], gaps: Sequence[Hatch], most: int, *, by_service: bool
) -> tuple[list[Row], Mapping[int, int]] | None:
    """Rows that hold every item, one service a row where that is possible; None when there are too many."""
    if by_service:
        rows = _rows_with(gaps)
        found = _rows_by_service(items, rows, most)
        if found is not None:
            return rows, found
    rows = _rows_with(gaps)
    starts = in_order([item.extent for item in items], _from_left(items), rows, most)
    return None if starts is None else (rows, dict(enumerate(starts)))


def draw(scene: Scene, packed: Packed, top: float) -> None:
    """Draws a packed lane from `top` on."""
    sizes = scene.sizes
    y = top + sizes.pad
    gapping.draw(scene, packed.gaps, y)
    for number, row in enumerate(packed.rows):
        for item in row:
            draw_item(scene, item, y + number * sizes.row + sizes.bar / 2)
    if packed.silence:
        middle = y + packed.silence_row * sizes.row + sizes.bar / 2
        scene.texts.append(Text(packed.silence_x, middle, packed.silence, "ink3"))
    if packed.counts is not None:
        bottom = top + packed.height(sizes) - sizes.pad
        counting.draw(scene, packed.counts, bottom - counting.height(packed.counts, sizes), bottom)


def draw_item(scene: Scene, item: Item, y: float) -> None:
    """Draws one item centred on `y`."""
    top, bottom = y - scene.sizes.bar / 2, y + scene.sizes.bar / 2
    if not item.tip and item.bar:
        item.tip = tip_of(item.bar, scene.frame.zone)
    tip = item.tip
    if item.tint:
        scene.boxes.append(Box(item.x, top, max(item.end, item.x + 1), bottom, item.tint, tip))
    if item.tint and item.shape is None and not item.begins_before:
        scene.lines.append(Line(((item.x + 1, top), (item.x + 1, bottom)), item.ink, 2))
    if item.begins_before:
        scene.glyphs.append(Glyph(item.x + 8, y, "left", "ink"))
    elif item.shape is not None:
        scene.glyphs.append(Glyph(item.x, y, item.shape, _glyph_ink(item), tip))
    _draw_whisker(scene, item, y)
    if item.late_x is not None:
        scene.lines.append(Line(((item.x + 5, y), (max(item.late_x, item.x + 5), y)), item.ink, 1, "2,2"))
        scene.lines.append(Line(((item.late_x, y - 5), (item.late_x, y + 5)), item.ink, 1))
    for note in item.posts:
        scene.glyphs.append(Glyph(note.x, y, "ring", "ink2", note.tip))
        if note.words:
            scene.texts.append(Text(note.x, y, note.words, "ink", shift=8))
    if item.label:
        mark = item.reach if item.late_x is not None and item.anchor == "start" else item.x
        scene.texts.append(Text(mark, y, item.label, item.label_ink, anchor=item.anchor, shift=item.label_x - mark))
    if item.tail:
        scene.texts.append(Text(item.end, y, item.tail, "ink2", anchor="end", shift=-13))
    # What is not known yet has no mark in it: there the line itself ends what is too short for an arrow.
    if item.goes_on and (item.arrow_x <= item.end or scene.frame.edge >= scene.frame.right):
        scene.glyphs.append(Glyph(item.arrow_x, y, "right", "ink2"))


def _glyph_ink(item: Item) -> str:
    return "ink3" if item.ink == "unknown" else item.ink


def _draw_whisker(scene: Scene, item: Item, y: float) -> None:
    if item.vague is not None:
        beneath = y + max(scene.sizes.bar / 2, 7)
        scene.lines.append(Line(((item.vague[0], beneath), (item.vague[1], beneath)), item.ink, 1.5, "2,3"))
    if item.whisker is None:
        return
    first, last = item.whisker
    scene.lines.append(Line(((first, y), (last, y)), item.ink, 1.5))
    if item.capped:
        # The ends of the window are no ends of the span.
        for x in (x for x in (first, last) if scene.frame.left < x < scene.frame.edge):
            scene.lines.append(Line(((x, y - 5), (x, y + 5)), item.ink, 1.5))


def _rows_with(gaps: Sequence[Hatch]) -> list[Row]:
    """The first row with the gaps in it, each with its words where they have room; no row without gaps."""
    if not gaps:
        return []
    row = Row()
    for extent in gapping.extents(gaps):
        row.take(extent)
    return [row]


def _rows_by_service(items: Sequence[Item], rows: list[Row], most: int) -> dict[int, int] | None:
    """Rows such that each holds one service alone; None when that takes too many."""
    found: dict[int, int] = {}
    begun = len(rows)
    services = dict.fromkeys(items[index].service for index in _from_left(items))
    if len(services) + begun > most:
        return None
    for service in services:
        indexes = [index for index, item in enumerate(items) if item.service == service]
        own: list[Row] = []
        alike = [items[index] for index in indexes]
        chosen = in_order([item.extent for item in alike], _from_left(alike), own, most - len(rows))
        if chosen is None:
            return None
        for index, row in zip(indexes, chosen, strict=True):
            found[index] = len(rows) + row
        rows += own
    return found


def _from_left(items: Sequence[Item]) -> list[int]:
    return sorted(range(len(items)), key=lambda index: items[index].x)


def _spill(spilled: Sequence[Item], placed: list[list[Item]], rows: list[Row], most: int) -> None:
    for item in spilled:
        row = first_fit(item.extent, rows, max(most, len(rows)))
        if row is not None:
            if row == len(placed):
                placed.append([])
            placed[row].append(item)


def _lengthened(row: Sequence[Item], taken: Sequence[Extent], edge: float) -> list[Item]:
    """A row with as much of its words as it has room for between what it holds; `taken` is held by others."""
    begun = sorted([item.extent[0] for item in row] + [left for left, _ in taken])
    limits = [next((left for left in begun if left > item.extent[0]), edge + APART) - APART for item in row]
    return [lengthened(item, limit) for item, limit in zip(row, limits, strict=True)]


def _in_order(placed: list[list[Item]], *, keep: int) -> list[list[Item]]:
    """Rows by what begins first, below the row of the gaps."""
    return placed[:keep] + sorted(placed[keep:], key=lambda row: min((item.x for item in row), default=0))


def _say_silence(packed: Packed, rows: list[Row], words: str, frame: Frame, *, insists: bool) -> None:
    left = frame.left + 8
    room = frame.edge - left - 2
    if width(words) > room:
        words = clean(words, max(8, int(room / 7)))
    extent = (left, left + width(words))
    # A gap that says whose it is has told what there is to tell.
    told = not insists and any(gap.words for gap in packed.gaps)
    row = first_fit(extent, rows, len(rows) + (0 if told else 1))
    if row is None:
        return
    while len(packed.rows) < len(rows):
        packed.rows.append([])
    packed.silence, packed.silence_x, packed.silence_row = words, left, row
