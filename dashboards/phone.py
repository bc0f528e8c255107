"""An incident on a phone: 328 pixels wide, one row a lane, nothing that scrolls sideways."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import captions, gaps, grid, weather
from dashboards import counts as counting
from dashboards.axis import ticks, zone_letters
from dashboards.canvas import Canvas, inline
from dashboards.clearings import clear
from dashboards.counts import bins_of
from dashboards.items import Item, of_bar, of_mark, tip_of
from dashboards.lane_items import begun_of
from dashboards.marks import SHAPE_SIZES, Box, Glyph, Line, Rule, Scene, Text
from dashboards.scene import LANES, frame_of, silence_of
from dashboards.tokens import PHASE_TINTS, Paint
from dashboards.typeface import clean, longest, width, wrap
from dashboards.words import phase_called, phase_lasting, phase_length
from incidents.model import Lane
from incidents.views.view import Density, IncidentView

WIDTH = 328
_ROW = 22
_WEATHER = 88
_GRID = 64
_LABELLED: tuple[Lane, ...] = ("warnings",)


def phone_svg(view: IncidentView, theme: Paint = "page") -> str:
    """The view as an inline SVG; with "page" it has classes in place of colours."""
    scene = compose_phone(view)
    canvas = Canvas(theme)
    canvas.scene(scene)
    return inline(canvas.parts, WIDTH, scene.height, title=captions.title(view), description=captions.described(view))


def compose_phone(view: IncidentView) -> Scene:
    """The marks of the phone's figure."""
    scene = _empty(view)
    letters = zone_letters(view.since, scene.frame.zone)
    room = WIDTH - width(letters, 12) - 12
    scene.texts.append(Text(0, 9, longest((captions.range_words(view),), room, 13, 600), "ink", 13, 600))
    scene.texts.append(Text(WIDTH, 9, letters, "ink2", 12, anchor="end"))
    y = _strip(scene, view, 26)
    scene.body = (y, y)
    for lane in LANES:
        y = _lane(scene, view, lane, y)
    scene.body = (scene.body[0], y)
    for tick in scene.ticks:
        x = scene.frame.x(tick.at)
        scene.rules.insert(0, Rule(x, scene.body[0], x, y, "line" if tick.level else "sunk"))
    if view.as_known and scene.frame.edge < scene.frame.right:
        scene.bands.append(Box(scene.frame.edge, scene.body[0], scene.frame.right, y, "not-known"))
        scene.rules.append(Rule(scene.frame.edge, scene.body[0], scene.frame.edge, y, "accent", 1.5))
    elif scene.frame.left < scene.frame.now < scene.frame.right:
        scene.rules.append(Rule(scene.frame.now, scene.body[0], scene.frame.now, y, "ink2"))
    scene.bottom_axis = y + 11
    scene.height = y + (34 if any(tick.beneath for tick in scene.ticks) else 20)
    clear(scene)
    return scene


def _empty(view: IncidentView) -> Scene:
    whole = frame_of(view, 0, WIDTH)
    scene = Scene(whole, WIDTH, 0)
    for tick in ticks(whole.since, whole.until, whole.zone, WIDTH):
        half = max(width(tick.words, 11, 600), width(tick.beneath)) / 2
        if half <= whole.x(tick.at) <= WIDTH - half:
            scene.ticks.append(tick)
    return scene


def _strip(scene: Scene, view: IncidentView, top: float) -> float:
    frame = scene.frame
    unnamed: list[tuple[str, str]] = []
    for phase in view.phases:
        left, right = frame.inside(phase.since), frame.inside(phase.until)
        if right <= left:
            continue
        tint, ink = PHASE_TINTS[phase.name]
        scene.boxes.append(Box(left, top, max(right - 1.5, left + 1), top + 18, tint))
        lasted = phase_length(phase)
        variants = (
            (phase.name,)
            if phase.name in ("before", "resolved")
            else (
                phase_lasting(phase.name, view.incident, lasted),
                phase_called(phase.name, view.incident),
            )
        )
        if phase.since_until is not None:
            vague = min(frame.inside(phase.since_until), right)
            scene.lines.append(Line(((left, top + 9), (vague, top + 9)), ink, 1.5))
            left = vague
        words = next((words for words in variants if width(words) <= right - left - 8), "")
        if words:
            scene.texts.append(Text(left, top + 9, words, ink, shift=4))
        else:
            unnamed.append((tint, variants[0]))
    return _key(scene, unnamed, top + 22)


def _key(scene: Scene, phases: Sequence[tuple[str, str]], top: float) -> float:
    """What the phases are that are too short for their names: a piece of each with its words, in as many lines."""
    x = 0.0
    for tint, words in phases:
        if x and x + 14 + width(words) > WIDTH:
            x, top = 0.0, top + 16
        scene.boxes.append(Box(x, top + 2, x + 10, top + 12, tint))
        scene.texts.append(Text(x, top + 7, words, "ink2", shift=14))
        x += 14 + width(words) + 14
    return top + 18 if phases else top


