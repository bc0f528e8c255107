"""Incidents side by side, aligned at one of their instants: phases, milestones, alerts as density, lengths in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from statistics import median

from dashboards.axis import MINUS
from dashboards.marks import Box, Extent, Glyph, Rule, Shape, Text
from dashboards.paper import signed_in
from dashboards.plates import MEDIUM, NARROW, WIDE, Plate, fitted
from dashboards.tokens import PHASE_TINTS
from dashboards.typeface import clean, width, wrap
from dashboards.words import instant_at, measured, phase_called, phase_length, zone_letters
from incidents.instants import length
from incidents.model import Incident, Moment
from incidents.views.view import Compared, Viewer

ANCHORS = (
    "impact_started_at",
    "detected_at",
    "acknowledged_at",
    "mitigated_at",
    "resolved_at",
    "opened_at",
)
_MARKS: tuple[tuple[str, Shape, str], ...] = (
    ("impact_started_at", "hollow", "impact began"),
    ("detected_at", "circle", "detected"),
    ("acknowledged_at", "square", "acknowledged"),
    ("mitigated_at", "triangle", "mitigated"),
    ("resolved_at", "diamond", "resolved"),
)
_SAID = {
    "time_to_detect": "detected after",
    "time_to_acknowledge": "acknowledged after",
    "time_to_mitigate": "mitigated after",
    "time_to_resolve": "resolved after",
}
_BLOCK = 150
_LEVELS, _HIGH = 3, 11
_APART = 12
"""Pixels between the middles of two marks that stand side by side."""
_ROOMY = 500
"""From this width on an incident's title and time stand in one line, and so do its lengths."""
_STEPS = (60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000)
_REACH = 3
"""How many times the median extent is drawn; what reaches further is cut, and says so."""


def anchored(one: Compared, anchor: str) -> tuple[datetime, bool]:
    """Where an incident is aligned, and whether that is the instant asked for: else it is its opening."""
    if anchor == "opened_at":
        return one.incident.opened_at, True
    moment: Moment | None = getattr(one.incident, anchor)
    return (moment.at, True) if moment else (one.incident.opened_at, False)


def best_anchor(views: Sequence[Compared]) -> str:
    """The first of impact and detection that every incident has, else the opening."""
    kept = (name for name in ANCHORS[:2] if all(getattr(one.incident, name) for one in views))
    return next(kept, "opened_at")


def compose(views: Sequence[Compared], anchor: str, zone: str, wide: float) -> Plate:
    """A block of rows for each incident over one axis of lengths before and after the anchor."""
    block = _BLOCK if wide >= _ROOMY else _BLOCK + 15
    plate = Plate(wide, len(views) * block + 58)
    least, most = _extent(views, anchor)
    left, right = 4.0, wide - 8

    def at(seconds: float) -> float:
        return left + (min(max(seconds, least), most) - least) / (most - least) * (right - left)

    bottom = len(views) * block + 8
    for seconds in _ticks(least, most, right - left):
        x = at(seconds)
        plate.rule(Rule(x, 8, x, bottom, "line2" if seconds == 0 else "line"))
        said = "0" if seconds == 0 else f"{MINUS if seconds < 0 else '+'}{length(seconds)}"
        plate.say(Text(x, bottom + 12, said, "ink2", weight=600 if seconds == 0 else 400, anchor="middle"))
    plate.text(Text(min(max(at(0), 90), wide - 90), bottom + 34, f"aligned: {called(anchor)}", "ink2", anchor="middle"))
    for row, one in enumerate(views):
        _Block(plate, one, anchor, at, (least, most)).draw(row * block + 8, zone)
    return plate


def compare_page(
    views: Sequence[Compared], unknown: Sequence[str], viewer: Viewer, *, anchor: str, now: datetime
) -> str:
    """`unknown` are ids that were asked for and that name no incident."""
    told = described(views, anchor)
    return signed_in(
        "compare.html",
        viewer,
        now,
        views=views,
        unknown=unknown,
        anchor=anchor,
        anchors=[(name, called(name)) for name in ANCHORS],
        drawings=[
            (name, compose(views, anchor, viewer.zone, wide).svg("Incidents side by side", told))
            for name, wide in (("wide", WIDE), ("medium", MEDIUM), ("narrow", NARROW))
        ],
        ids=",".join(one.incident.id for one in views),
    )


def called(anchor: str) -> str:
    """An anchor in words."""
    return {"opened_at": "first alert or opening"}.get(anchor) or next(
        said for name, _, said in _MARKS if name == anchor
    )


def intervals(incident: Compared) -> str:
    """Every length of an incident in one line of words."""
    said = []
    for one in incident.measurements:
        if one.outcome == "recorded":
            said.append(f"{_SAID[one.name]} {measured(one)}")
        elif one.outcome == "pending":
            said.append(f"not yet {_SAID[one.name].removesuffix(' after')}")
    return ", ".join(said) or "no length recorded"


def described(views: Sequence[Compared], anchor: str) -> str:
    """What the drawing shows, in sentences."""
    told = [f"{clean(one.incident.title)}: {intervals(one)}." for one in views]
    return f"Aligned at: {called(anchor)}. {' '.join(told)}"


