"""The layout of an incident: from a frozen view to marks in pixels, by plain arithmetic and without a renderer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from dashboards import grid, intervals, phases, weather
from dashboards.axis import Tick, clock, clock_changes, day, ticks, zone_letters, zone_of, zone_words
from dashboards.clearings import clear
from dashboards.counts import bins_of
from dashboards.gaps import feeds_of
from dashboards.lane_items import items_of
from dashboards.lanes import Packing, draw
from dashboards.marks import USUAL, Box, Frame, Rule, Scene, Sizes, Text
from dashboards.phases import STRIP
from dashboards.typeface import clean, longest, width, wrap
from incidents.lanes import reading_lane
from incidents.model import Lane
from incidents.views.view import Bar, Gap, IncidentView

LANES: tuple[Lane, ...] = (
    "weather", "warnings", "grid", "site", "hardware", "network", "providers", "changes", "platform", "service",
    "people",
)  # fmt: skip
"""From the outside world at the top to people at the bottom."""
NOTES: Mapping[Lane, str] = {
    "weather": "readings near the site",
    "warnings": "official notices",
    "grid": "notices",
    "site": "power and cooling",
    "hardware": "hosts, racks",
    "network": "paths",
    "providers": "their status posts",
    "changes": "deploys, flags",
    "platform": "what runs programs",
    "service": "what users feel",
    "people": "entries",
}
BRIEF: Mapping[str, str] = {
    "weather": "readings",
    "warnings": "official",
    "providers": "status posts",
    "platform": "runs programs",
    "intervals": "of milestones",
    "cascade": "order in time",
}
"""Notes that fit beside the name of a lane of one row, where the longer ones do not."""
_SILENCE: Mapping[str, str] = {"weather": "no readings near the site", "intervals": "no two milestones recorded yet"}
GUTTER, NARROW_GUTTER, RIGHT = 150, 78, 20
NARROW = 640
"""Below this width lanes have their names alone, and notes that must be read stand in the lane."""
_AXIS = 20
_TRACK = 52
_GRID_APART = 90
"""Ticks further apart than this have fainter lines between them."""


class Layout:
    """A view over an axis of one width: scenes of it in any sizes and rows, for which each mark is measured once."""

    def __init__(self, view: IncidentView, width: int, *, on_paper: bool = False) -> None:
        """Nobody can point at what is `on_paper`: its words are as long as there is room for."""
        self.view, self.width, self._on_paper = view, width, on_paper
        gutter = NARROW_GUTTER if width < NARROW else GUTTER
        self.frame = frame_of(view, gutter, width - RIGHT)
        self._bars, self._gaps = _by_lane(view)
        self._packings: dict[Lane, Packing] = {}
        self._ticks = ticks(self.frame.since, self.frame.until, self.frame.zone, self.frame.right - gutter)

    def scene(
        self, *, rows: int | Mapping[str, int] = 4, sizes: Sizes = USUAL, track: bool = False,
        lane_heights: Mapping[str, float] | None = None, cascade: bool = True,
    ) -> Scene:  # fmt: skip
        """Lays the view out with at most `rows` rows a lane; `track` adds the known-at track.

        `rows` is one number for all lanes, or one for each by its name.
        `lane_heights` keeps lanes at least so high, by name: those of another moment of the same view.
        """
        view, scene = self.view, self._empty(sizes)
        heights = lane_heights or {}
        top = _AXIS
        scene.top_axis = 9
        y = float(top + STRIP + 4)
        most = dict.fromkeys(LANES, rows) if isinstance(rows, int) else rows
        for lane in LANES:
            bottom = self._lane(scene, lane, y, rows=most[lane])
            y = _close(scene, lane, bottom, heights)
        scene.body = (top + STRIP, y)
        y = _close(scene, "intervals", _intervals(scene, view, y), heights)
        if cascade and view.cascade is not None:
            y = _close(scene, "cascade", _cascade(scene, view, y), heights)
        phases.draw(scene, view, top)
        _axis(scene, view, top + STRIP, y)
        scene.bottom_axis = y + 12
        y = _name_zone(scene, view, y + 36)
        if track:
            y = _known_at(scene, view, y)
        scene.height = y
        clear(scene)
        return scene

    def _empty(self, sizes: Sizes) -> Scene:
        frame, wide = self.frame, self.width
        scene = Scene(frame, wide, frame.left, sizes)
        for tick in self._ticks:
            if frame.x(tick.at) + _half(tick.words, 600) <= wide:
                fits = frame.x(tick.at) + _half(tick.beneath, 400) <= wide
                scene.ticks.append(tick if fits else Tick(tick.at, tick.words, "", tick.level))
        return scene

    def _lane(self, scene: Scene, lane: Lane, top: float, *, rows: int) -> float:
        """Draws one lane and returns where it ends."""
        view, bars = self.view, self._bars[lane]
        if lane == "weather" and weather.drawn_series(view):
            return _weather(scene, view, top)
        curves = grid.height(view, scene.sizes.weather * grid.HIGH) if lane == "grid" else 0
        if lane not in self._packings:
            self._packings[lane] = self._packing(lane, silence="" if curves else silence_of(view, lane))
        packing = self._packings[lane]
        packed = packing.pack(rows)
        draw(scene, packed, top)
        is_empty = not len(packing.items) and not self._gaps[lane]
        bottom = top + (packed.height(scene.sizes) if not (is_empty and curves) else 0)
        if curves:
            scene.lanes[lane] = (top, bottom + curves)
            grid.draw(scene, view, bottom, scene.sizes.weather * grid.HIGH)
            return _noted(scene, lane, grid.note(view), top, bottom + curves)
        room = scene.gutter - 10
        lines = max(_lines_beneath(scene, top, bottom), 1)

        def fits(note: str) -> bool:
            return len(wrap(note, room, lines + 1, scene.sizes.note)) <= lines

        _gutter(scene, lane, _note(lane, bars, fits), top, bottom, room=room)
        return bottom

    def _packing(self, lane: Lane, *, silence: str) -> Packing:
        view, bars = self.view, self._bars[lane]
        kind = bars[0].occurrence.kind if bars else "entry" if lane == "people" else "alert"
        items = items_of(bars, view.marks if lane == "people" else (), self.frame, view.as_of)
        return Packing(
            items, self._gaps[lane], self.frame, kind=kind, silence=silence,
            density=bins_of(view.density, lane), by_service=lane in {"platform", "service"},
            feeds=feeds_of(view.coverage, lane), standing=view.standing.get(lane, 0),
            lengthens=self._on_paper,
        )  # fmt: skip


def compose(
    view: IncidentView, *, width: int, rows: int | Mapping[str, int] = 4, sizes: Sizes = USUAL, track: bool = False,
    lane_heights: Mapping[str, float] | None = None,
) -> Scene:  # fmt: skip
    """One scene of a view, as `Layout.scene` makes it."""
    return Layout(view, width).scene(rows=rows, sizes=sizes, track=track, lane_heights=lane_heights)


def _close(scene: Scene, lane: str, bottom: float, heights: Mapping[str, float]) -> float:
    """Ends a lane not before the height that it must keep."""
    top = scene.lanes[lane][0]
    bottom = max(bottom, top + heights.get(lane, 0))
    scene.lanes[lane] = (top, bottom)
    return bottom


def _name_zone(scene: Scene, view: IncidentView, bottom: float) -> float:
    """Names the zone left of the lower axis; in a narrow figure on a line of its own."""
    words = zone_words(view.since, scene.frame.zone)
    if scene.gutter >= GUTTER:
        scene.texts.append(Text(2, scene.bottom_axis, words, "ink3", fixed=True))
        return bottom
    scene.texts.append(Text(2, bottom + 5, words, "ink3", fixed=True))
    return bottom + 14


def frame_of(view: IncidentView, left: float, right: float) -> Frame:
    """The view's window over these pixels, with the line up to which anything is known, and now."""
    until, zone = max(view.until, view.since + timedelta(seconds=1)), zone_of(view.zone)
    whole = Frame(view.since, until, left, right, right, zone)
    edge = whole.inside(view.as_of) if view.as_known else right
    return Frame(view.since, until, left, right, edge, zone, _on_until(view))


