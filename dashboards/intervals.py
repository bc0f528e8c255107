"""Lengths between an incident's milestones as a staircase beneath the lanes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from dashboards.marks import Frame, Glyph, Line, Rule, Scene, Sizes, Text
from dashboards.typeface import width
from dashboards.words import lengths
from incidents.cascade import CascadeStep
from incidents.instants import length
from incidents.measurements import PAIRS
from incidents.model import Incident, Measurement, Moment
from incidents.views.view import IncidentView

_ENDS = {name: (since, until) for name, since, until in PAIRS}
_MILESTONES = {
    "impact_started_at": "impact began",
    "detected_at": "detected",
    "acknowledged_at": "acknowledged",
    "mitigated_at": "mitigated",
    "resolved_at": "resolved",
}
_APART = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One interval: certain from `since` to `until`, possible up to `until_most`; `until` is open when pending."""

    since: datetime
    until: datetime
    until_most: datetime | None
    length: str
    names: str
    pending: bool


def steps(view: IncidentView) -> list[Step]:
    """The recorded and pending measurements that can be placed on the axis, earliest first."""
    placed = [_step(measurement, view) for measurement in view.measurements]
    return sorted((step for step in placed if step is not None), key=lambda step: (step.since, step.until))


def cascade_steps(view: IncidentView) -> list[Step]:
    """What passed between each two known steps that followed one another; it says nothing of what led to what."""
    known = view.cascade.steps if view.cascade else ()
    return [
        Step(
            before.at,
            max(after.at, before.at),
            after.until,
            _between(before, after),
            f"{before.words} \u2192 {after.words}",
            pending=False,
        )
        for before, after in pairwise(known)
    ]


def _between(before: CascadeStep, after: CascadeStep) -> str:
    least = max(0.0, (after.at - (before.until or before.at)).total_seconds())
    most = ((after.until or after.at) - before.at).total_seconds()
    words = lengths(least, most)
    return f"about {words}" if (before.is_about or after.is_about) and least > 0 else words


def unknown_words(view: IncidentView) -> str:
    """The steps that are left out, each with why."""
    unknown = view.cascade.unknown if view.cascade else ()
    return "not known: " + "; ".join(f"{name} ({why})" for name, why in unknown) if unknown else ""


def height(count: int, sizes: Sizes) -> int:
    """Height of the lane with this many steps."""
    return max(sizes.least, count * sizes.step + 2 * sizes.pad)


def draw(scene: Scene, found: list[Step], top: float) -> None:
    """Draws the staircase from `top` on, with guides from its ends up to the lanes."""
    guides: set[int] = set()
    for number, step in enumerate(found):
        y = top + scene.sizes.pad + (number + 0.5) * scene.sizes.step
        _draw_step(scene, step, y)
        for at in (step.since, step.until):
            x = round(scene.frame.x(at))
            if scene.frame.left < x < scene.frame.edge and x not in guides and not (step.pending and at == step.until):
                guides.add(x)
                scene.rules.append(Rule(x, scene.body[0], x, y, "ink3", 1, "1,3"))


def _step(measurement: Measurement, view: IncidentView) -> Step | None:
    if measurement.name not in _ENDS or measurement.outcome not in {"recorded", "pending"}:
        return None
    first, last = _ENDS[measurement.name]
    start: Moment | None = getattr(view.incident, first)
    if start is None and first == "impact_started_at":
        first, start = "detected_at", view.incident.detected_at
    if start is None:
        return None
    names = f"{_MILESTONES[first]} \u2192 {_MILESTONES[last]}"
    if measurement.outcome == "pending":
        words = f"{length((view.as_of - start.at).total_seconds())} so far"
        return Step(start.at, max(start.at, view.as_of), None, words, names, pending=True)
    end = _moment(view.incident, last)
    if end is None or measurement.seconds is None:
        return None
    words = lengths(measurement.seconds, measurement.seconds_max)
    return Step(start.at, max(end.at, start.at), end.until, words, names, pending=False)


def _moment(incident: Incident, milestone: str) -> Moment | None:
    found: Moment | None = getattr(incident, milestone)
    return found


