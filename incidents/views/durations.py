"""Statistics of lengths of which some are still growing: what share had ended by when, with an interval. Pure.

Lengths are in seconds. A length that is still growing is censored: it has lasted at least this long, and no more is
known. Means are not here on purpose: lengths of incidents are skewed, and one long one moves a mean at will.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST = 20
"""Under so many ended lengths a percentile is not told."""
Z = 1.959964
"""Of the normal distribution, for intervals of 95 %."""
COVERED = 0.95
SHARES = (0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class Length:
    """One length. `is_open` says that it is still growing."""

    seconds: float
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """From `seconds` on the share `ended` has ended; `low` and `high` bound that share at 95 %.

    `at_risk` had lasted at least until then, `n_ended` of them ended there.
    """

    seconds: float
    ended: float
    low: float
    high: float
    at_risk: int
    n_ended: int


@dataclass(frozen=True, slots=True)
class Percentile:
    """The length by which the share had ended; an end of its interval is None where the record does not reach it."""

    share: float
    seconds: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per hundred hours, with the exact interval of a Poisson count at 95 %."""

    events: int
    hours: float
    per_100: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """A share of n, with Wilson's interval at 95 %."""

    k: int
    n: int
    share: float
    low: float
    high: float


def kaplan_meier(lengths: Sequence[Length]) -> tuple[Step, ...]:
    """The share that had ended by each length at which one ended: the product-limit estimate (Kaplan and Meier 1958).

    The band is Greenwood's variance on the log-minus-log scale, which keeps it between 0 and 1. With nothing open
    this is the empirical distribution. What is censored at the length at which another ended was at risk there.
    """
    ended: dict[float, int] = {}
    for one in lengths:
        if not one.is_open:
            ended[one.seconds] = ended.get(one.seconds, 0) + 1
    ordered = sorted(one.seconds for one in lengths)
    steps: list[Step] = []
    survival, variance, before = 1.0, 0.0, 0
    for at in sorted(ended):
        while before < len(ordered) and ordered[before] < at:
            before += 1
        at_risk, died = len(ordered) - before, ended[at]
        survival *= (at_risk - died) / at_risk
        variance += died / (at_risk * (at_risk - died)) if at_risk > died else 0.0
        low, high = _band(survival, variance)
        steps.append(Step(at, 1 - survival, 1 - high, 1 - low, at_risk, died))
    return tuple(steps)


def _band(survival: float, variance: float) -> tuple[float, float]:
    """The bounds of a survival; none can be told of one that is 0, so they are 0 and 1 there."""
    if not 0 < survival < 1:
        return 0.0, 1.0
    wide = math.exp(Z * math.sqrt(variance) / abs(math.log(survival)))
    return survival**wide, survival ** (1 / wide)


def percentiles(lengths: Sequence[Length], shares: Sequence[float] = SHARES) -> tuple[Percentile, ...]:
    """The lengths by which these shares had ended, as far as the record reaches; none under `LEAST` ended ones."""
    return percentiles_on(kaplan_meier(lengths), shares)


def percentiles_on(steps: Sequence[Step], shares: Sequence[float] = SHARES) -> tuple[Percentile, ...]:
    """The same, read off the Kaplan-Meier curve.

    The interval is where the curve's band crosses the share (Brookmeyer and Crowley 1982).
    """
    if sum(step.n_ended for step in steps) < LEAST:
        return ()
    found = []
    for share in shares:
        at = next((step.seconds for step in steps if step.ended >= share - 1e-12), None)
        if at is not None:
            low = next((step.seconds for step in steps if step.ended < 1 and step.high >= share), None)
            high = next((step.seconds for step in steps if step.low >= share), None)
            found.append(Percentile(share, at, low, high))
    return tuple(found)


def rate(events: int, hours: float) -> Rate:
    """Events per hundred hours of watching. Hours must be above 0."""
    low, high = poisson_interval(events)
    return Rate(events, hours, 100 * events / hours, 100 * low / hours, 100 * high / hours)


def poisson_interval(events: int) -> tuple[float, float]:
    """Garwood's exact interval for the mean of a Poisson count, found by halving on its distribution."""
    tail = (1 - COVERED) / 2
    low = 0.0 if events == 0 else _root(lambda mean: 1 - _poisson(events - 1, mean) - tail, float(events))
    high = _root(lambda mean: tail - _poisson(events, mean), events + 10 * math.sqrt(events + 1) + 10, events)
    return low, high


def _poisson(most: int, mean: float) -> float:
    """The probability of at most so many."""
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))


def _root(rising: Callable[[float], float], high: float, low: float = 0.0) -> float:
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2


def share_of(k: int, n: int) -> Share:
    """A share with its interval (Wilson 1927). n must be above 0."""
    found, square = k / n, Z * Z
    middle = (found + square / (2 * n)) / (1 + square / n)
    half = Z * math.sqrt(found * (1 - found) / n + square / (4 * n * n)) / (1 + square / n)
    return Share(k, n, found, max(0.0, middle - half), min(1.0, middle + half))