def _on_until(view: IncidentView) -> datetime | None:
    """Now, which the view gives by the minute; what was recorded within that minute does not lie in the future."""
    if view.on_until is None or view.as_known:
        return view.on_until
    within = [at for at in view.recorded if view.on_until < at < view.on_until + timedelta(minutes=1)]
    return min(max([view.on_until, *within]), max(view.until, view.on_until))


def _half(words: str, weight: int) -> float:
    return width(words, 11, weight) / 2


def _by_lane(view: IncidentView) -> tuple[dict[Lane, list[Bar]], dict[Lane, list[Gap]]]:
    bars: dict[Lane, list[Bar]] = {lane: [] for lane in LANES}
    gaps: dict[Lane, list[Gap]] = {lane: [] for lane in LANES}
    for bar in view.bars:
        bars[bar.lane].append(bar)
    for gap in view.gaps:
        gaps[gap.lane].append(gap)
    return bars, gaps


def _weather(scene: Scene, view: IncidentView, top: float) -> float:
    """The lane of the sky's curves."""
    bottom = top + scene.sizes.weather
    weather.draw(scene, view, top, bottom)
    return _noted(scene, "weather", weather.note(view), top, bottom)


def _noted(scene: Scene, lane: Lane, note: str, top: float, bottom: float) -> float:
    """Ends a lane of curves; in a narrow figure its note, which names the basis, stands beneath them."""
    if scene.gutter < GUTTER:
        room = scene.frame.right - scene.frame.left - 8
        for words in wrap(note, room, 3):
            scene.texts.append(Text(scene.frame.left, bottom + 7, words, "ink3", shift=4))
            bottom += 14
    _gutter(scene, lane, note, top, bottom, room=scene.gutter - 56)
    return bottom


