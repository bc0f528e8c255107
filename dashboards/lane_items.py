"""What lies in one lane: of all of it where it begins and how grave it is, and words for what may find a row alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from dashboards.axis import clock, local, moment
from dashboards.counts import Begun
from dashboards.items import Item, ends_of, of_bar, of_mark, of_post, settle, settle_posts, title_of
from dashboards.marks import Extent, Frame
from dashboards.packing import TRIED
from incidents.model import Severity
from incidents.views.view import Bar, Mark

_RANK_OF_MARKS = 3


class Spot(NamedTuple):
    """Where something lies before it has words: its ends in pixels within the frame, and what it is ranked by."""

    x: float
    end: float
    rank: int
    begun: float | None
    """When it began, in seconds since the epoch; None where that was before the window."""
    pinned: bool = False
    has_posts: bool = False


class LaneItems:
    """The spots of one lane, and the items that stand on them; each item is made and measured once, when asked for."""

    def __init__(self, spots: Sequence[Spot], make: Callable[[int], Item], frame: Frame) -> None:
        """`make` gives the item of a spot, by its number, without its words settled."""
        self.spots, self._make, self._frame = spots, make, frame
        self._settled: dict[int, Item] = {}
        self._spilled: dict[int, list[Item]] = {}

    def __len__(self) -> int:
        return len(self.spots)

    @cached_property
    def order(self) -> list[int]:
        """Numbers of those that are tried, pinned before grave before early."""
        by = sorted(range(len(self.spots)), key=lambda number: self._place(self.spots[number]))
        return by[:TRIED]

    @cached_property
    def begun(self) -> list[Begun]:
        """When each that began within the window did, in seconds since the epoch, and how grave it is."""
        return [(spot.begun, Severity.of_rank(spot.rank)) for spot in self.spots if spot.begun is not None]

    @cached_property
    def spilled(self) -> list[Item]:
        """Providers' posts that found no room on their own bars, as items."""
        with_posts = [number for number in self.order if self.spots[number].has_posts]
        return [item for number in with_posts if self.item(number) for item in self._spilled[number]]

    def all(self) -> list[Item]:
        """Every item; for lanes of no more than `TRIED`."""
        return [self.item(number) for number in range(len(self.spots))]

    def item(self, number: int) -> Item:
        """An item with its words chosen."""
        found = self._settled.get(number)
        if found is None:
            found = self._settled[number] = self._make(number)
            settle(found, self._frame)
            self._spilled[number] = [of_post(note, found.rank) for note in settle_posts(found, self._frame)]
            for one in self._spilled[number]:
                settle(one, self._frame)
        return found

    def least(self, number: int) -> Extent:
        """What an item takes of its row at least, whatever its words."""
        spot = self.spots[number]
        return spot.x, spot.end

    @staticmethod
    def _place(spot: Spot) -> tuple[bool, int, float]:
        return not spot.pinned, -spot.rank, spot.x


def items_of(bars: Sequence[Bar], marks: Sequence[Mark], frame: Frame, as_of: datetime) -> LaneItems:
    """The bars and entries of a lane that lie within the frame, bars first."""
    alike = Namesakes(bars, frame)
    spots: list[Spot] = []
    shown: list[Bar | Mark] = []
    for bar in bars:
        if (spot := _spot_of_bar(bar, frame)) is not None:
            spots.append(spot)
            shown.append(bar)
    for mark in marks:
        if (spot := _spot_of_mark(mark, frame)) is not None:
            spots.append(spot)
            shown.append(mark)

    def make(number: int) -> Item:
        thing = shown[number]
        beside = alike.told_apart(thing) if isinstance(thing, Bar) else ""
        item = of_bar(thing, frame, as_of, beside) if isinstance(thing, Bar) else of_mark(thing, frame)
        assert item is not None, "a spot lies within the frame"
        return item

    return LaneItems(spots, make, frame)


def of_items(items: Sequence[Item], frame: Frame) -> LaneItems:
    """Items that were made already, as the things of a lane."""
    spots = [Spot(item.x, item.end, item.rank, _began(item, frame), item.pinned, bool(item.posts)) for item in items]
    return LaneItems(spots, items.__getitem__, frame)


def begun_of(items: Sequence[Item], frame: Frame) -> list[Begun]:
    """When each of these that began within the window did, and how grave it is."""
    return [(at, Severity.of_rank(item.rank)) for item in items if (at := _began(item, frame)) is not None]


def _began(item: Item, frame: Frame) -> float | None:
    return None if item.begins_before else frame.at(item.x).timestamp()


def _spot_of_bar(bar: Bar, frame: Frame) -> Spot | None:
    said = bar.occurrence
    x, end = ends_of(said, frame)
    if x > frame.edge or max(end, x) < frame.left:
        return None
    begun = said.starts_at.timestamp() if x >= frame.left else None
    x = max(x, frame.left)
    return Spot(x, max(x, min(end, frame.edge)), said.severity.rank, begun, has_posts=bool(said.posts))


def _spot_of_mark(mark: Mark, frame: Frame) -> Spot | None:
    x = frame.x(mark.happened_at)
    if x > frame.edge or frame.x(mark.happened_until or mark.happened_at) < frame.left:
        return None
    begun = mark.happened_at.timestamp() if x >= frame.left else None
    x = max(x, frame.left)
    return Spot(x, x, _RANK_OF_MARKS, begun, mark.pinned)


class Namesakes:
    """Bars of a lane that share their title with another: one check that fails twice makes two bars of one name."""

    def __init__(self, bars: Sequence[Bar], frame: Frame) -> None:
        self._frame = frame
        titles = [title_of(bar) for bar in bars]
        counts = Counter(titles)
        self._shared = {title for title, count in counts.items() if count > 1}
        self._minutes = Counter(
            (title, self._minute(bar)) for bar, title in zip(bars, titles, strict=True) if title in self._shared
        )

    def told_apart(self, bar: Bar) -> str:
        """What stands behind its title: when it began; where the minute is one too, with the seconds."""
        title = title_of(bar)
        if title not in self._shared:
            return ""
        at, frame = bar.occurrence.starts_at, self._frame
        words = moment(at, frame.zone, frame.since)
        if self._minutes[title, self._minute(bar)] > 1:
            words += clock(at, frame.zone, seconds=True)[5:]
        return f", {words}"

    def _minute(self, bar: Bar) -> datetime:
        """The minute on the wall, by which two instants have the same words."""
        wall = local(bar.occurrence.starts_at, self._frame.zone)
        return wall.replace(second=0, microsecond=0, tzinfo=None, fold=0)
