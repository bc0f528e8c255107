"""Stretches in which a feed did not answer: hatched boxes that name whose they are, as tall as what they leave out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal

from dashboards.axis import clock, span
from dashboards.marks import Area, Box, Extent, Frame, Scene, Text
from dashboards.typeface import clean, width
from incidents.instants import length
from incidents.model import Lane
from incidents.views.view import Coverage, Gap

_LEAST = 5
"""Pixels that a hatched box is high at least."""
_APART = 10
"""Pixels between the words of one gap and what follows."""
_BESIDE = 8


@dataclass(frozen=True, slots=True)
class Hatch:
    """A stretch in which the same feeds were silent: whose it is, of how many feeds, and where its words stand."""

    left: float
    right: float
    since: datetime
    until: datetime
    sources: tuple[str, ...]
    feeds: int
    """How many feeds would have told; at least as many as were silent."""
    state: str = "silent"
    words: str = ""
    place: Literal["right", "inside", "left"] = "right"
    ends: Extent | None = None
    """Of the stretches that it touches, where it has the words of them all."""

    @property
    def extent(self) -> Extent:
        """What it takes of its row, its words included."""
        left, right = self.ends or (self.left, self.right)
        room = width(self.words) + _BESIDE if self.words and self.place != "inside" else 0
        return (left - room, right) if self.place == "left" else (left, right + room)

    @property
    def whose(self) -> str:
        """The feed's name, or how many of how many."""
        n = len(self.sources)
        return clean(self.sources[0], 24) if n == 1 else f"{n} of {self.feeds} feeds"


def feeds_of(coverage: Iterable[Coverage], lane: Lane) -> frozenset[str]:
    """The feeds that would tell of a lane."""
    return frozenset(row.source for row in coverage if row.lane == lane and row.source)


def merge(gaps: Iterable[Gap], frame: Frame, feeds: Collection[str] = ()) -> list[Hatch]:
    """Unanswered stretches of a lane, parted where another feed falls silent; `feeds` are all that would tell of it.

    Of stretches that touch, the longest has the words: a feed that is seconds late is not down with one that is down
    for a day.
    """
    clusters: list[list[Hatch]] = []
    for one in _stretches([gap for gap in gaps if frame.x(gap.until) > frame.left and frame.x(gap.since) < frame.edge]):
        left, right = frame.inside(one[0]), frame.inside(one[1])
        hatch = _hatch(left, right, one, frame, feeds)
        if clusters and left <= clusters[-1][-1].right + 1:
            clusters[-1].append(hatch)
        else:
            clusters.append([hatch])
    found: list[Hatch] = []
    for number, cluster in enumerate(clusters):
        before = max((one.extent[1] for one in found), default=frame.left - _APART)
        after = clusters[number + 1][0].left if number + 1 < len(clusters) else frame.edge + _BESIDE
        found += _worded(cluster, before, after, frame)
    return found


def extents(hatches: Iterable[Hatch]) -> list[Extent]:
    """What they take of their row, those that touch as one."""
    found: list[Extent] = []
    for left, right in sorted(one.extent for one in hatches):
        if found and left <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(right, found[-1][1]))
        else:
            found.append((left, right))
    return found


def _stretches(gaps: Sequence[Gap]) -> list[tuple[datetime, datetime, tuple[Gap, ...]]]:
    """The time in which any is silent, in pieces in which the same are."""
    ends = sorted({at for gap in gaps for at in (gap.since, gap.until)})
    found: list[tuple[datetime, datetime, tuple[Gap, ...]]] = []
    for since, until in pairwise(ends):
        on = tuple(gap for gap in gaps if gap.since < until and gap.until > since)
        same = bool(found) and found[-1][1] == since and _whose(found[-1][2]) == _whose(on)
        if same:
            found[-1] = (found[-1][0], until, (*found[-1][2], *on))
        elif on:
            found.append((since, until, on))
    return found


def _whose(gaps: Iterable[Gap]) -> tuple[str, ...]:
    return tuple(sorted({gap.source for gap in gaps}))


