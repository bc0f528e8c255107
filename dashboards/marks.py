"""What a drawing is made of: marks in pixels, coloured by token, free of any renderer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from dashboards.axis import Tick
from dashboards.typeface import width

Shape = Literal["diamond", "triangle", "circle", "square", "ring", "hollow", "dot", "point", "left", "right"]
Anchor = Literal["start", "middle", "end"]
Extent = tuple[float, float]
Place = tuple[float, float]

SEVERITY_SHAPES: dict[str, Shape] = {
    "critical": "diamond",
    "error": "triangle",
    "warning": "circle",
    "info": "square",
    "unknown": "ring",
}
SHAPE_SIZES: dict[Shape, float] = {
    "diamond": 12,
    "triangle": 10,
    "circle": 8,
    "square": 7,
    "ring": 8,
    "hollow": 8,
    "dot": 5,
    "point": 5,
    "left": 5,
    "right": 5,
}
"""Width of each shape in pixels."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Heights in pixels: rows, their bars, a lane's padding, the least lane, weather, counts, steps; a note's type."""

    row: int = 18
    bar: int = 15
    pad: int = 6
    least: int = 28
    weather: int = 128
    counts: int = 36
    step: int = 17
    note: float = 10.5


USUAL = Sizes()
PRINT = Sizes(note=10.75)
"""Nothing under 8 pt at 96 pixels an inch."""
COMPACT = Sizes(row=16, bar=13, pad=4, least=22, weather=104, counts=30, step=14, note=10.75)
"""For a page that the usual sizes would overflow."""
TIGHT = Sizes(row=15, bar=12, pad=2, least=18, weather=76, counts=18, step=14, note=10.75)
"""For a page that is crowded all over."""


class Box(NamedTuple):
    """A filled rectangle; `tip` is what it says when pointed at, lines parted by line feeds.

    `span` is the stretch of time that it stands for and leads to, where it is a count and no mark.
    """

    left: float
    top: float
    right: float
    bottom: float
    ink: str
    tip: str = ""
    opacity: float = 1.0
    span: tuple[datetime, datetime] | None = None


class Rule(NamedTuple):
    """A straight line that belongs to the background; `fixed` ones stay where they are when the time axis is zoomed."""

    left: float
    top: float
    right: float
    bottom: float
    ink: str
    width: float = 1.0
    dash: str = ""
    fixed: bool = False


class Line(NamedTuple):
    """A run of straight pieces in front of the bars; `tips`, if any, are one per point."""

    points: tuple[Place, ...]
    ink: str
    width: float
    dash: str = ""
    tips: tuple[str, ...] = ()


class Area(NamedTuple):
    """A filled polygon."""

    points: tuple[Place, ...]
    ink: str
    opacity: float


class Glyph(NamedTuple):
    """A small shape centred on its place."""

    x: float
    y: float
    shape: Shape
    ink: str
    tip: str = ""


class Text(NamedTuple):
    """Words whose line is centred on `y`; they stand `shift` pixels from `x`, the instant that they belong to."""

    x: float
    y: float
    words: str
    ink: str
    size: float = 11
    weight: int = 400
    anchor: Anchor = "start"
    shift: float = 0
    fixed: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom as measured."""
        room = width(self.words, self.size, self.weight)
        left = self.x + self.shift - {"start": 0.0, "middle": room / 2, "end": room}[self.anchor]
        return left, self.y - self.size * 0.62, left + room, self.y + self.size * 0.62


@dataclass(frozen=True, slots=True)
class Frame:
    """The time axis in pixels: `left` is `since`, `right` is `until`; `edge` is where knowledge ends.

    `now` is up to where what has no end is known to be on: right of it nothing is, unless it was foretold.
    """

    since: datetime
    until: datetime
    left: float
    right: float
    edge: float
    zone: ZoneInfo
    on_until: InitVar[datetime | None] = None
    seconds_a_pixel: float = field(init=False)
    now: float = field(init=False)

    def __post_init__(self, on_until: datetime | None) -> None:
        seconds = (self.until - self.since).total_seconds()
        object.__setattr__(self, "seconds_a_pixel", seconds / (self.right - self.left))
        object.__setattr__(self, "now", self.edge if on_until is None else min(self.x(on_until), self.edge))

    def x(self, at: datetime) -> float:
        """Where an instant lies, also beyond the ends."""
        return self.left + (at - self.since).total_seconds() / self.seconds_a_pixel

    def places(self, instants: Iterable[datetime]) -> list[float]:
        """Where each of many instants lies."""
        left, since, scale = self.left, self.since, self.seconds_a_pixel
        return [left + (at - since).total_seconds() / scale for at in instants]

    def inside(self, at: datetime) -> float:
        """Where an instant lies, held within the part that is known."""
        return min(max(self.x(at), self.left), self.edge)

    def at(self, x: float) -> datetime:
        """The instant of a place, to the microsecond."""
        return self.since + timedelta(seconds=(x - self.left) * self.seconds_a_pixel)


@dataclass(slots=True)
class Scene:
    """A whole drawing. Lists are drawn in the order of the fields, each list from its first to its last."""

    frame: Frame
    width: float
    gutter: float
    sizes: Sizes = USUAL
    height: float = 0
    top_axis: float = 0
    """Where the words of the upper ticks are centred; the lower ones are at `bottom_axis`."""
    bottom_axis: float = 0
    body: Extent = (0, 0)
    """Top and bottom of the lanes."""
    bands: list[Box] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    gaps: list[Box] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    glyphs: list[Glyph] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    lanes: dict[str, Extent] = field(default_factory=dict)
    """Top and bottom of each lane by name."""
    known_at: float | None = None
    """Where the track of the known-at slider is centred, when there is one."""

    def tick_texts(self) -> Iterator[Text]:
        """The words of both axes, for renderers that have no axis of their own and for measuring."""
        if self.top_axis:
            for tick, words in zip(self.ticks, self.upper_words(), strict=True):
                yield Text(self.frame.x(tick.at), self.top_axis, words, "ink2", anchor="middle")
        for tick in self.ticks:
            x, midnight = self.frame.x(tick.at), tick.level == 2
            ink, weight = ("ink", 600) if midnight else ("ink2", 400)
            yield Text(x, self.bottom_axis, tick.words, ink, weight=weight, anchor="middle")
            if tick.beneath:
                yield Text(x, self.bottom_axis + 14, tick.beneath, "ink2", anchor="middle")

    def upper_words(self) -> list[str]:
        """What the upper axis says at each tick: at a midnight its date, where that keeps clear of the ticks beside."""
        places = [self.frame.x(tick.at) for tick in self.ticks]
        said: list[str] = []
        for number, tick in enumerate(self.ticks):
            beside = [*places[max(number - 1, 0) : number], *places[number + 1 : number + 2]]
            room = min((abs(x - places[number]) for x in beside), default=self.width) - width(tick.words) / 2 - 4
            dated = tick.level == 2 and tick.beneath and width(tick.beneath) / 2 <= room
            said.append(tick.beneath if dated else tick.words)
        return said
