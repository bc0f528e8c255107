"""Statistics of lengths against figures from the literature."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.views.durations import LEAST, Length, kaplan_meier, percentiles, poisson_interval, rate, share_of

# Remission of 21 patients on 6-mercaptopurine in weeks, "+" censored: Freireich et al., Blood 21 (1963); the
# survivals, variances and bounds below are those of Kleinbaum and Klein, "Survival Analysis", chapter 2, and of
# R's survfit(..., conf.type = "log-log").
REMISSION = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35]
LENGTHS = [Length(abs(weeks), is_open=weeks < 0) for weeks in REMISSION]


def test_the_survival_of_freireichs_patients() -> None:
    steps = kaplan_meier(LENGTHS)
    assert [step.seconds for step in steps] == [6, 7, 10, 13, 16, 22, 23]
    assert [step.at_risk for step in steps] == [21, 17, 15, 12, 11, 7, 6]
    assert [step.n_ended for step in steps] == [3, 1, 1, 1, 1, 1, 1]
    survival = [round(1 - step.ended, 4) for step in steps]
    assert survival == [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]


def test_the_band_of_freireichs_patients() -> None:
    first, *_, last = kaplan_meier(LENGTHS)
    assert (1 - first.high, 1 - first.low) == pytest.approx((0.6197, 0.9516), abs=5e-4)
    assert (1 - last.high, 1 - last.low) == pytest.approx((0.1880, 0.6801), abs=5e-4)


def test_without_open_ones_the_curve_is_the_share_that_ended() -> None:
    steps = kaplan_meier([Length(value) for value in (1, 2, 2, 5)])
    assert [(step.seconds, round(step.ended, 12)) for step in steps] == [(1, 0.25), (2, 0.75), (5, 1.0)]


def test_nothing_and_only_open_ones_have_no_curve() -> None:
    assert kaplan_meier([]) == ()
    assert kaplan_meier([Length(5, is_open=True)]) == ()


def test_no_percentile_under_twenty_ended_ones() -> None:
    lengths = [Length(float(n)) for n in range(1, LEAST)] + [Length(99.0, is_open=True)] * 10
    assert percentiles(lengths) == ()
    assert percentiles([*lengths, Length(20.0)])[0].share == 0.5


def test_percentiles_with_their_intervals() -> None:
    half, three_quarters, ninety = percentiles([Length(float(n)) for n in range(1, 101)])
    assert (half.seconds, three_quarters.seconds, ninety.seconds) == (50, 75, 90)
    # The binomial order statistics of the median of 100 are the 40th and the 61st (Conover, table A3).
    assert half.low == pytest.approx(40, abs=1)
    assert half.high == pytest.approx(61, abs=1)


def test_a_percentile_beyond_what_has_ended_is_not_told() -> None:
    lengths = [Length(float(n)) for n in range(1, 31)] + [Length(100.0, is_open=True)] * 30
    assert [p.share for p in percentiles(lengths)] == [0.5]
    assert percentiles(lengths)[0].high is None


@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.63)]
)
def test_the_exact_interval_of_a_count(events: int, low: float, high: float) -> None:
    # Garwood, Biometrika 28 (1936); the figures as tabled by Ulm, Am. J. Epidemiol. 131 (1990).
    assert poisson_interval(events) == pytest.approx((low, high), abs=6e-3)


def test_a_rate_is_per_hundred_hours() -> None:
    found = rate(3, 200)
    assert found.per_100 == 1.5
    assert found.low < 1.5 < found.high


def test_wilsons_interval() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611.
    found = share_of(81, 263)
    assert (found.low, found.high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert share_of(0, 20).high == pytest.approx(0.1611, abs=1e-4)


@given(st.lists(st.tuples(st.floats(0, 1e9), st.booleans()), max_size=60))
def test_curves_rise_and_stay_within_their_bands(drawn: list[tuple[float, bool]]) -> None:
    steps = kaplan_meier([Length(seconds, is_open) for seconds, is_open in drawn])
    shares = [step.ended for step in steps]
    assert shares == sorted(shares)
    for step in steps:
        assert -1e-9 <= step.low <= step.ended + 1e-9
        assert step.ended - 1e-9 <= step.high <= 1 + 1e-9
        assert math.isfinite(step.low)