class _Block:
    """One incident's rows."""

    def __init__(self, plate: Plate, one: Compared, anchor: str, at: Callable[[float], float], ends: Extent) -> None:
        self.plate, self.one, self.anchor, self.at, self.ends = plate, one, anchor, at, ends
        self.zero, self.is_asked = anchored(one, anchor)

    def draw(self, top: float, zone: str) -> None:
        plate, incident = self.plate, self.one.incident
        if top > 10:
            plate.rule(Rule(0, top, plate.wide, top, "line"))
        begun = f"{instant_at(self.zero, zone)} {zone_letters(zone, self.zero)}"
        note = begun if self.is_asked else f"{called(self.anchor)}: not recorded, aligned at its opening, {begun}"
        if plate.wide < _ROOMY:
            self._line(top + 14, clean(incident.title), "ink", 12, 600)
            self._line(top + 30, note, "ink3" if self.is_asked else "error-text")
        else:
            title = fitted(clean(incident.title), plate.wide * 0.55, 12, 600)
            plate.text(Text(4, top + 14, title, "ink", 12, 600))
            after = 4 + width(title, 12, 600) + 10
            said = fitted(note, plate.wide - after - 4)
            plate.text(Text(after, top + 14, said, "ink3" if self.is_asked else "error-text"))
        self._phases(top + 42)
        self._density(top + 120)
        self._marks(top + 64, incident)
        lines = wrap(intervals(self.one), plate.wide - 8, 1 if plate.wide >= _ROOMY else 2)
        for number, said in enumerate(lines):
            plate.text(Text(4, top + 135 + number * 15, said, "ink2"))

    def _line(self, y: float, said: str, ink: str, size: float = 11, weight: int = 400) -> None:
        self.plate.text(Text(4, y, fitted(said, self.plate.wide - 8, size, weight), ink, size, weight))

    def _x(self, at: datetime) -> float:
        return self.at((at - self.zero).total_seconds())

    def _phases(self, top: float) -> None:
        for phase in self.one.phases:
            left, right = self._x(phase.since), self._x(phase.until)
            if right - left < 1:
                continue
            tint, ink = PHASE_TINTS[phase.name]
            name = phase_called(phase.name, self.one.incident)
            lasted = phase_length(phase)
            self.plate.box(Box(left, top, max(right - 1.5, left + 1), top + 14, tint, f"{name}, {lasted}"))
            said = next((s for s in (f"{name} {lasted}", name) if width(s) <= right - left - 8), "")
            if said:
                self.plate.text(Text(left + 4, top + 7, said, ink))
        if (self.one.until - self.zero).total_seconds() > self.ends[1]:
            self.plate.glyph(Glyph(self.plate.wide - 4, top + 7, "right", "ink2", "continues beyond the drawing"))

    def _marks(self, y: float, incident: Incident) -> None:
        """A mark for each milestone; those too near to stand side by side stand one above the other."""
        known: list[tuple[Moment, Shape, str]] = []
        for name, shape, said in _MARKS:
            moment: Moment | None = getattr(incident, name)
            if moment and self.ends[0] <= (moment.at - self.zero).total_seconds() <= self.ends[1]:
                known.append((moment, shape, said))
        known.sort(key=lambda mark: mark[0].at)
        places = [self._x(moment.at) for moment, _, _ in known]
        for (moment, shape, said), x, level in zip(known, places, levels(places), strict=True):
            at = y + _HIGH * level
            if moment.until:
                self.plate.rule(Rule(x, at, self._x(moment.until), at, "ink2", 1.5))
            self.plate.glyph(Glyph(x, at, shape, "ink", said))

    def _density(self, base: float) -> None:
        """The alerts that began in each bin, as bars of the block's own scale; the peak says its number."""
        counts: dict[datetime, int] = {}
        for one in self.one.density.bins:
            counts[one.at] = counts.get(one.at, 0) + one.count
        if not counts:
            self.plate.text(Text(4, base - 8, "no alert in this window", "ink3"))
            return
        most = max(counts.values())
        for at, n in counts.items():
            left, right = self._x(at), self._x(at + timedelta(seconds=self.one.density.seconds))
            if self.ends[0] <= (at - self.zero).total_seconds() <= self.ends[1]:
                high = max(n / most * 22, 1.5)
                told = f"{n} alerts"
                self.plate.box(Box(left, base - high, max(right - 0.5, left + 1.5), base, "ink3", told))
        last = self._x(max(counts) + timedelta(seconds=self.one.density.seconds))
        self.plate.say(Text(min(last + 6, self.plate.wide - 60), base - 8, f"peak {most}", "ink2"))


def levels(places: Sequence[float]) -> list[int]:
    """For marks from left to right the level on which each stands clear of those before it, the last one if on none."""
    ends: list[float] = []
    found = []
    for x in places:
        free = next((level for level, end in enumerate(ends) if x - end >= _APART), min(len(ends), _LEVELS - 1))
        ends[free : free + 1] = [x]
        found.append(free)
    return found


def _extent(views: Sequence[Compared], anchor: str) -> tuple[float, float]:
    """Seconds before and after the anchor that are drawn."""
    before = [(one.since - anchored(one, anchor)[0]).total_seconds() for one in views]
    after = [(one.until - anchored(one, anchor)[0]).total_seconds() for one in views]
    least, most = min(before), max(after)
    whole = median(b - a for a, b in zip(before, after, strict=True)) * _REACH
    least, most = max(least, -whole), min(most, whole)
    pad = max(60.0, (most - least) * 0.02)
    return min(least, 0.0) - pad, max(most, 0.0) + pad


def _ticks(least: float, most: float, pixels: float) -> list[float]:
    step = next((s for s in _STEPS if s / (most - least) * pixels >= 72), _STEPS[-1])
    first = -(-int(least) // step)
    return [n * step for n in range(first, int(most // step) + 1)]
