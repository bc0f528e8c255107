"""Stretches in which a feed did not answer: hatched boxes with their length in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dashboards.axis import span
from dashboards.marks import Box, Extent, Frame, Scene, Text
from dashboards.typeface import clean, width
from incidents.instants import length
from incidents.views.view import Gap


def merge(gaps: Iterable[Gap], frame: Frame) -> list[tuple[Extent, Gap, int]]:
    """Unanswered stretches of a lane, overlapping ones as one with the number of its sources."""
    merged: list[tuple[Extent, Gap, int]] = []
    sources: set[str] = set()
    for gap in sorted(gaps, key=lambda gap: (gap.since, gap.until, gap.source)):
        left, right = frame.inside(gap.since), frame.inside(gap.until)
        if frame.x(gap.until) <= frame.left or frame.x(gap.since) >= frame.edge:
            continue
        if merged and left <= merged[-1][0][1] + 1:
            (first, last), other, _ = merged[-1]
            sources.add(gap.source)
            whole = Gap(gap.lane, other.source, other.since, max(other.until, gap.until))
            merged[-1] = ((first, max(last, right)), whole, len(sources))
        else:
            sources = {gap.source}
            merged.append(((left, max(right, left + 1)), gap, 1))
    return merged


def words_of(gaps: Sequence[tuple[Extent, Gap, int]], number: int, gap: Gap, count: int, frame: Frame) -> str:
    """The longest words that fit between this gap and the next one, or the edge."""
    following = gaps[number + 1][0][0] - 10 if number + 1 < len(gaps) else frame.edge - 2
    room = following - gaps[number][0][1] - 8
    how_long = length((gap.until - gap.since).total_seconds())
    who = clean(gap.source, 24) if count == 1 else f"{count} feeds"
    for words in (f"{who}: feed gap {how_long}", f"feed gap {how_long}", how_long):
        if width(words) <= room:
            return words
    return ""


def draw(scene: Scene, gaps: Sequence[tuple[Extent, Gap, int]], top: float) -> None:
    """Hatches merged gaps in the row that begins at `top`, each with its words to the right where they fit."""
    zone, bar = scene.frame.zone, scene.sizes.bar
    for number, ((left, right), gap, count) in enumerate(gaps):
        who = clean(gap.source, 40) if count == 1 else f"{count} feeds"
        tip = f"{who} did not answer\n{span(gap.since, gap.until, zone, scene.frame.since)}"
        scene.gaps.append(Box(left, top, right, top + bar, "gap", tip))
        words = words_of(gaps, number, gap, count, scene.frame)
        if words:
            scene.texts.append(Text(right, top + bar / 2, words, "ink2", shift=8))
