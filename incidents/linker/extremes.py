"""How far out of the ordinary a measured value was at its place, season and hour, from counts kept by bin. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import floor, isfinite
from typing import Final

from incidents.linker.mechanisms import Family
from incidents.model import Basis

SLOT_HOURS: Final = 3
LEAST_VALUES: Final = 90
"""Values below which no rank is told."""
LEAST_FOR_RECORD: Final = 500
MILD: Final = 0.8
_STEPS: Final = {"temperature_c": 0.5, "wet_bulb_c": 0.5, "wind_gust_m_s": 0.5, "precipitation_mm": 0.5,
                 "pm2_5_ug_m3": 5.0, "wind_speed_m_s": 0.5}  # fmt: skip
_LOOKED_AT: Final[dict[Family, tuple[str, ...]]] = {
    "heat": ("temperature_c", "wet_bulb_c"),
    "cold": ("temperature_c",),
    "wind": ("wind_gust_m_s", "wind_speed_m_s"),
    "thunderstorm": ("wind_gust_m_s",),
    "flood": ("precipitation_mm",),
    "smoke": ("pm2_5_ug_m3",),
}
_LIMITS: Final = {"temperature_c": "dry_bulb_c", "wet_bulb_c": "wet_bulb_c"}
_UNITS: Final = {"c": "°C", "m_s": "m/s", "mm": "mm", "ug_m3": "µg/m³"}


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value at the start of an incident, among those of the same source, basis, place, month and hour."""

    variable: str
    value: float
    at: datetime
    basis: Basis
    station: str
    distance_km: float
    counts: Mapping[int, int]
    """How many values fell into each bin, this one among them where it has been counted."""
    limit: float | None = None
    """What the site is designed for, in the unit of the value."""


def variables_of(family: Family) -> tuple[str, ...]:
    """The variables that tell whether a hazard of this family was out of the ordinary; the first found is taken."""
    return _LOOKED_AT.get(family, ())


def counted_variables() -> frozenset[str]:
    """The variables whose values are counted by bin."""
    return frozenset(_STEPS)


def limit_name(variable: str) -> str | None:
    """The design limit of a site that a variable is held against."""
    return _LIMITS.get(variable)


def bin_of(variable: str, value: float) -> int | None:
    """The number of a value's bin; None for a variable that is not counted, and for what is no number."""
    step = _STEPS.get(variable)
    return floor(value / step) if step and isfinite(value) and abs(value) < 1e6 else None


def slot_of(at: datetime) -> int:
    """Which part of the day (UTC) an instant is counted in."""
    return at.hour // SLOT_HOURS


def weigh(extreme: Extreme, family: Family) -> tuple[float, str]:
    """Bits and their sentence: a value at the edge of what is known speaks for the hazard, a mild day against it."""
    rank, n = _rank(extreme, low=family == "cold")
    told = (
        f"{_name(extreme.variable)} {_amount(extreme.variable, extreme.value)} at {extreme.station}, "
        f"{extreme.distance_km:.0f} km away ({extreme.basis})"
    )
    over = extreme.limit is not None and family != "cold" and extreme.value >= extreme.limit
    beyond = f", at or above the site's design limit of {_amount(extreme.variable, extreme.limit or 0)}" if over else ""
    if extreme.basis == "reconstructed":
        return 0.0, f"{told}{beyond}; a reconstructed value weighs nothing."
    if n < LEAST_VALUES:
        return (1.0 if over else 0.0), f"{told}{beyond}; {n:,} values of this month and hour are too few to rank it."
    bits = _bits(rank, n, family)
    side = "below" if family != "cold" else "above"
    sentence = f"{told}{beyond}: {rank:.1%} of {n:,} values of this month and hour lie {side} it."
    return max(bits, 1.0) if over else bits, sentence.replace("%", " %")


def _bits(rank: float, n: int, family: Family) -> float:
    """+1 from the 99th percentile on, +2 from 99.9 or the highest of many; a mild day speaks against heat and cold."""
    if rank >= 0.999 or (rank >= 1 - 1.5 / n and n >= LEAST_FOR_RECORD):
        return 2.0
    if rank >= 0.99:
        return 1.0
    if rank >= 0.95:
        return 0.5
    return -2.0 if rank < MILD and family in {"heat", "cold"} else 0.0


def _rank(extreme: Extreme, *, low: bool) -> tuple[float, int]:
    """The share of the counted values below it (for cold: above it), its own bin counting half; and how many."""
    own = bin_of(extreme.variable, extreme.value)
    n = sum(extreme.counts.values())
    if own is None or n == 0:
        return 0.0, 0
    beyond = sum(count for nth, count in extreme.counts.items() if (nth > own if low else nth < own))
    alike = max(0, extreme.counts.get(own, 0) - 1)  # without itself
    return (beyond + alike / 2) / max(1, n - 1), n


def _name(variable: str) -> str:
    words = variable.removesuffix(f"_{_unit(variable)}").replace("_", " ")
    return words.capitalize()


def _unit(variable: str) -> str:
    return next((unit for unit in _UNITS if variable.endswith(f"_{unit}")), "")


def _amount(variable: str, value: float) -> str:
    return f"{value:.1f} {_UNITS.get(_unit(variable), '')}".strip()