def silence_of(view: IncidentView, lane: str) -> str:
    """What an empty lane says of itself."""
    if lane not in view.silence and _has_elsewhere(view, lane):
        return "no reading in this window" if lane == "weather" else "nothing recorded in this window"
    return view.silence.get(lane, _SILENCE.get(lane, "nothing recorded"))


def _has_elsewhere(view: IncidentView, lane: str) -> bool:
    """Whether an empty lane has something outside of the window."""
    return (
        any(bar.lane == lane for bar in view.bars)
        or (lane == "people" and bool(view.marks))
        or any(reading_lane(series.variable) == lane for series in view.series)
    )


def _note(lane: Lane, bars: Sequence[Bar], fits: Callable[[str], bool]) -> str:
    """What stands beneath a lane's name: for warnings as many of their sources as fit, else what it holds."""
    if lane != "warnings" or not bars:
        return NOTES[lane]
    names = sorted({clean(bar.occurrence.source, 24) for bar in bars})
    for shown in range(len(names), 0, -1):
        left_out = len(names) - shown
        said = ", ".join(names[:shown]) + (f" and {left_out} more" if left_out else "")
        if fits(said):
            return said
    return f"{len(names)} sources" if len(names) > 1 else names[0]


def _gutter(scene: Scene, lane: str, note: str, top: float, bottom: float, *, room: float) -> None:
    """The lane's name with its note beneath, or beside it in a lane of one row; and the hairline above."""
    scene.lanes[lane] = (top, bottom)
    scene.rules.append(Rule(0, top, scene.frame.right, top, "line", fixed=True))
    name = lane.capitalize()
    middle = _name_y(scene, top)
    scene.texts.append(Text(2, middle, name, "ink", 12, 600, fixed=True))
    if scene.gutter < GUTTER:
        return
    beneath = _lines_beneath(scene, top, bottom)
    if beneath < 1:
        beside = 2 + width(name, 12, 600) + 8
        fitting = [
            words for words in (note, BRIEF.get(lane, "")) if beside + width(words, scene.sizes.note) <= 2 + room
        ]
        if fitting:
            scene.texts.append(Text(beside, middle, fitting[0], "ink3", scene.sizes.note, fixed=True))
        return
    for number, words in enumerate(wrap(note, room, beneath, scene.sizes.note)):
        scene.texts.append(Text(2, middle + 15 + number * 14, words, "ink3", scene.sizes.note, fixed=True))


def _name_y(scene: Scene, top: float) -> float:
    return top + scene.sizes.pad + scene.sizes.bar / 2


