"""The shape of lags, base rates of a record and ranks of readings: numbers that can be checked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from incidents.linker import extremes
from incidents.linker.base_rates import Record, rate_of
from incidents.linker.extremes import Extreme, bin_of
from incidents.linker.kernels import expected, kernel_of, knots
from incidents.model import Occurrence, Severity

START = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def lasting(hours: float | None) -> Occurrence:
    ends_at = None if hours is None else START + hours * HOUR
    return Occurrence("o", "s", "k", "hazard", "t", Severity.ERROR, START, ends_at=ends_at)


@pytest.mark.parametrize(
    ("family", "hours", "lag", "bits"),
    [
        ("thunderstorm", 2.0, -0.26, -2.0),
        ("thunderstorm", 2.0, -0.25, 0.5),
        ("thunderstorm", 2.0, 0.0, 1.0),
        ("thunderstorm", 2.0, 1.0, 1.5),
        ("thunderstorm", 2.0, 2.0, 0.625),  # just over: half of what it was worth
        ("thunderstorm", 2.0, 3.5, 0.3125),
        ("thunderstorm", 2.0, 5.1, -1.0),
        ("thunderstorm", 0.0, 0.5, 1.25),  # a strike: its lag runs from the instant on
        ("thunderstorm", 0.0, 2.0, 0.75),
        ("thunderstorm", 0.0, 3.0, -1.0),
        ("grid", 2.0, -0.9, 0.55),
        ("heat", None, 0.0, 0.5),
        ("heat", None, 24.0, 1.0),
        ("heat", None, 72.0, 1.5),
        ("heat", None, 500.0, 1.5),
        ("provider", None, 2.0, 1.5),
        ("provider", None, 2000.0, 0.0),
    ],
)
def test_what_a_start_is_worth_by_its_lag(family: str, hours: float | None, lag: float, bits: float) -> None:
    at = START + lag * HOUR
    line = knots(lasting(hours), kernel_of(family))  # type: ignore[arg-type]  # a family's name
    assert expected(line, at, at) == pytest.approx(bits)


def test_lost_cooling_after_a_strike_is_given_six_hours() -> None:
    at = START + 2 * HOUR
    slow = knots(lasting(0.0), kernel_of("thunderstorm", cooling=True))
    assert expected(slow, at, at) == pytest.approx(1.25)
    assert kernel_of("heat", cooling=True) == kernel_of("heat")


def test_a_range_is_worth_its_mean() -> None:
    line = knots(lasting(2.0), kernel_of("thunderstorm"))
    assert expected(line, START, START + HOUR) == pytest.approx(1.25)
    assert expected(line, START - 2.25 * HOUR, START - 0.25 * HOUR) == pytest.approx(-2.0)
    fine = [expected(line, at, at) for at in (START + n * HOUR / 1000 for n in range(-1000, 6000))]
    assert expected(line, START - HOUR, START + 6 * HOUR) == pytest.approx(sum(fine) / len(fine), abs=0.01)


def test_overlapping_warnings_are_counted_once_and_the_day_before_not_at_all() -> None:
    day = timedelta(days=1)
    july = [START.replace(year=2025) + n * day for n in range(-5, 5)]
    stretches = [(at - HOUR, at + HOUR) for at in july] + [(at, at + 2 * HOUR) for at in july] + [(START - day, None)]
    rate = rate_of(Record(START.replace(year=2024, month=1), tuple(stretches)), START)
    assert rate is not None
    assert (rate.n, rate.share) == (31 + 31 + 14, 10 / 76)
    assert rate_of(Record(START - 400 * day, ()), START) is None
    assert rate_of(None, START) is None


def extreme(value: float, counts: dict[int, int], **rest: float) -> Extreme:
    return replace(Extreme("temperature_c", value, START, "observed", "roof", 3.0, counts), **rest)  # type: ignore[arg-type]


HUNDRED = dict.fromkeys(range(40, 140), 10)
"""A thousand values from 20 °C to 70 °C in bins of half a degree."""


@pytest.mark.parametrize(
    ("value", "family", "bits"),
    [(70.0, "heat", 2.0), (69.5, "heat", 1.0), (68.0, "heat", 0.5), (64.0, "heat", 0.0), (50.0, "heat", -2.0),
     (19.0, "cold", 2.0), (20.2, "cold", 1.0), (64.0, "cold", -2.0), (30.0, "wind", 0.0)],
)  # fmt: skip
def test_a_value_is_ranked_among_its_own(value: float, family: str, bits: float) -> None:
    assert extremes.weigh(extreme(value, HUNDRED), family)[0] == bits  # type: ignore[arg-type]  # a family's name


def test_few_values_are_not_ranked_and_a_design_limit_counts_without_any() -> None:
    bits, sentence = extremes.weigh(extreme(50.0, {100: 5}), "heat")
    assert (bits, sentence) == (
        0.0,
        "Temperature 50.0 °C at roof, 3 km away (observed); 5 values of this month and hour are too few to rank it.",
    )
    assert extremes.weigh(extreme(50.0, {100: 5}, limit=43.0), "heat")[0] == 1.0
    assert extremes.weigh(extreme(50.0, {100: 5}, limit=43.0), "cold")[0] == 0.0
    reconstructed = replace(extreme(70.0, HUNDRED), basis="reconstructed")
    assert extremes.weigh(reconstructed, "heat")[0] == 0.0


def test_what_is_no_number_falls_into_no_bin() -> None:
    assert bin_of("temperature_c", float("nan")) is None
    assert bin_of("grid_load_mw", 52_061.0) is None
    assert (bin_of("temperature_c", -0.1), bin_of("temperature_c", 20.4)) == (-1, 40)