def _draw_step(scene: Scene, step: Step, y: float) -> None:
    frame = scene.frame
    if frame.x(step.since) > frame.edge or frame.x(step.until_most or step.until) < frame.left:
        _write(scene, step, y, frame.left, 8)
        return
    left, right = _held(frame, step.since), _held(frame, step.until)
    reach = max(right, _held(frame, step.until_most)) if step.until_most else right
    room = _room(step, names=True)
    inside = room + 24 <= right - left
    if room <= frame.right - 2 - reach - _APART:
        _write(scene, step, y, reach, _APART)
    elif room <= left - _APART - frame.left - 2:
        _write(scene, step, y, left, -_APART - room)
    elif not inside and _room(step, names=False) <= frame.right - 2 - reach - _APART:
        _write(scene, step, y, reach, _APART, names=False)
        left = _name_within(scene, step, y, left, right)
    elif not inside and _room(step, names=False) <= left - _APART - frame.left - 2:
        _write(scene, step, y, left, -_APART - _room(step, names=False), names=False)
        left = _name_within(scene, step, y, left, right)
    else:
        _run_around(scene, step, y, left, right)
        left = right
    if right > left:
        scene.lines.append(Line(((left, y), (right, y)), "ink", 1.5))
    if reach > right:
        scene.lines.append(Line(((right, y), (reach, y)), "ink", 1.5, "2,2"))
    _draw_ends(scene, step, y)


def _draw_ends(scene: Scene, step: Step, y: float) -> None:
    """Caps where it begins and ends; an arrow where it began before the view or goes on beyond it or beyond now."""
    frame = scene.frame
    first, last = frame.x(step.since), frame.x(step.until)
    if first < frame.left:
        scene.glyphs.append(Glyph(frame.left + 3, y, "left", "ink"))
    if step.pending or last > frame.edge:
        scene.glyphs.append(Glyph(_held(frame, step.until) - 3, y, "right", "ink"))
    for x, closed in ((first, True), (last, not step.pending)):
        if closed and frame.left <= x <= frame.edge:
            scene.lines.append(Line(((x, y - 5), (x, y + 5)), "ink", 1.5))


def _run_around(scene: Scene, step: Step, y: float, left: float, right: float) -> None:
    """The line with its words in a break of it, for a step that fills the axis."""
    names = _room(step, names=True) + 24 <= right - left
    room = _room(step, names=names)
    begins = (left + right - room) / 2
    if room + 24 > right - left:
        scene.lines.append(Line(((left, y), (right, y)), "ink", 1.5))
        return
    scene.lines.append(Line(((left, y), (begins - 6, y)), "ink", 1.5))
    scene.lines.append(Line(((begins + room + 6, y), (right, y)), "ink", 1.5))
    _write(scene, step, y, begins, 0, names=names)


def _name_within(scene: Scene, step: Step, y: float, left: float, right: float) -> float:
    """What it runs between, in a break of the line, where it fits; from where on the line is still to be drawn."""
    room = width(step.names)
    begins = (left + right - room) / 2
    if room + 24 > right - left:
        return left
    scene.lines.append(Line(((left, y), (begins - 6, y)), "ink", 1.5))
    scene.texts.append(Text(begins, y, step.names, "ink2"))
    return begins + room + 6


def _held(frame: Frame, at: datetime) -> float:
    return min(max(frame.x(at), frame.left), frame.edge)


def _room(step: Step, *, names: bool) -> float:
    return width(step.length, 11, 600) + (6 + width(step.names) if names else 0)


def _write(scene: Scene, step: Step, y: float, x: float, shift: float, *, names: bool = True) -> None:
    """The length in bold, then what it runs between where that leaves the view uncut."""
    bold = width(step.length, 11, 600)
    scene.texts.append(Text(x, y, step.length, "ink", weight=600, shift=shift))
    if names and x + shift + _room(step, names=True) <= scene.width:
        scene.texts.append(Text(x, y, step.names, "ink2", shift=shift + bold + 6))
