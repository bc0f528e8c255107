"""Curves of readings: cut at gaps and at the window, scaled to pixels, and where they lie above a level."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from dashboards.marks import Frame, Place
from incidents.views.view import Gap, Point, Series

_VALUES_APART = 17
"""Pixels between two labelled values, at least."""
SANE_C = 150
"""Readings beyond this many degrees either way are counted, not drawn: they would flatten all others."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to pixels."""

    low: float
    high: float
    top: float
    bottom: float
    step: float

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)


@dataclass(frozen=True, slots=True)
class Curve:
    """One series as drawn: unbroken runs of places with their points."""

    series: Series
    name: str
    runs: tuple[tuple[tuple[Place, Point], ...], ...]


def runs_of(
    series: Series, frame: Frame, gaps: Sequence[Gap], scale: Scale, *, sane: float = SANE_C
) -> tuple[tuple[tuple[Place, Point], ...], ...]:
    """The parts of a series between gaps, cut at the ends of what is known; values beyond `sane` are left out."""
    last = frame.at(frame.edge)
    runs: list[list[Point]] = [[]]
    previous: Point | None = None
    for point in series.points:
        if abs(point.value) > sane:
            continue
        if previous is not None and any(gap.since < point.at and previous.at < gap.until for gap in gaps):
            runs.append([])
        runs[-1].append(point)
        previous = point
    cut = (_cut(run, frame.since, last) for run in runs)
    return tuple(
        tuple(((frame.x(point.at), scale.y(point.value)), point) for point in _thin(run, frame)) for run in cut if run
    )


def is_seen(
    series: Series, since: datetime, until: datetime, gaps: Sequence[Gap] = (), *, sane: float = SANE_C
) -> bool:
    """Whether anything of a series is drawn within these ends: a reading, or the line between two outside of them."""
    points = [point for point in series.points if abs(point.value) <= sane]
    if any(since <= point.at <= until for point in points):
        return True
    return any(
        a.at < since < until < b.at and not any(gap.since < b.at and a.at < gap.until for gap in gaps)
        for a, b in pairwise(points)
    )


def _cut(run: Sequence[Point], since: datetime, until: datetime) -> list[Point]:
    """The run within the window, with points computed where it crosses the ends."""
    kept: list[Point] = []
    for before, after in pairwise(run):
        if before.at < since < after.at:
            kept.append(_between(before, after, since))
        if since <= before.at <= until:
            kept.append(before)
        if before.at < until < after.at:
            kept.append(_between(before, after, until))
    if run and since <= run[-1].at <= until:
        kept.append(run[-1])
    return kept


def _between(before: Point, after: Point, at: datetime) -> Point:
    share = (at - before.at) / (after.at - before.at)
    return Point(at, before.value + share * (after.value - before.value))


def _thin(run: list[Point], frame: Frame) -> list[Point]:
    """At most the least and the greatest value of each pixel column."""
    if len(run) <= 2 * (frame.right - frame.left):
        return run
    columns: dict[int, list[Point]] = {}
    for point in run:
        columns.setdefault(int(frame.x(point.at)), []).append(point)
    kept: list[Point] = []
    for points in columns.values():
        ends = {min(points, key=lambda point: point.value), max(points, key=lambda point: point.value)}
        kept += sorted(ends, key=lambda point: point.at)
    return kept


def above(places: Sequence[Place], level: float) -> Iterator[list[Place]]:
    """The polygons between the line and the level where the line is above it (smaller y), ends computed."""
    polygon: list[Place] = []
    for index, (x, y) in enumerate(places):
        if index:
            x0, y0 = places[index - 1]
            if (y0 < level) != (y < level):
                polygon.append((x0 + (level - y0) / (y - y0) * (x - x0), level))
        if y < level:
            if not polygon:
                polygon.append((x, level))
            polygon.append((x, y))
        elif len(polygon) > 1:
            yield polygon
            polygon = []
        else:
            polygon = []
    if len(polygon) > 1:
        yield [*polygon, (polygon[-1][0], level)]


def holds(polygon: Sequence[Place], place: Place) -> bool:
    """Whether a place is inside a polygon, by counting crossings."""
    x, y = place
    inside = False
    for (x0, y0), (x1, y1) in pairwise((*polygon, polygon[0])):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            inside = not inside
    return inside


def crosses(path: Sequence[Place], box: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = box
    if len(path) == 1:
        return left < path[0][0] < right and top < path[0][1] < bottom
    for (x0, y0), (x1, y1) in pairwise(path):
        if x1 < left or x0 > right:
            continue
        slope = (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
        a = y0 + slope * (max(left, x0) - x0)
        b = y0 + slope * (min(right, x1) - x0)
        if min(a, b) < bottom and max(a, b) > top:
            return True
    return False


@dataclass(frozen=True, slots=True)
class LineCrossing:
    """Where a drawn line rises through a limit, and between which two readings that was."""

    drawn_at: datetime
    since: datetime
    until: datetime


def first_crossing(curve: Curve, limit: float) -> LineCrossing | None:
    """Where the line first rises through the limit: it is straight between readings, what it stands for is not."""
    for run in curve.runs:
        for (_, before), (_, after) in pairwise(run):
            if before.value <= limit < after.value:
                at = before.at + (after.at - before.at) * ((limit - before.value) / (after.value - before.value))
                # The ends of a line that the window cuts are computed: the readings lie beyond them.
                read = [point.at for point in curve.series.points]
                return LineCrossing(at, max(p for p in read if p <= at), min(p for p in read if p >= at))
    return None


def seconds_above(curve: Curve, limit: float) -> tuple[float, float]:
    """How long it is seen above the limit, at least and at most: between two readings above it, and beside one."""
    least = most = 0.0
    for run in curve.runs:
        since, until = run[0][1].at, run[-1][1].at
        for before, after in pairwise(point for point in curve.series.points if abs(point.value) <= SANE_C):
            seen = (min(after.at, until) - max(before.at, since)).total_seconds()
            if seen > 0:
                least += seen if min(before.value, after.value) > limit else 0.0
                most += seen if max(before.value, after.value) > limit else 0.0
    return least, most


def scale_of(  # what is scaled, where to, and within what
    shown: Sequence[Series], frame: Frame, top: float, bottom: float, *, sane: float = SANE_C, narrowest: float = 1
) -> Scale:
    """The scale that holds all values up to `sane` and all limits, spanning `narrowest` at least."""
    margin = timedelta(hours=3)
    values = [
        point.value
        for series in shown
        for point in series.points
        if frame.since - margin <= point.at <= frame.until + margin and abs(point.value) <= sane
    ]
    values += [series.limit for series in shown if series.limit is not None and abs(series.limit) <= sane]
    low, high = min(values), max(values)
    if high - low < narrowest:
        low, high = low - narrowest, high + narrowest
    least = max((high - low) / 2.5, (high - low) * _VALUES_APART / max(bottom - top, 1))
    decade = 10 ** math.floor(math.log10(least))
    step = next(factor * decade for factor in (1, 2, 5, 10, 20) if factor * decade >= least)
    return Scale(low - (high - low) * 0.04, high, top, bottom, step)
