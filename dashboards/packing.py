"""Rows without collisions: each extent goes into the first row that has room for it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Protocol

from dashboards.marks import Extent

APART = 10
"""Pixels between two neighbours in a row."""
TRIED = 300
"""How many are tried by rank once a lane is full; what comes after them has no better chance."""


class Row:
    """The taken stretches of one row; they never overlap."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: list[Extent] = []

    def has_room(self, extent: Extent) -> bool:
        """Whether an extent would keep `APART` from all that is there."""
        left, right = extent
        place = bisect_left(self._taken, (left, right))
        after = place == len(self._taken) or self._taken[place][0] >= right + APART
        return after and (place == 0 or self._taken[place - 1][1] + APART <= left)

    def take(self, extent: Extent) -> None:
        insort(self._taken, extent)


class Extended(Protocol):
    """What knows how far it reaches."""

    @property
    def extent(self) -> Extent:
        """Its two ends in pixels."""


def first_fit(extent: Extent, rows: list[Row], most: int) -> int | None:
    """The row that took the extent; a new one is begun while there are fewer than `most`; None when all are full."""
    for number, row in enumerate(rows):
        if row.has_room(extent):
            row.take(extent)
            return number
    if len(rows) == most:
        return None
    rows.append(Row())
    rows[-1].take(extent)
    return len(rows) - 1


def in_order(extents: Sequence[Extent], order: Sequence[int], rows: list[Row], most: int) -> list[int] | None:
    """The row of each extent, taken in this order; None as soon as one finds no row."""
    found = [0] * len(extents)
    for index in order:
        row = first_fit(extents[index], rows, most)
        if row is None:
            return None
        found[index] = row
    return found


class Ranked(Protocol):
    """Things to be packed the gravest first, each measured only where it may find room at all."""

    @property
    def order(self) -> Sequence[int]:
        """Their numbers, the gravest first."""

    def least(self, number: int) -> Extent:
        """A part of its extent that is known without measuring its words."""

    def item(self, number: int) -> Extended:
        """What has the whole extent."""


def by_rank(items: Ranked, rows: list[Row], most: int) -> dict[int, int]:
    """The row of each that found one, by its number."""
    found: dict[int, int] = {}
    for number in items.order:
        # Measuring words takes far longer than to see that a crowded lane has no room for the bar alone.
        least = items.least(number)
        if len(rows) >= most and not any(row.has_room(least) for row in rows):
            continue
        row = first_fit(items.item(number).extent, rows, most)
        if row is not None:
            found[number] = row
    return found
