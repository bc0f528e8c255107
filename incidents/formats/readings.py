"""What feeds of the weather have in common: variables in our units, values that a place can have, and losses."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidents.formats import payload
from incidents.model import Basis, Delivery, Loss, Reading, Statement

LIMITS = {
    "temperature_c": (-95.0, 65.0),
    "dew_point_c": (-95.0, 45.0),
    "wet_bulb_c": (-95.0, 45.0),
    "wind_gust_m_s": (0.0, 120.0),
    "precipitation_mm": (0.0, 1_900.0),
}
"""What was ever measured on Earth, and a little more: the least and the greatest value of each variable."""

_AHEAD = timedelta(minutes=10)
"""How far a station's clock may be ahead of ours."""

_C, _SPEED, _LENGTH = (
    ("temperature_c", "dew_point_c", "wet_bulb_c"),
    ("wind_gust_m_s",),
    ("precipitation_mm",),
)
# By unit: the variables that it may be the unit of, and how to come to ours (value * factor + shift).
_UNITS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "degC": (_C, 1.0, 0.0),
    "°C": (_C, 1.0, 0.0),
    "degF": (_C, 5 / 9, -160 / 9),
    "°F": (_C, 5 / 9, -160 / 9),
    "K": (_C, 1.0, -273.15),
    "m_s-1": (_SPEED, 1.0, 0.0),
    "m/s": (_SPEED, 1.0, 0.0),
    "km_h-1": (_SPEED, 1 / 3.6, 0.0),
    "km/h": (_SPEED, 1 / 3.6, 0.0),
    "kt": (_SPEED, 1852 / 3600, 0.0),
    "kn": (_SPEED, 1852 / 3600, 0.0),
    "mp/h": (_SPEED, 0.44704, 0.0),
    "mm": (_LENGTH, 1.0, 0.0),
    "m": (_LENGTH, 1000.0, 0.0),
    "inch": (_LENGTH, 25.4, 0.0),
}


_GROUP = re.compile(r"\sT([01])(\d{3})([01])(\d{3})(?!\S)", re.ASCII)
_WHOLE = re.compile(r"\s(M?\d\d)/(M?\d\d)(?!\S)", re.ASCII)


def temperatures_in(report: str) -> tuple[float, float] | None:
    """Temperature and dew point in °C of a METAR: tenths where its remarks repeat them (`T02560228`), else whole."""
    if group := _GROUP.search(report[:2_000]):
        tenths = (int(group[2]) * (1 - 2 * int(group[1])), int(group[4]) * (1 - 2 * int(group[3])))
        return tenths[0] / 10, tenths[1] / 10
    # In remarks a slash may part other numbers.
    if whole := _WHOLE.search(report[:2_000].partition(" RMK")[0]):
        return float(whole[1].replace("M", "-")), float(whole[2].replace("M", "-"))
    return None


@dataclass(slots=True)
class Sheet:
    """Gathers the readings of a document; what cannot be true is counted by its reason."""

    delivery: Delivery
    credit: str
    basis: Basis = "observed"
    ahead: timedelta = _AHEAD
    readings: list[Statement] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        variable: str,
        value: object,
        unit: str,
        *,
        at: datetime,
        place: tuple[float, float],
        station: str | None,
        provisional: bool = False,
    ) -> None:
        """One value in the feed's unit; null says nothing. Rounded to a thousandth, for units that were converted."""
        if value is None:
            return
        number = payload.number_of(value)
        variables, factor, shift = _UNITS.get(unit, ((), 1.0, 0.0))
        if number is None:
            self.lost[f"{variable} that is no number"] += 1
        elif variable not in variables:
            self.lost[f"{variable} in the unit {unit!r:.40}"] += 1
        elif at > self.delivery.received_at + self.ahead:
            self.lost["values of the future"] += 1
        elif not LIMITS[variable][0] <= number * factor + shift <= LIMITS[variable][1]:
            self.lost[f"{variable} that no place on Earth has"] += 1
        else:
            value_in_ours = round(number * factor + shift, 3)
            self.readings.append(
                Reading(variable, at, value_in_ours, *place, station, provisional, self.basis, self.credit)
            )

    def lose(self, reason: str) -> None:
        """One thing that could not be read, or that the service itself does not believe."""
        self.lost[reason[:200]] += 1

    def statements(self) -> list[Statement]:
        """The readings, and a loss for each reason."""
        return [*self.readings, *(Loss(count, reason) for reason, count in sorted(self.lost.items()))]
