"""Bars and ranges of the review, drawn: who noticed first, how late providers spoke, incidents in the heat."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dashboards.axis import DEGREE, MINUS
from dashboards.lengths import called
from dashboards.marks import Box, Glyph, Rule, Text
from dashboards.plates import Plate, fitted, gutter
from dashboards.typeface import width
from incidents.instants import length
from incidents.views.cohort import DetectionGap, Warmth

_ROW = 26


def noticed(gaps: Sequence[DetectionGap], zone: str, wide: float) -> Plate:
    """From the impact to the first signal to the first person, one row each, on one linear scale."""
    names = [called(gap.incident, zone) for gap in gaps]
    left = gutter(names, 130)
    plate = Plate(wide, len(gaps) * _ROW + 44)
    right = wide - 84
    most = max(gap.to_person or gap.to_signal for gap in gaps) or 60
    x = 0.0
    for shape, ink, said in (("circle", "provider", "first signal"), ("square", "ink", "first person")):
        plate.glyph(Glyph(x + 6, 10, shape, ink))  # type: ignore[arg-type]  # the two shapes above
        plate.text(Text(x + 16, 10, said, "ink2"))
        x += 28 + width(said)
    for part in (0, 0.5, 1):
        at = left + part * (right - left)
        plate.rule(Rule(at, 24, at, 24 + len(gaps) * _ROW, "line"))
        plate.say(Text(at, 36 + len(gaps) * _ROW, length(part * most), "ink2", anchor="middle"))
    for number, (name, gap) in enumerate(zip(names, gaps, strict=True)):
        y = 24 + (number + 0.5) * _ROW
        signal = left + gap.to_signal / most * (right - left)
        person = left + gap.to_person / most * (right - left) if gap.to_person is not None else None
        plate.text(Text(left - 10, y, fitted(name, left - 10), "ink", anchor="end"))
        plate.box(Box(left, y - 5, max(signal, left + 1), y + 5, "line2"))
        if person is not None and person > signal + 2:
            plate.hatch(Box(signal, y - 5, person, y + 5, "gap"))
        plate.glyph(Glyph(signal, y, "circle", "provider", f"first signal after {length(gap.to_signal)}"))
        if person is not None:
            plate.glyph(Glyph(person, y, "square", "ink", f"first person after {length(gap.to_person or 0)}"))
        said = length(gap.to_person) if gap.to_person is not None else "nobody yet"
        plate.text(Text((person or signal) + 10, y, said, "ink"))
    return plate


def lagging(rows: Sequence[tuple[str, Sequence[float]]], wide: float) -> Plate:
    """How long after our first symptom each provider's first post came: a dot for each, earlier ones left of zero."""
    names = [name for name, _ in rows]
    left = gutter(names, 130)
    right, every = wide - 16, [value for _, values in rows for value in values]
    plate = Plate(wide, len(rows) * _ROW + 34)
    least, most = min([0.0, *every]), max([60.0, *every])

    def at(seconds: float) -> float:
        return left + (seconds - least) / (most - least) * (right - left)

    bottom = len(rows) * _ROW + 4
    plate.rule(Rule(at(0), 0, at(0), bottom, "ink3"))
    plate.say(Text(at(0), bottom + 12, "our first symptom", "ink2", anchor="middle" if at(0) > left + 60 else "start"))
    said = f"{length(most)} later"
    plate.say(Text(right, bottom + 12, said, "ink2", anchor="end"))
    if least < 0:
        plate.say(Text(left, bottom + 12, f"{length(least)} earlier", "ink2"))
    for number, (name, values) in enumerate(rows):
        y = (number + 0.5) * _ROW
        plate.text(Text(left - 10, y, fitted(name, left - 10), "ink", anchor="end"))
        plate.rule(Rule(left, y, right, y, "line"))
        for value in values:
            plate.glyph(Glyph(at(value), y, "ring", "provider", length(value)))
    return plate


def warm(rows: Sequence[Warmth], wide: float) -> Plate:
    """Incidents per hundred site-hours at or above each temperature, with the exact interval of the count."""
    left = 80.0
    plate = Plate(wide, len(rows) * _ROW + 34)
    right = wide - 8 - max(width(_counted(row.rate.events, row.rate.hours)) for row in rows) - 12
    bottom = len(rows) * _ROW
    scale = max(0.1, *(row.rate.high for row in rows))
    limit = _round(min(scale, max(4 * max((row.rate.per_100 for row in rows), default=0), 1.0)))
    for part in (0, 0.5, 1):
        at = left + part * (right - left)
        plate.rule(Rule(at, 0, at, bottom, "line"))
        said = f"{part * limit:g}{' per 100 h' if part == 1 else ''}"
        plate.say(Text(at, bottom + 14, said, "ink2", anchor="middle"))
    for number, row in enumerate(rows):
        y = (number + 0.5) * _ROW
        said = f"from {row.above_c:g}{DEGREE}".replace("-", MINUS)
        plate.text(Text(left - 12, y, said, "ink", anchor="end"))
        low, middle, high = (
            left + min(value / limit, 1) * (right - left) for value in (row.rate.low, row.rate.per_100, row.rate.high)
        )
        plate.rule(Rule(low, y, high, y, "temperature", 2))
        plate.glyph(Glyph(middle, y, "circle", "temperature", f"{row.rate.per_100:.2f} per 100 h"))
        if row.rate.high > limit:
            plate.glyph(Glyph(right, y, "right", "temperature", f"up to {row.rate.high:.2f}"))
        plate.text(Text(right + 14, y, _counted(row.rate.events, row.rate.hours), "ink2"))
    return plate


def _round(value: float) -> float:
    """The next number that reads easily, and whose half does: 1, 2, 4, 5, 6 or 8, with any noughts."""
    unit = 10.0 ** math.floor(math.log10(value))
    return next((step * unit for step in (1, 2, 4, 5, 6, 8) if step * unit >= value * 0.999), 10 * unit)


def _counted(events: int, hours: float) -> str:
    return f"{events} in {hours:,.0f} h"