def _lane(scene: Scene, view: IncidentView, lane: Lane, top: float) -> float:
    """Draws a lane in one row and returns where it ends."""
    if lane == "weather" and weather.drawn_series(view):
        weather.draw(scene, view, top, top + _WEATHER, values=False)
        note = longest((weather.note(view),), WIDTH - 4)
        scene.texts.append(Text(0, top + _WEATHER + 7, note, "ink3"))
        return top + _WEATHER + 18
    scene.rules.append(Rule(0, top, WIDTH, top, "line"))
    feeds = gaps.feeds_of(view.coverage, lane)
    merged = gaps.merge([gap for gap in view.gaps if gap.lane == lane], scene.frame, feeds)
    items = [of_bar(bar, scene.frame, view.as_of) for bar in view.bars if bar.lane == lane]
    if lane == "people":
        items += [of_mark(mark, scene.frame) for mark in view.marks]
    drawn = sorted((item for item in reversed(items) if item is not None), key=lambda item: (item.rank, -item.x))
    name = lane.capitalize()
    if lane == "grid" and grid.height(view, _GRID):
        return _grid(scene, view, drawn, merged, top)
    density, standing = bins_of(view.density, lane), view.standing.get(lane, 0)
    if density is not None or standing:
        return _crowd(scene, drawn, density, top, name=name, standing=standing)
    if not drawn and not merged:
        silence = clean(silence_of(view, lane))
        scene.texts.append(Text(0, top + 11, name, "ink3"))
        room = WIDTH - width(name) - 12
        scene.texts.append(Text(0, top + 11, longest((silence,), room), "ink3", shift=width(name) + 8))
        return top + _ROW
    if lane in _LABELLED and drawn:
        title = drawn[-1].labels[-1]
        name = f"{title}, {len(drawn) - 1} more" if len(drawn) > 1 else title
    taken = [item.x for item in drawn] + [one.left for one in merged]
    begins = width(name) + 8
    beside = all(x >= begins for x in taken) or (lane in _LABELLED and all(item.begins_before for item in drawn))
    if not beside or merged:
        whose = gaps.whose_of(merged)
        named = (f"{name}, no answer of {whose}", name) if merged else (name,)
        scene.texts.append(Text(0, top + 10, longest(named, WIDTH), "ink"))
        top += 16
    else:
        scene.texts.append(Text(0, top + 11, longest((name,), WIDTH - 4), "ink", shift=4 if lane in _LABELLED else 0))
    _row(scene, drawn, top + _ROW / 2)
    gaps.draw(scene, merged, top + (_ROW - scene.sizes.bar) / 2, named=False)
    return top + _ROW


def _grid(scene: Scene, view: IncidentView, drawn: Sequence[Item], merged: Sequence[gaps.Hatch], top: float) -> float:
    """The grid's bars and gaps in a row of their own, its first curves beneath, and what they are."""
    whose = gaps.whose_of(merged)
    if drawn or merged:
        scene.texts.append(
            Text(0, top + 10, longest((f"Grid, no answer of {whose}" if merged else "Grid",), WIDTH), "ink")
        )
        top += 16
        _row(scene, drawn, top + _ROW / 2)
        gaps.draw(scene, merged, top + (_ROW - scene.sizes.bar) / 2, named=False)
        top += _ROW
    grid.draw(scene, view, top, _GRID, most=1, values=False)
    bottom = top + _GRID
    for words in wrap(f"Grid: {grid.note(view, most=1)}", WIDTH - 4, 2):
        scene.texts.append(Text(0, bottom + 7, words, "ink3"))
        bottom += 14
    return bottom + 4


def _crowd(
    scene: Scene, drawn: Sequence[Item], density: Density | None, top: float, *, name: str, standing: int
) -> float:
    """A lane of more than has room: how many in words, and the stacked counts beneath."""
    begun = begun_of(drawn, scene.frame)
    counts = counting.count(begun, density, scene.frame, kind="alert", left_out=0, standing=standing)
    said = longest((f"{name}: {counts.words}", f"{name}: {counts.brief}"), WIDTH)
    scene.texts.append(Text(0, top + 10, said, "ink"))
    if counts.bins:
        counting.draw(scene, counts, top + 18, top + 18 + _ROW, words=False)
        return top + 22 + _ROW
    return top + _ROW


def _row(scene: Scene, drawn: Sequence[Item], y: float) -> None:
    """All bars of a lane on one line, the gravest in front; glyphs only where they keep clear of graver ones."""
    for item in drawn:
        if item.tint:
            scene.boxes.append(
                Box(item.x, y - 7, max(item.end, item.x + 1), y + 7, item.tint, item.tip or _tip(item, scene))
            )
            if item.shape is None and not item.begins_before:
                scene.lines.append(Line(((item.x + 1, y - 7), (item.x + 1, y + 7)), item.ink, 2))
    places: list[float] = []
    if arrow := _arrow(drawn):
        places.append(arrow)
        scene.glyphs.append(Glyph(arrow, y, "right", "ink2"))
    for item in reversed(drawn):
        if item.whisker is not None:
            scene.lines.append(Line(((item.whisker[0], y), (item.whisker[1], y)), item.ink, 1.5))
        if item.shape is None or item.begins_before:
            continue
        x = min(max(item.x, SHAPE_SIZES[item.shape] / 2), WIDTH - SHAPE_SIZES[item.shape] / 2)
        if all(abs(x - other) >= SHAPE_SIZES[item.shape] for other in places):
            places.append(x)
            scene.glyphs.append(
                Glyph(x, y, item.shape, "ink3" if item.ink == "unknown" else item.ink, item.tip or _tip(item, scene))
            )


def _arrow(drawn: Sequence[Item]) -> float | None:
    """Where the one arrow of a row stands: at the end of the last bar that goes on; None where all are over."""
    ends = [item.end for item in drawn if item.goes_on and item.tint]
    return min(max(ends), WIDTH) - 4 if ends else None


def _tip(item: Item, scene: Scene) -> str:
    return tip_of(item.bar, scene.frame.zone) if item.bar is not None else ""
