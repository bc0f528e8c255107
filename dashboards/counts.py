"""Stacked counts in place of marks: how many began in each bin, by severity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dashboards.axis import DASH, clock, moment
from dashboards.marks import Box, Frame, Rule, Scene, Sizes, Text
from dashboards.typeface import longest, width
from incidents.instants import length
from incidents.model import Lane, Severity
from incidents.views.view import Bin, Density

_WORDS = 14
_TWO_LINES = 28
"""Height from which words fit above each other."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_LEAST_PIXELS = 7
_LEAST_HEIGHT, _MOST_EACH = 2.0, 7.0
"""Pixels of one piece at least, and of one occurrence at most."""
_WORST_FIRST = tuple(sorted(Severity, key=lambda severity: -severity.rank))
_INKS = {"hazard": "hazard", "provider_incident": "provider", "change": "ink3", "entry": "ink", "report": "ink3"}
"""What is not counted by severity."""
PLURALS = {
    "entry": "entries",
    "alert": "alerts",
    "hazard": "official warnings",
    "provider_incident": "provider incidents",
    "change": "changes",
    "report": "reports",
}


Begun = tuple[float, Severity]
"""When something began, in seconds since the epoch, and how grave it is."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Stacked counts of one lane: per bin the number of each severity, and the words that tell what they are."""

    seconds: int
    bins: dict[int, dict[Severity, int]]
    """Counts by severity, by bin; bin n begins `n * seconds` after the epoch."""
    words: str
    brief: str
    """The same for little room."""
    inks: dict[Severity, str]

    @property
    def peak(self) -> int:
        return max((sum(counts.values()) for counts in self.bins.values()), default=0)


