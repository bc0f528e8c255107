"""How long things took, drawn: each incident as one mark on a log scale, and the share that had ended by when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from dashboards.axis import ticks, zone_of
from dashboards.marks import SEVERITY_SHAPES, Frame, Glyph, Rule, Text
from dashboards.plates import TOLD, LogScale, Plate, fitted, log_scale
from dashboards.typeface import clean, width
from dashboards.words import short_day
from incidents.instants import length
from incidents.model import Incident
from incidents.views.durations import Length, Percentile, Step

Timed = tuple[Incident, Length]
Place = Callable[[float], float]
"""Pixels from a share."""
Placed = tuple[float, float, Incident, Length]
Row = tuple[str, Sequence[Timed], Sequence[Percentile]]
_HEIGHT = 230
_LABELLED = 3
_ROW = 78
_WORDS = 22
"""Pixels that the words of a row take at its top."""


def spread(timed: Sequence[Timed], window: tuple[datetime, datetime], zone: str, wide: float) -> Plate:
    """When each incident opened against how long it lasted; open ones are hollow and point upwards."""
    plate = Plate(wide, _HEIGHT)
    scale = log_scale([one.seconds for _, one in timed], _HEIGHT - 34, 26)
    frame = Frame(*window, 52, wide - 12, wide - 12, zone_of(zone))
    for y, said in scale.ticks(22):
        plate.rule(Rule(52, y, wide - 12, y, "line"))
        plate.text(Text(44, y, said, "ink2", anchor="end"))
    for tick in ticks(frame.since, frame.until, frame.zone, wide - 64):
        x = frame.x(tick.at)
        said = f"{tick.words} {tick.beneath}".strip()
        plate.rule(Rule(x, _HEIGHT - 34, x, _HEIGHT - 29, "line2"))
        plate.say(Text(x, _HEIGHT - 18, said, "ink2", anchor="middle"))
    heights = scale.places(one.seconds for _, one in timed)
    places = frame.places(incident.opened_at for incident, _ in timed)
    placed = [(x, y, *one) for x, y, one in zip(places, heights, timed, strict=True)]
    for x, y, incident, one in sorted(thinned(placed), key=lambda p: p[2].severity.rank):
        _mark(plate, x, y, incident, _tip(incident, one, len(timed)), is_open=one.is_open)
    for x, y, incident, one in sorted(placed, key=lambda p: -p[3].seconds)[:_LABELLED]:
        _name(plate, placed, (x, y, incident, one))
    return plate


def thinned(placed: Sequence[Placed]) -> Sequence[Placed]:
    """Of many, one for each look within a quarter of a mark: the others would be hidden by it."""
    if len(placed) <= TOLD:
        return placed
    seen = {(round(x / 2), round(y / 2), one.severity, at.is_open): (x, y, one, at) for x, y, one, at in placed}
    return list(seen.values())


def _tip(incident: Incident, one: Length, among: int) -> str:
    """What a mark says when pointed at; among many nothing."""
    return f"{clean(incident.title)}\n{length(one.seconds)}{' so far' if one.is_open else ''}" if among <= TOLD else ""


def _mark(plate: Plate, x: float, y: float, incident: Incident, told: str, *, is_open: bool) -> None:
    ink = str(incident.severity)
    if is_open:
        plate.glyph(Glyph(x, y, "ring", ink, told))
        plate.path(((x, y - 5), (x, y - 14)), ink, 1.5)
        plate.polygon(((x - 3, y - 13), (x + 3, y - 13), (x, y - 18)), ink)
    else:
        plate.glyph(Glyph(x, y, SEVERITY_SHAPES[ink], ink, told))


def _name(plate: Plate, placed: Sequence[Placed], mine: Placed) -> None:
    """The name of a long one beside its mark, where no other mark and no other name stands."""
    x, y, incident, one = mine
    said = fitted(clean(incident.title, 28), 170)
    said = f"{said}  {length(one.seconds)}{' so far' if one.is_open else ''}"
    sides = Text(x - 10, y, said, "ink", anchor="end"), Text(x + 10, y, said, "ink")
    _, top, _, bottom = sides[0].box
    level = [one[0] for one in placed if top - 4 < one[1] < bottom + 6 and one[0] != x]
    for text in sides:
        left, _, right, _ = text.box
        over = any(left - 6 < px < right + 6 for px in level)
        if not over and left > 52 and plate.say(text):
            return


def steps_of(rows: Sequence[Row], wide: float) -> Plate:
    """A row for each measurement: every incident one dot, packed so that none hides another; open ones hollow."""
    plate = Plate(wide, len(rows) * _ROW + 30)
    every = [one.seconds for _, timed, _ in rows for _, one in timed]
    left = 16.0
    scale = log_scale(every, left, wide - 16)
    bottom = len(rows) * _ROW
    for x, said in scale.ticks(48):
        for top in range(0, int(bottom), _ROW):  # beneath the words of each row
            plate.rule(Rule(x, top + _WORDS, x, top + _ROW, "line"))
        plate.say(Text(x, bottom + 14, said, "ink2", anchor="middle"))
    for number, row in enumerate(rows):
        _step(plate, scale, number * _ROW, row)
    return plate


def _step(plate: Plate, scale: LogScale, top: float, row: Row) -> None:
    name, timed, found = row
    middle = top + 48
    if top:
        plate.rule(Rule(0, top, plate.wide, top, "line"))
    n_open = sum(one.is_open for _, one in timed)
    said = f"n = {len(timed)}" + (f", {n_open} open" if n_open else "")
    plate.text(Text(0, top + 12, name, "ink", 12, 600))
    plate.text(Text(width(name, 12, 600) + 8, top + 12, said, "ink2"))
    if not timed:
        plate.text(Text(0, middle, "nothing recorded", "ink3"))
    for x, y, incident, one in thinned(_packed(timed, scale, middle)):
        told = _tip(incident, one, len(timed))
        if one.is_open:
            plate.glyph(Glyph(x, y, "ring", "ink2", told))
        else:
            plate.glyph(Glyph(x, y, "circle", str(incident.severity), told))
    half = next((p for p in found if p.share == 0.5), None)
    if half is not None:
        x = scale.at(half.seconds)
        plate.rule(Rule(x, top + 24, x, top + _ROW - 4, "accent", 1.5))
        ends = (scale.at(half.low) if half.low else x, scale.at(half.high) if half.high else plate.wide - 16)
        plate.rule(Rule(ends[0], top + 26, ends[1], top + 26, "accent", 3))
        plate.say(
            Text(min(x + 6, plate.wide - 120), top + 12, f"half within {length(half.seconds)}", "ink", weight=600)
        )


def _packed(timed: Sequence[Timed], scale: LogScale, middle: float) -> list[Placed]:
    """Each in the first of five lanes in which it does not touch the one before, else in the last; by their lengths."""
    ordered = sorted(timed, key=lambda t: t[1].seconds)
    last, lanes = [-99.0] * 5, [middle + (n + 1) // 2 * 8.5 * (1 if n % 2 else -1) for n in range(5)]
    placed: list[Placed] = []
    for (incident, one), x in zip(ordered, scale.places(one.seconds for _, one in ordered), strict=True):
        lane = 0
        while lane < 4 and x - last[lane] < 8.5:
            lane += 1
        last[lane] = x
        placed.append((x, lanes[lane], incident, one))
    return placed


def survival(lengths: Sequence[Length], steps: Sequence[Step], found: Sequence[Percentile], wide: float) -> Plate:
    """The share that had ended by each length, its 95 % band, a rug of every length, and percentiles where told.

    `steps` is the curve of these lengths.
    """
    plate = Plate(wide, _HEIGHT)
    left, right, top, base = 44.0, wide - 14, 12.0, _HEIGHT - 50.0
    scale = log_scale([one.seconds for one in lengths], left, right)

    def y(share: float) -> float:
        return base - share * (base - top)

    for share in (0, 0.25, 0.5, 0.75, 1):
        plate.rule(Rule(left, y(share), right, y(share), "line"))
        plate.text(Text(left - 8, y(share), f"{share * 100:g}" + (" %" if share == 1 else ""), "ink2", anchor="end"))
    for x, said in scale.ticks(48):
        plate.say(Text(x, _HEIGHT - 14, said, "ink2", anchor="middle"))
    _band(plate, [s for s in steps if s.ended < 1], scale, y)
    _curve(plate, steps, scale, y, max((one.seconds for one in lengths), default=0))
    for one in (one for one in lengths if one.is_open):
        plate.glyph(Glyph(scale.at(one.seconds), base + 15, "dot", "ink2", f"open, {length(one.seconds)} so far"))
    for x in sorted({round(x, 1) for x in scale.places({one.seconds for one in lengths if not one.is_open})}):
        plate.rule(Rule(x, base + 9, x, base + 21, "ink3"))
    for percentile in found:
        x, height = scale.at(percentile.seconds), y(percentile.share)
        plate.glyph(Glyph(x, height, "ring", "accent"))
        said = f"{length(percentile.seconds)}  P{percentile.share * 100:g}"
        if not plate.say(Text(x + 10, height + 12, said, "ink", weight=600)):
            plate.say(Text(x - 10, height - 12, said, "ink", weight=600, anchor="end"))
    return plate


def _band(plate: Plate, steps: Sequence[Step], scale: LogScale, y: Place) -> None:
    if len(steps) < 2:
        return
    upper: list[tuple[float, float]] = []
    lower: list[tuple[float, float]] = []
    places = scale.places(step.seconds for step in steps)
    for step, here, there in zip(steps, places, [*places[1:], places[-1]], strict=True):
        high, low = y(step.high), y(step.low)
        upper += [(here, high), (there, high)]
        lower += [(here, low), (there, low)]
    plate.polygon([*upper, *reversed(lower)], "accent", 0.13)


def _curve(plate: Plate, steps: Sequence[Step], scale: LogScale, y: Place, last: float) -> None:
    points: list[tuple[float, float]] = [(scale.at(0), y(0))]
    for step, x in zip(steps, scale.places(step.seconds for step in steps), strict=True):
        points += [(x, points[-1][1]), (x, y(step.ended))]
    points.append((scale.at(last), points[-1][1]))
    plate.path(points, "accent", 2)


def called(incident: Incident, zone: str) -> str:
    """An incident in a few words: "14 Mar, ashburn"."""
    return f"{short_day(incident.opened_at, zone)}, {', '.join(incident.sites) or 'no site'}"
