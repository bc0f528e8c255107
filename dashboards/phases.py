"""The band of phases above the lanes: what each is called, how long it lasted, and where its beginning is a range."""

from __future__ import annotations

from dashboards.axis import clock
from dashboards.marks import Box, Line, Scene, Text
from dashboards.tokens import PHASE_TINTS
from dashboards.typeface import width
from dashboards.words import phase_called, phase_lasting, phase_length
from incidents.views.view import IncidentView, Phase

STRIP = 16
"""Height of the band."""
_SHIFT, _LEFT_FREE = 7, 2
"""Room before the words of a phase, and behind them at least: a length without its unit would be another length."""


def draw(scene: Scene, view: IncidentView, top: float) -> None:
    """The strip above the lanes, and the bands of impact and mitigated behind them."""
    frame, bottom = scene.frame, top + STRIP
    middle = top + STRIP / 2
    for phase in view.phases:
        if frame.x(phase.until) <= frame.left or frame.x(phase.since) >= frame.edge:
            continue
        left, right = frame.inside(phase.since), frame.inside(phase.until)
        tint, ink = PHASE_TINTS[phase.name]
        scene.boxes.append(Box(left, top, max(right - 1.5, left + 1), bottom - 1, tint))
        lasted = phase_length(phase)
        begin = _vague(scene, phase, (left, right), middle, ink)
        variants: tuple[str, ...] = (
            phase_lasting(phase.name, view.incident, lasted),
            phase_called(phase.name, view.incident),
        )
        if phase.open_ended:
            variants = (phase_lasting(phase.name, view.incident, f"{lasted} so far"), *variants)
        if phase.name == "before" or (phase.name == "resolved" and not phase.open_ended):
            variants = (phase.name,)
        words = next((words for words in variants if width(words, 11, 600) <= right - begin - _SHIFT - _LEFT_FREE), "")
        if words:
            scene.texts.append(Text(begin, middle - 0.5, words, ink, 11, 600, shift=_SHIFT))
        if phase.name in {"impact", "mitigated"}:
            scene.bands.append(Box(left, scene.body[0], right, scene.body[1], f"{phase.name}-band"))
    if view.as_known and frame.edge < frame.right:
        at = clock(view.as_of, frame.zone)
        said = (f"nothing to the right was known at {at}", f"not known at {at}", "not known yet")
        _say_right_of(scene, frame.edge, middle, said)
    elif view.on_until is not None and frame.now < frame.right:
        at = clock(view.on_until, frame.zone)
        _say_right_of(scene, frame.now, middle, (f"now {at}; nothing is known to go on beyond", f"now {at}", "now"))


def _vague(scene: Scene, phase: Phase, ends: tuple[float, float], middle: float, ink: str) -> float:
    """Draws the stretch in which a phase may have begun, as far as it is drawn; where its words may begin."""
    left, right = ends
    if phase.since_until is None:
        return left
    frame = scene.frame
    end = min(frame.inside(phase.since_until), right)
    scene.lines.append(Line(((left, middle), (end, middle)), ink, 1.5))
    for x in (x for x in (left, end) if frame.left < x < frame.edge):
        scene.lines.append(Line(((x, middle - 5), (x, middle + 5)), ink, 1.5))
    return end


def _say_right_of(scene: Scene, x: float, middle: float, variants: tuple[str, ...]) -> None:
    room = scene.frame.right - x - 14
    words = next((words for words in variants if width(words) <= room), "")
    if words:
        scene.texts.append(Text(x, middle, words, "ink2", shift=10))
