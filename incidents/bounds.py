"""What a reading's unit allows: values beyond it were mistyped or misread, and are counted instead of believed."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from incidents.instants import LATEST
from incidents.model import Reading

EARLIEST: Final = datetime(1800, 1, 1, tzinfo=UTC)
"""Before the first instruments whose series are kept."""
UNITS: Final[dict[str, tuple[float, float]]] = {
    "_c": (-100.0, 200.0),  # from the coldest air ever measured to what a hot aisle's sensor can stand
    "_m_s": (-150.0, 150.0),  # a tornado, or its components
    "_pct": (0.0, 105.0),  # humidity sensors overshoot
    "_mm": (0.0, 15_000.0),  # a year's rain, or the deepest snow
    "_hpa": (0.0, 1_100.0),  # from a vapour's pressure to the highest at sea level
    "_mw": (-5_000_000.0, 5_000_000.0),  # twice the load of the largest grid, and exports
}
"""Least and most of what the last part of a variable's name is the unit of."""


def objection(reading: Reading) -> str | None:
    """Why a reading cannot be true, in words; None where it may be."""
    latitude, longitude = reading.latitude, reading.longitude
    if not all(_is_finite(number) for number in (reading.value, latitude, longitude) if number is not None):
        return f"{reading.variable} is not a finite number"
    for suffix, (least, most) in UNITS.items():
        if reading.variable.endswith(suffix) and not least <= reading.value <= most:
            return f"{reading.variable} {reading.value:g} is outside {least:g} to {most:g}"
    if not (latitude is None or -90 <= latitude <= 90) or not (longitude is None or -180 <= longitude <= 360):
        return f"{reading.variable} is of no place on Earth"
    if not EARLIEST <= reading.at < LATEST:
        return f"{reading.variable} is of the year {reading.at.year}"
    return None


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except (OverflowError, TypeError):
        return False