def count(
    begun: Iterable[Begun], density: Density | None, frame: Frame, *, kind: str, left_out: int, standing: int = 0
) -> Counts:
    """The stacked counts of a lane: the view's bins where it has them, else all that began in the window.

    `standing` more were on from before the window and are not drawn.
    """
    least = frame.seconds_a_pixel * _LEAST_PIXELS
    seconds = next((step for step in _STEPS if step >= least), None) or -(-int(least) // 86400) * 86400
    if density is not None:
        own = max(1, density.seconds)
        seconds = -(-max(seconds, own) // own) * own
    bins: dict[int, dict[Severity, int]] = {}
    for at, severity, number in _begun(begun, density, frame):
        counts = bins.setdefault(int(at // seconds), {})
        counts[severity] = counts.get(severity, 0) + number
    if density is not None:
        brief = f"{density.total:,} {PLURALS[kind] if density.total != 1 else PLURALS[kind].removesuffix('s')}"
        words = f"{brief}, 1 bar = {length(seconds)}"
    else:
        brief = f"{left_out:,} more"
        words = f"{PLURALS[kind]} per {length(seconds)}, {brief}" if bins else brief
    if standing:
        before = f"{standing:,} more on from before"
        words = f"{words}, {before}" if density is not None or left_out else before
        brief = f"{brief}, {before}" if density is not None or left_out else before
    own_ink = _INKS.get(kind)
    return Counts(seconds, bins, words, brief, {severity: own_ink or str(severity) for severity in Severity})


def _begun(begun: Iterable[Begun], density: Density | None, frame: Frame) -> Iterator[tuple[float, Severity, int]]:
    """When things began within the known part of the window, in seconds since the epoch, how grave, and how many."""
    if density is not None:
        for bin_ in density.bins:
            if frame.left <= frame.x(bin_.at) <= frame.edge:
                yield bin_.at.timestamp(), bin_.severity, bin_.count
        return
    for at, severity in begun:
        yield at, severity, 1


def height(counts: Counts, sizes: Sizes) -> float:
    """Of the row: words and bars, or the words alone when nothing counted began in the window."""
    if not counts.bins:
        return sizes.bar
    return min(sizes.counts, _WORDS + _MOST_EACH * counts.peak)


def draw(
    scene: Scene, counts: Counts, top: float, bottom: float, *, words: bool = True, peak: int | None = None
) -> None:
    """Stacked bars with the worst at the bottom; the only scale is the peak's number, given where several share it."""
    frame = scene.frame
    peak = peak or counts.peak
    if not counts.bins:
        scene.texts.append(Text(frame.left, (top + bottom) / 2, counts.words, "ink2", shift=8))
        return
    tallest = min(bottom - top - (_WORDS if words else 0), _MOST_EACH * peak)
    edges: list[tuple[float, float, int]] = []
    for number, of_bin in sorted(counts.bins.items()):
        left = max(frame.left, frame.x(_instant(number * counts.seconds)))
        right = min(frame.edge, frame.x(_instant((number + 1) * counts.seconds)))
        total, below = sum(of_bin.values()), bottom
        edges.append((left, right, total))
        tip = _bin_tip(of_bin, number * counts.seconds, counts.seconds, frame)
        span = (_instant(number * counts.seconds), _instant((number + 1) * counts.seconds))
        for severity in _WORST_FIRST:
            if of_bin.get(severity):
                above = below - max(_LEAST_HEIGHT, of_bin[severity] / peak * tallest)
                scene.boxes.append(
                    Box(left, max(top, above), max(right - 1, left + 1), below, counts.inks[severity], tip, span=span)
                )
                below = max(top, above)
    scene.rules.append(Rule(frame.left, bottom + 0.5, frame.edge, bottom + 0.5, "line"))
    if words:
        _name_counts(scene, counts, edges, top, bottom)


def _instant(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _bin_tip(of_bin: dict[Severity, int], start: int, seconds: int, frame: Frame) -> str:
    parts = [f"{of_bin[severity]:,} {severity}" for severity in _WORST_FIRST if of_bin.get(severity)]
    since = _instant(start)
    until = since + timedelta(seconds=seconds)
    return f"{', '.join(parts)}\n{moment(since, frame.zone, frame.since)} {DASH} {clock(until, frame.zone)}"


def _name_counts(
    scene: Scene, counts: Counts, edges: Sequence[tuple[float, float, int]], top: float, bottom: float
) -> None:
    """The words beside the bars and the peak's number above; all in the line above when there is no room beside."""
    frame = scene.frame
    first, last = edges[0][0], edges[-1][1]
    peak = f"peak {counts.peak:,}" if counts.peak > 1 else ""
    both = f"{counts.words}, {peak}" if peak else counts.words
    beside = both if bottom - top < _TWO_LINES else counts.words
    if first - 8 - width(beside) >= frame.left + 2:
        scene.texts.append(Text(first, bottom - 8, beside, "ink2", anchor="end", shift=-8))
    elif last + 8 + width(beside) <= frame.edge - 2:
        scene.texts.append(Text(last, bottom - 8, beside, "ink2", shift=8))
    else:
        words = longest((both, counts.words, counts.brief), frame.edge - frame.left - 10)
        scene.texts.append(Text(frame.left, top + 6, words, "ink2", shift=8))
        return
    left, right, _ = max(edges, key=lambda edge: edge[2])
    if not peak or beside == both:
        return
    if right + 4 + width(peak) <= frame.edge - 2:
        scene.texts.append(Text(left, top + 6, peak, "ink2", shift=0))
    elif left - 4 - width(peak) >= frame.left + 2:
        scene.texts.append(Text(left, top + 6, peak, "ink2", anchor="end", shift=-4))


def bins_of(density: Density | None, lane: Lane) -> Density | None:
    """The part of the view's counts that belongs to a lane."""
    if density is None:
        return None
    bins: tuple[Bin, ...] = tuple(bin_ for bin_ in density.bins if bin_.lane == lane)
    return Density(density.seconds, bins, sum(bin_.count for bin_ in bins)) if bins else None
