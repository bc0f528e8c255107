"""When incidents opened, drawn: a calendar with its weekdays, the hours of the day, and what came again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dashboards.axis import ticks, zone_of
from dashboards.marks import SEVERITY_SHAPES as SHAPES
from dashboards.marks import Box, Frame, Glyph, Rule, Text
from dashboards.plates import TOLD, Plate, fitted, gutter
from dashboards.typeface import clean, width
from incidents.model import Incident
from incidents.views.cohort import NIGHT, Nights, Recurrence

WEEKS = 53
"""Most weeks that a calendar shows, the last ones."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEPS = ((0, 0.0), (1, 0.28), (2, 0.58), (3, 1.0))
"""Openings a day from which on a cell is this opaque."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Openings by day over a run of days; of days before `known_from` nothing is known."""

    days: Sequence[date]
    opened: Mapping[date, int]
    warned: frozenset[date]
    known_from: date | None

    @property
    def weeks(self) -> int:
        """How many weeks, begun ones too."""
        return (self.days[-1] - _monday(self.days[0])).days // 7 + 1


def calendar(shown: Calendar, wide: float) -> Plate:
    """Weeks side by side, or below each other where there is no room; a cell is darker where more opened."""
    upright = shown.weeks * 15 + 40 > wide - 20
    if upright:
        return _upright(shown, wide)
    aside = 300 if wide > 900 else 0
    pitch = min(26.0, (wide - 40 - aside) / shown.weeks)
    high = min(pitch, 20.0)
    plate = Plate(wide, 22 + 7 * high + (34 if aside else 40 + 8 * 17))

    def place(day: date) -> tuple[float, float]:
        return 40 + (day - _monday(shown.days[0])).days // 7 * pitch, 22 + day.weekday() * high

    for number, name in enumerate(_DAYS):
        plate.text(Text(32, 22 + (number + 0.5) * high, name, "ink2", anchor="end"))
    for day in shown.days:
        if (day.day <= 7 and day.weekday() == 0) or day == shown.days[0]:
            plate.say(Text(place(day)[0], 10, _MONTHS[day.month - 1], "ink2"))
    _cells(plate, shown, place, (pitch - 2, high - 2))
    if aside:
        _weekdays(plate, shown, 40 + shown.weeks * pitch + 32, 22, high)
    else:
        _weekdays(plate, shown, 40, 22 + 7 * high + 50, 17)
    _legend(plate, 40, 22 + 7 * high + 16)
    return plate


def _upright(shown: Calendar, wide: float) -> Plate:
    pitch, high = min(36.0, (wide - 60) / 7), 15.0
    bottom = 22 + shown.weeks * high
    plate = Plate(wide, bottom + 60 + 7 * 17)

    def place(day: date) -> tuple[float, float]:
        return 44 + day.weekday() * pitch, 22 + (day - _monday(shown.days[0])).days // 7 * high

    for number, name in enumerate(_DAYS):
        plate.text(Text(44 + (number + 0.5) * pitch, 10, name, "ink2", anchor="middle"))
    for day in shown.days:
        if (day.day <= 7 and day.weekday() == 0) or day == shown.days[0]:
            plate.say(Text(36, place(day)[1] + 7, _MONTHS[day.month - 1], "ink2", anchor="end"))
    _cells(plate, shown, place, (pitch - 2, high - 2))
    _legend(plate, 0, bottom + 14)
    _weekdays(plate, shown, 44, bottom + 50, 17)
    return plate


def _cells(
    plate: Plate, shown: Calendar, place: Callable[[date], tuple[float, float]], size: tuple[float, float]
) -> None:
    for day in shown.days:
        x, y = place(day)
        n = shown.opened.get(day, 0)
        told = f"{day.day} {_MONTHS[day.month - 1]} {day.year}: {n} opened"
        told += ", warning in force" if day in shown.warned else ""
        cell = Box(x, y, x + size[0], y + size[1], "unknown-tint", told)
        if shown.known_from is None or day < shown.known_from:
            plate.hatch(cell._replace(tip=f"{day.day} {_MONTHS[day.month - 1]} {day.year}: before the record"))
            continue
        plate.box(cell)
        _tint(plate, cell, n)
        if day in shown.warned:
            _outline(plate, cell)


def _tint(plate: Plate, cell: Box, n: int) -> None:
    opacity = max((strong for least, strong in _STEPS if n >= least), default=0.0)
    if opacity:
        plate.box(cell._replace(ink="accent", opacity=opacity))


def _outline(plate: Plate, cell: Box) -> None:
    left, top, right, bottom = cell.left + 1, cell.top + 1, cell.right - 1, cell.bottom - 1
    plate.path(((left, top), (right, top), (right, bottom), (left, bottom), (left, top)), "hazard", 2)


