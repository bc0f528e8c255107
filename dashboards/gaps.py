"""Stretches in which a feed did not answer: hatched boxes that name whose they are, as tall as what they leave out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
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
    """Unanswered stretches that overlap, as one: whose they are, of how many feeds, and where their words stand."""

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

    @property
    def extent(self) -> Extent:
        """What it takes of its row, its words included."""
        room = width(self.words) + _BESIDE if self.words and self.place != "inside" else 0
        return (self.left - room, self.right) if self.place == "left" else (self.left, self.right + room)

    @property
    def whose(self) -> str:
        """The feed's name, or how many of how many."""
        n = len(self.sources)
        return clean(self.sources[0], 24) if n == 1 else f"{n} of {self.feeds} feeds"


def feeds_of(coverage: Iterable[Coverage], lane: Lane) -> frozenset[str]:
    """The feeds that would tell of a lane."""
    return frozenset(row.source for row in coverage if row.lane == lane and row.source)


def merge(gaps: Iterable[Gap], frame: Frame, feeds: Collection[str] = ()) -> list[Hatch]:
    """Unanswered stretches of a lane, overlapping ones as one; `feeds` are all that would tell of it."""
    merged: list[Hatch] = []
    for gap in sorted(gaps, key=lambda gap: (gap.since, gap.until, gap.source)):
        left, right = frame.inside(gap.since), frame.inside(gap.until)
        if frame.x(gap.until) <= frame.left or frame.x(gap.since) >= frame.edge:
            continue
        if merged and left <= merged[-1].right + 1:
            merged[-1] = _with(merged[-1], gap, right)
        else:
            merged.append(Hatch(left, max(right, left + 1), gap.since, gap.until, (gap.source,), 1, state=gap.state))
    whole = [replace(one, feeds=len({*feeds, *one.sources})) for one in merged]
    placed: list[Hatch] = []
    for number, one in enumerate(whole):
        before = placed[-1].extent[1] if placed else frame.left - _APART
        after = whole[number + 1].left if number + 1 < len(whole) else frame.edge + _BESIDE
        placed.append(_placed(one, before, after, frame))
    return placed


def _with(one: Hatch, gap: Gap, right: float) -> Hatch:
    return replace(
        one,
        right=max(one.right, right),
        until=max(one.until, gap.until),
        sources=tuple(sorted({*one.sources, gap.source})),
        state=one.state if one.state == gap.state else "silent",
    )


def _placed(one: Hatch, before: float, after: float, frame: Frame) -> Hatch:
    """With the longest words that fit beside it or inside; `before` and `after` are its neighbours' ends."""
    for words in _variants(one, frame):
        room = width(words)
        if room <= after - _APART - one.right - _BESIDE:
            return replace(one, words=words, place="right")
        if room + 2 * _APART <= one.right - one.left:
            return replace(one, words=words, place="inside")
        if room <= one.left - _BESIDE - before - _APART:
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
    if one.place == "right":
        scene.texts.append(Text(one.right, middle, one.words, "ink2", shift=_BESIDE))
    elif one.place == "left":
        scene.texts.append(Text(one.left, middle, one.words, "ink2", anchor="end", shift=-_BESIDE))
    else:
        left, right = one.left + _BESIDE, one.left + _BESIDE + width(one.words) + 4
        bottom = top + scene.sizes.bar
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        scene.areas.append(Area(corners, "panel", 1))
        scene.texts.append(Text(left, middle, one.words, "ink2", shift=2))
