"""A plate: a small drawing of our own for a page, and a card that holds it with its question and its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from dashboards.canvas import Canvas, inline
from dashboards.marks import Text
from dashboards.typeface import longest, width

WIDE, MEDIUM, NARROW = 1360, 656, 326
"""What a card's whole width, half of it and a phone hold."""
T = TypeVar("T")
Cells = tuple[str | tuple[str, str], ...]
"""One row of a card's table. Cells that hold an incident are pairs of its text and its address."""
_ROUND = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
_ROUND_WORDS = ("1 s", "5 s", "15 s", "1 min", "5 min", "15 min", "1 h", "4 h", "1 d", "7 d", "30 d", "1 y")


TOLD = 100
"""Up to so many marks each says what it is when pointed at: of more, tips would be most of the page."""


class Plate(Canvas):
    """A canvas in the page's colours that remembers its texts, so that tests can measure them."""

    def __init__(self, wide: float, high: float = 0) -> None:
        super().__init__("page")
        self.wide, self.high = wide, high
        self.said: list[Text] = []

    def text(self, text: Text, *, mono: bool = False) -> None:
        self.said.append(text)
        super().text(text, mono=mono)

    def say(self, text: Text) -> bool:
        """Write the text where it stays inside and clear of every other one; whether it did."""
        if not self.is_free(text.box):
            return False
        self.text(text)
        return True

    def is_free(self, box: tuple[float, float, float, float]) -> bool:
        """Whether a box lies inside the plate and clear of every text."""
        left, top, right, bottom = box
        if left < 0 or right > self.wide or top < 0 or (self.high and bottom > self.high):
            return False
        return all(
            right + 3 <= there[0] or there[2] + 3 <= left or bottom <= there[1] or there[3] <= top
            for there in (text.box for text in self.said)
        )

    def svg(self, title: str, description: str) -> str:
        """The drawing for a page."""
        return inline(self.parts, self.wide, self.high, title=title, description=description)


class Rows(Sequence[Cells]):
    """The rows of a table, each written when it is asked for: of thousands a page shows the first hundred."""

    def __init__(self, of: Sequence[T], cells: Callable[[T], Cells]) -> None:
        self._of: Sequence[T] = of
        self._cells = cells

    def __len__(self) -> int:
        return len(self._of)

    @overload
    def __getitem__(self, place: int) -> Cells: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Cells, ...]: ...
    def __getitem__(self, place: int | slice) -> Cells | tuple[Cells, ...]:
        if isinstance(place, slice):
            return tuple(self._cells(one) for one in self._of[place])
        return self._cells(self._of[place])


@dataclass(frozen=True, slots=True)
class Card:
    """A question, what its answer rests on, the answer drawn for several widths, and the same as a table.

    `drawings` are pairs of a width's name (wide, medium, narrow) and SVG of our own. A card without any says
    `empty`.
    """

    name: str
    question: str
    note: str
    drawings: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    rows: Sequence[Cells] = ()
    empty: str = ""
    foot: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    """What is to be said of the drawing of one width alone, by that width's name."""
    is_whole: bool = False
    """Takes the page's whole width."""
    table_only: bool = False


@dataclass(frozen=True, slots=True)
class LogScale:
    """Lengths in seconds on a log scale between two pixels."""

    least: float
    most: float
    low: float
    high: float

    def at(self, seconds: float) -> float:
        """Where a length lies; shorter than the least is at the least."""
        return self.places((seconds,))[0]

    def places(self, lengths: Iterable[float]) -> list[float]:
        """Where each of many lengths lies."""
        least, most, low = self.least, self.most, self.low
        span, room = math.log(most / least), self.high - low
        return [low + math.log(min(max(one, least), most) / least) / span * room for one in lengths]

    def ticks(self, apart: float = 38) -> list[tuple[float, str]]:
        """Round lengths and their words, so far apart that they cannot touch."""
        found: list[tuple[float, str]] = []
        for seconds, said in zip(_ROUND, _ROUND_WORDS, strict=True):
            if self.least <= seconds <= self.most:
                place = self.at(seconds)
                if not found or abs(place - found[-1][0]) >= apart:
                    found.append((place, said))
        return found


def log_scale(seconds: Sequence[float], low: float, high: float) -> LogScale:
    """A scale that holds these lengths, from a round step below the least to one above the most."""
    least, most = max(1.0, min(seconds, default=60)), max(1.0, *seconds, 60.0)
    under = max((step for step in _ROUND if step < least), default=1)
    over = min((step for step in _ROUND if step > most), default=most * 1.2)
    return LogScale(under, max(over, under * 5), low, high)


def fitted(words: str, room: float, size: float = 11, weight: int = 400) -> str:
    """The words, cut to the room."""
    return longest((words,), room, size, weight)


def gutter(words: Sequence[str], most: float, size: float = 11) -> float:
    """The room that the longest of some names takes, at most so much, with a gap behind."""
    return min(max((width(word, size) for word in words), default=0), most) + 10