def _legend(plate: Plate, left: float, y: float) -> None:
    x = left
    for said, n, kind in (
        ("none", 0, "count"),
        ("1", 1, "count"),
        ("2", 2, "count"),
        ("3 or more", 3, "count"),
        ("warning", 0, "warned"),
        ("no record", 0, "hatch"),
    ):
        if x + 16 + width(said) > plate.wide:
            break
        cell = Box(x, y - 5, x + 11, y + 6, "unknown-tint")
        if kind == "hatch":
            plate.hatch(cell)
        else:
            plate.box(cell)
            _tint(plate, cell, n)
        if kind == "warned":
            _outline(plate, cell)
        plate.text(Text(x + 15, y, said, "ink2"))
        x += 15 + width(said) + 11


def _weekdays(plate: Plate, shown: Calendar, left: float, top: float, high: float) -> None:
    """How many opened on each weekday."""
    totals = Counter({day.weekday(): 0 for day in shown.days})
    for day, n in shown.opened.items():
        if shown.days[0] <= day <= shown.days[-1]:
            totals[day.weekday()] += n
    most = max(totals.values(), default=0) or 1
    room = min(170.0, plate.wide - left - 36)
    plate.say(Text(left, 10 if top < 30 else top - 8, "by weekday", "ink2"))
    if top > 30:
        for number, name in enumerate(_DAYS):
            plate.text(Text(left - 8, top + (number + 0.5) * high, name, "ink2", anchor="end"))
    for number in range(7):
        y, long = top + (number + 0.5) * high, totals[number] / most * room
        plate.box(Box(left, y - 5, left + max(long, 1), y + 5, "line2"))
        plate.text(Text(left + max(long, 1) + 6, y, str(totals[number]), "ink2"))


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def hours(shown: Nights, wide: float) -> Plate:
    """A bar for each hour of the site's wall clock; the night is shaded and named."""
    plate = Plate(wide, 170)
    left, base, top = 8.0, 128.0, 30.0
    pitch = (wide - 2 * left) / 24
    most = max(shown.by_hour) or 1
    for first, last in ((0, 6), (22, 24)):
        plate.box(Box(left + first * pitch, top - 22, left + last * pitch, base, "sunk"))
    plate.text(Text(left + 3 * pitch, top - 14, "night", "ink2", anchor="middle"))
    plate.rule(Rule(left, base, wide - left, base, "line2"))
    for hour, n in enumerate(shown.by_hour):
        x = left + hour * pitch
        if n:
            y = base - n / most * (base - top - 14)
            plate.box(Box(x + 1, y, x + pitch - 1, base, "ink2" if hour in NIGHT else "gap", f"{hour:02}:00: {n}"))
            plate.say(Text(x + pitch / 2, y - 8, str(n), "ink2", anchor="middle"))
        if hour % (3 if wide > 500 else 6) == 0:
            plate.say(Text(x, base + 14, f"{hour:02}:00", "ink2"))
    return plate


def recurring(
    found: Sequence[Recurrence], titles: Mapping[str, str], window: tuple[datetime, datetime], zone: str, wide: float
) -> Plate:
    """A row for each site and alert that came again, a mark for each time."""
    names = [f"{clean(r.alert, 40)}, {clean(titles.get(r.site, r.site), 24) or 'no site'}" for r in found]
    above = wide < 500
    left = 4.0 if above else gutter(names, 230)
    row = 40.0 if above else 24.0
    plate = Plate(wide, len(found) * row + 26)
    frame = Frame(*window, left, wide - 46, wide - 46, zone_of(zone))
    for tick in ticks(frame.since, frame.until, frame.zone, frame.right - frame.left):
        x = frame.x(tick.at)
        plate.rule(Rule(x, 0, x, len(found) * row, "line"))
        said = Text(x, len(found) * row + 13, f"{tick.words} {tick.beneath}".strip(), "ink2", anchor="middle")
        plate.say(said)
    for number, (name, again) in enumerate(zip(names, found, strict=True)):
        y = number * row + (28 if above else row / 2)
        if above:
            plate.text(Text(0, y - 17, fitted(name, wide - 40), "ink"))
        else:
            plate.text(Text(left - 10, y, fitted(name, left - 10), "ink", anchor="end"))
        plate.rule(Rule(left, y, wide - 46, y, "line2"))
        for incident in _apart(again.incidents, frame):
            told = clean(incident.title) if len(again.incidents) <= TOLD else ""
            severity = str(incident.severity)
            plate.glyph(Glyph(frame.x(incident.opened_at), y, SHAPES[severity], severity, told))
        plate.text(Text(wide, y, f"{len(again.incidents)}×", "ink", weight=600, anchor="end"))
    return plate


def _apart(incidents: Sequence[Incident], frame: Frame) -> Iterable[Incident]:
    """Of many, one of each severity within two pixels: the others would be hidden by it."""
    if len(incidents) <= TOLD:
        return incidents
    places = frame.places(one.opened_at for one in incidents)
    return {(round(x / 2), one.severity): one for x, one in zip(places, incidents, strict=True)}.values()
