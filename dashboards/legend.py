"""The legend of a drawing on paper: a sample and a word for each kind of mark that the drawing holds, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dashboards.axis import clock, clock_changes, day, zone_of
from dashboards.canvas import Canvas
from dashboards.marks import SEVERITY_SHAPES, Box, Glyph, Rule, Scene, Shape, Text
from dashboards.typeface import width
from incidents.model import Severity
from incidents.views.view import IncidentView

ROW = 18
"""Pixels from one row of a legend to the next."""
_APART, _BEHIND = 15, 6


class Sample(NamedTuple):
    """One kind of mark: a shape, or the name of what is drawn otherwise; its ink; what it is called."""

    shape: str
    ink: str
    words: str

    @property
    def wide(self) -> float:
        """Pixels of the sample with its words."""
        return self.room + _BEHIND + width(self.words)

    @property
    def room(self) -> float:
        """Pixels of the sample alone."""
        return 22 if self.shape in {"whisker", "hatch", "late", "dashes"} else 12


def samples(view: IncidentView, scene: Scene) -> list[Sample]:
    """What the drawing holds, in the order in which a reader meets it."""
    drawn = {(glyph.shape, glyph.ink) for glyph in scene.glyphs}
    kinds = {bar.occurrence.kind for bar in view.bars}
    found = [Sample(SEVERITY_SHAPES[each], _ink(each), _called(each)) for each in _severities(view, drawn)]
    found += [Sample("edge", "hazard", "official warning")] if "hazard" in kinds else []
    found += [Sample("edge", "provider", "provider incident")] if "provider_incident" in kinds else []
    found += (
        [Sample("ring", "ink2", "provider\N{RIGHT SINGLE QUOTATION MARK}s post")] if ("ring", "ink2") in drawn else []
    )
    found += [Sample("change", "ink2", "change")] if "change" in kinds else []
    found += [Sample("square", "ink", "entry")] if view.marks else []
    found += [Sample("late", "ink", "recorded late")] if "hollow" in {shape for shape, _ in drawn} else []
    found += [Sample("whisker", "ink2", "uncertain time")] if _is_uncertain(view) else []
    found += [Sample("hatch", "gap", "feed gap")] if scene.gaps else []
    zone = zone_of(view.zone)
    for change in clock_changes(view.since, view.until, zone):
        when = f"{day(change.at, zone)} {clock(change.at, zone)}"
        found.append(Sample("dashes", "ink3", f"clock change {when}, {change.words}"))
    return found


def _severities(view: IncidentView, drawn: set[tuple[Shape, str]]) -> list[Severity]:
    counted = {bin_.severity for bin_ in view.density.bins} if view.density else set()
    alerts = {bar.occurrence.severity for bar in view.bars if bar.occurrence.kind == "alert"} | counted
    shown = {each for each in Severity if (SEVERITY_SHAPES[each], _ink(each)) in drawn}
    return sorted(alerts | (shown - {Severity.UNKNOWN}), key=lambda each: -each.rank)


def _ink(severity: Severity) -> str:
    return "ink3" if severity == Severity.UNKNOWN else str(severity)


def _called(severity: Severity) -> str:
    return {Severity.CRITICAL: "critical alert", Severity.UNKNOWN: "severity not told"}.get(severity, str(severity))


def _is_uncertain(view: IncidentView) -> bool:
    said = (bar.occurrence.starts_until for bar in view.bars)
    marked = (mark.happened_until for mark in view.marks)
    begun = (phase.since_until for phase in view.phases)
    return any(until is not None for until in (*said, *marked, *begun))


def rows_of(found: Sequence[Sample], room: float) -> list[list[Sample]]:
    """The samples in rows of at most `room` pixels; none is left out."""
    rows: list[list[Sample]] = [[]]
    taken = 0.0
    for each in found:
        if rows[-1] and taken + each.wide > room:
            rows.append([])
            taken = 0
        rows[-1].append(each)
        taken += each.wide + _APART
    return rows if rows[0] else []


def draw(canvas: Canvas, rows: Sequence[Sequence[Sample]], left: float, top: float) -> None:
    """Draws rows of samples, the first one centred on `top`."""
    for number, row in enumerate(rows):
        x, y = left, top + number * ROW
        for each in row:
            _draw_sample(canvas, each, x, y)
            canvas.text(Text(x + each.room + _BEHIND, y, each.words, "ink2"))
            x += each.wide + _APART


def _draw_sample(canvas: Canvas, sample: Sample, x: float, y: float) -> None:
    end, ink = x + sample.room, sample.ink
    match sample.shape:
        case "edge":
            canvas.box(Box(x, y - 5, end, y + 5, f"{ink}-tint"))
            canvas.box(Box(x, y - 5, x + 2, y + 5, ink))
        case "change":
            canvas.box(Box(x, y - 5, end, y + 5, "unknown-tint"))
            canvas.box(Box(x, y - 5, x + 2, y + 5, ink))
        case "hatch":
            canvas.hatch(Box(x, y - 5, end, y + 5, ink))
        case "whisker":
            canvas.rule(Rule(x, y, end, y, ink, 1.5))
            for at in (x, end):
                canvas.rule(Rule(at, y - 4, at, y + 4, ink, 1.5))
        case "late":
            canvas.rule(Rule(x + 8, y, end, y, ink, 1, "2,2"))
            canvas.rule(Rule(end, y - 4, end, y + 4, ink, 1))
            canvas.glyph(Glyph(x + 4, y, "hollow", ink))
        case "dashes":
            canvas.rule(Rule(x + 11, y - 7, x + 11, y + 7, ink, 1, "4,2"))
        case shape:
            canvas.glyph(Glyph(x + sample.room / 2, y, shape, ink))  # type: ignore[arg-type]  # the other names are above