def _lines_beneath(scene: Scene, top: float, bottom: float) -> int:
    """Lines of a note that fit beneath the name of a lane."""
    return int((bottom - _name_y(scene, top) - 22) // 14) + 1


def _intervals(scene: Scene, view: IncidentView, top: float) -> float:
    found = intervals.steps(view)
    if not found:
        words = silence_of(view, "intervals")
        words = longest((words, "none yet"), scene.frame.right - scene.frame.left - 10)
        scene.texts.append(Text(scene.frame.left, top + scene.sizes.pad + scene.sizes.bar / 2, words, "ink3", shift=8))
    bottom = top + intervals.height(len(found), scene.sizes)
    _gutter(scene, "intervals", "measured between marks", top, bottom, room=scene.gutter - 10)
    intervals.draw(scene, found, top)
    return bottom


def _cascade(scene: Scene, view: IncidentView, top: float) -> float:
    """What passed between the known steps from the warning to the recovery, and which are not known."""
    found = intervals.cascade_steps(view)
    room = scene.frame.right - scene.frame.left - 10
    said = wrap(intervals.unknown_words(view), room, 2 if scene.gutter >= GUTTER else 4)
    if not found and view.cascade is not None and view.cascade.steps:
        only = view.cascade.steps[0]
        said = wrap(f"{only.words} alone is known; {intervals.unknown_words(view)}", room, 2)
    drawn = len(found) * scene.sizes.step
    for number, words in enumerate(said):
        y = top + scene.sizes.pad + drawn + (number + 0.5) * 14
        scene.texts.append(Text(scene.frame.left, y, words, "ink3", shift=8))
    bottom = top + max(scene.sizes.least, drawn + len(said) * 14 + 2 * scene.sizes.pad)
    _gutter(scene, "cascade", "order, not cause", top, bottom, room=scene.gutter - 10)
    intervals.draw(scene, found, top)
    return bottom


def _axis(scene: Scene, view: IncidentView, top: float, bottom: float) -> None:
    """Grid, midnights, changes of the clock, and the line at which knowledge ends."""
    frame = scene.frame
    inks = ("sunk", "line", "line2")
    apart = frame.x(scene.ticks[1].at) - frame.x(scene.ticks[0].at) if len(scene.ticks) > 1 else 0
    if apart > _GRID_APART:
        for tick in ticks(frame.since, frame.until, frame.zone, (frame.right - frame.left) * 2):
            scene.rules.insert(0, Rule(frame.x(tick.at), top, frame.x(tick.at), bottom, "sunk"))
    for tick in scene.ticks:
        x = frame.x(tick.at)
        if frame.left <= x <= frame.right:
            scene.rules.insert(0, Rule(x, top, x, bottom, inks[tick.level]))
    dates = [text.box for text in scene.tick_texts()]
    for change in clock_changes(frame.since, frame.until, frame.zone):
        x = frame.x(change.at)
        scene.rules.append(Rule(x, top, x, bottom, "ink3", 1, "4,2"))
        text = Text(x, bottom + 26, change.words, "ink2", anchor="middle")
        left, _, right, _ = text.box
        spans = [
            (box[0], box[2])
            for box, tick in zip(dates, scene.tick_texts(), strict=True)
            if tick.y > 9 and _is_date(tick)
        ]
        if left >= 0 and right <= scene.width and all(right + 4 <= first or left >= last + 4 for first, last in spans):
            scene.texts.append(text)
    if view.as_known and frame.edge < frame.right:
        scene.bands.append(Box(frame.edge, scene.body[0], frame.right, scene.body[1], "not-known"))
        scene.rules.append(Rule(frame.edge, top - STRIP, frame.edge, scene.body[1], "accent", 1.5))
    elif frame.left < frame.now < frame.right:
        scene.rules.append(Rule(frame.now, top - STRIP, frame.now, scene.body[1], "ink2"))


def _is_date(text: Text) -> bool:
    return not text.words[:1].isdigit() or " " in text.words


def _known_at(scene: Scene, view: IncidentView, top: float) -> float:
    """Ticks of what was recorded when, above the place of the slider's track, with words beneath."""
    frame = scene.frame
    scene.lanes["known at"] = (top, top + _TRACK)
    scene.rules.append(Rule(0, top, frame.right, top, "line", fixed=True))
    scene.texts.append(Text(2, top + 16, "Known at", "ink", 12, 600, fixed=True))
    if scene.gutter >= GUTTER:
        scene.texts.append(Text(2, top + 32, "hides what came later", "ink3", scene.sizes.note, fixed=True))
    drawn = sorted({round(frame.x(at) * 2) / 2 for at in view.recorded if frame.since <= at <= frame.until})
    for x in drawn:
        scene.rules.append(Rule(x, top + 9, x, top + 16, "ink2"))
    scene.known_at = top + 24
    when = f"{day(view.as_of, frame.zone, year=True)} {clock(view.as_of, frame.zone)}"
    when += f" {zone_letters(view.as_of, frame.zone)}"
    later = sum(1 for at in view.recorded if at > view.as_of)
    said = (
        (f"as known on {when}; {later} later statements hidden", f"as known on {when}")
        if view.as_known
        else (
            f"everything, as of {when}",
            f"as of {when}",
        )
    )
    room = frame.right - frame.left
    words = next((words for words in said if width(words, 11, 600) <= room), "")
    if words:
        scene.texts.append(Text(frame.right, top + 42, words, "ink", 11, 600, anchor="end", fixed=True))
    hint = "each tick above: something was recorded"
    if width(hint) + width(words, 11, 600) + 24 <= room:
        scene.texts.append(Text(frame.left, top + 42, hint, "ink2", fixed=True))
    return top + _TRACK
