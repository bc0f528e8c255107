"""A source's last hours as a track: where it did not answer, and how that is hatched."""

from __future__ import annotations

from datetime import datetime, timedelta

from incidents.instants import length
from incidents.views.now_view import NowView
from incidents.views.source_view import SourceHealth
from incidents.views.view import Gap

TRACK = 166
"""Width of a track in the pixels of its own drawing."""


def gap_now(source: SourceHealth, now: datetime) -> Gap | None:
    """The gap that has not ended, if there is one."""
    return next((gap for gap in source.gaps if gap.until >= now - timedelta(seconds=1)), None)


def is_silent(source: SourceHealth, now: datetime) -> bool:
    """Whether nothing is known of it now: a feed that never answered or does not answer. A webhook may be quiet."""
    if source.feed is not None:
        # Its gap is drawn only when it has lasted; that it does not answer is known at once.
        return source.feed.stale_since is not None or source.feed.answered_at is None
    return gap_now(source, now) is not None or (source.kind == "feed" and source.last_received_at is None)


def heard_at(source: SourceHealth) -> datetime | None:
    """When it last spoke: a feed that answers that nothing has changed has spoken."""
    return source.last_received_at if source.feed is None else source.feed.answered_at


def gap_boxes(source: SourceHealth, view: NowView) -> list[tuple[float, float]]:
    """Left and width in pixels of each gap on the source's track."""
    if source.feed is not None and source.feed.answered_at is None and source.last_received_at is None:
        return [(0, TRACK)]  # it has never answered: nothing is known of any of it
    scale = TRACK / max((view.now - view.since).total_seconds(), 1)
    boxes = []
    for gap in source.gaps:
        left = max((gap.since - view.since).total_seconds(), 0) * scale
        right = min((gap.until - view.since).total_seconds() * scale, TRACK)
        if right > left:
            width = max(right - left, 3)
            boxes.append((round(min(left, TRACK - width), 1), round(width, 1)))
    return boxes


def hatch(width: float) -> str:
    """Diagonals at 45 degrees, 5 px apart, inside a box 10 px high."""
    strokes = []
    x = -5.0
    while x < width:
        low, high = max(x, 0), min(x + 10, width)
        if high > low:
            strokes.append(f"M{low:.1f} {10 - (low - x):.1f}L{high:.1f} {10 - (high - x):.1f}")
        x += 5
    return "".join(strokes)


def gap_words(source: SourceHealth) -> str:
    seconds = sum((gap.until - gap.since).total_seconds() for gap in source.gaps)
    return f"{len(source.gaps)}, {length(seconds)} in all"