def _hatch(
    left: float, right: float, one: tuple[datetime, datetime, tuple[Gap, ...]], frame: Frame, feeds: Collection[str]
) -> Hatch:
    since, until, gaps = one
    whose, states = _whose(gaps), {gap.state for gap in gaps}
    if len(whose) == 1:
        # What one feed left out is as long as it is, also where another was silent for a part of it.
        since, until = min(gap.since for gap in gaps), max(gap.until for gap in gaps)
    right = min(max(right, left + 1), max(frame.edge, left + 1))
    return Hatch(
        left, right, since, until, whose, len({*feeds, *whose}), state=states.pop() if len(states) == 1 else "silent"
    )


def _worded(cluster: Sequence[Hatch], before: float, after: float, frame: Frame) -> list[Hatch]:
    """Touching stretches, the longest of them with words beside them all, or within it."""
    longest = max(cluster, key=lambda one: one.right - one.left)
    placed = _placed(replace(longest, ends=(cluster[0].left, cluster[-1].right)), before, after, frame)
    return [placed if one is longest else one for one in cluster]


def _placed(one: Hatch, before: float, after: float, frame: Frame) -> Hatch:
    """With the longest words that fit beside it or inside; `before` and `after` are its neighbours' ends."""
    left, right = one.ends or (one.left, one.right)
    for words in _variants(one, frame):
        room = width(words)
        if room <= after - _APART - right - _BESIDE:
            return replace(one, words=words, place="right")
        if room + 2 * _APART <= one.right - one.left:
            return replace(one, words=words, place="inside")
        if room <= left - _BESIDE - before - _APART:
            return replace(one, words=words, place="left")
    return one


def _variants(one: Hatch, frame: Frame) -> tuple[str, ...]:
    how_long = length((one.until - one.since).total_seconds())
    if len(one.sources) > 1:
        told = f"{one.whose} never answered" if one.state == "never" else f"{one.whose} down {how_long}"
        names = ", ".join(clean(name, 24) for name in one.sources)
        return f"{told}: {names}", told, one.whose
    told = {"waiting": f"not asked yet since {clock(one.since, frame.zone)}", "never": "never answered"}.get(
        one.state, f"feed gap {how_long}"
    )
    said = (f"{one.whose}: {told}", one.whose, told, how_long)
    return (f"{said[0]}, 1 of {one.feeds} feeds", *said) if one.feeds > 1 else said


def draw(scene: Scene, hatches: Iterable[Hatch], top: float, *, named: bool = True) -> None:
    """Hatches merged gaps in the row that begins at `top`, as high as the share of feeds that were silent."""
    zone, bar = scene.frame.zone, scene.sizes.bar
    middle = top + bar / 2
    for one in hatches:
        half = max(_LEAST, bar * len(one.sources) / one.feeds) / 2
        names = ", ".join(clean(name, 40) for name in one.sources)
        silent = "was not asked" if one.state == "waiting" else "did not answer"
        tip = f"{names}: {silent}\n{span(one.since, one.until, zone, scene.frame.since)}"
        if one.feeds > 1:
            tip += f"\n{len(one.sources)} of the {one.feeds} feeds that would tell of it"
        scene.gaps.append(Box(one.left, middle - half, one.right, middle + half, "gap", tip))
        if named and one.words:
            _name(scene, one, top, middle)


def _name(scene: Scene, one: Hatch, top: float, middle: float) -> None:
    ends = one.ends or (one.left, one.right)
    if one.place == "right":
        scene.texts.append(Text(ends[1], middle, one.words, "ink2", shift=_BESIDE))
    elif one.place == "left":
        scene.texts.append(Text(ends[0], middle, one.words, "ink2", anchor="end", shift=-_BESIDE))
    else:
        left, right = one.left + _BESIDE, one.left + _BESIDE + width(one.words) + 4
        bottom = top + scene.sizes.bar
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        scene.areas.append(Area(corners, "panel", 1))
        scene.texts.append(Text(left, middle, one.words, "ink2", shift=2))
