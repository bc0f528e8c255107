"""How an incident's start lies to a hazard in time: lag windows with a shape, one for each family. Pure.

A kernel is a line through knots, each an instant with the bits that a start at that instant is worth. The windows
follow lags that were published: a lightning strike to racks without power 6 to 47 minutes, a voltage dip to loss of
cooling half an hour to three hours, a flooded basement to empty fuel tanks five to seven hours; heat adds up over days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import fsum
from typing import Final

from incidents import instants
from incidents.linker.mechanisms import Family
from incidents.model import Incident, Moment, Occurrence

Knot = tuple[datetime, float]

EVER: Final = datetime.max.replace(tzinfo=UTC)
NEVER: Final = datetime.min.replace(tzinfo=UTC)
AFTER, OVER = -2.0, -1.0
"""Bits of a start before the hazard, and after its lag is over."""
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The shape of one family. `rise` gives (hours after its start, bits) while the hazard is on."""

    rise: tuple[tuple[float, float], ...]
    lag: timedelta
    """How long after its end an incident may still begin."""
    early: timedelta = timedelta(0)
    """How much a notice may be late: by so much an incident may begin before it."""
    takes: str = ""
    """What is given so long, in words."""


_SUDDEN: Final = ((0.0, 1.0), (1.0, 1.5), (3.0, 1.0), (24.0, 0.5))
_KERNELS: Final[dict[Family, Kernel]] = {
    "heat": Kernel(((0, 0.5), (24, 1.0), (72, 1.5)), 6 * HOUR, takes="heat"),
    "cold": Kernel(((0, 0.5), (12, 1.0)), 6 * HOUR, takes="cold"),
    "smoke": Kernel(((0, 0.5), (6, 1.0)), 24 * HOUR, takes="smoke in filters"),
    "flood": Kernel(((0, 0.5), (3, 1.0), (48, 1.0)), 48 * HOUR, takes="water and what it strands"),
    "snow": Kernel(((0, 0.5), (6, 1.0)), 24 * HOUR, takes="snow"),
    "thunderstorm": Kernel(_SUDDEN, 3 * HOUR, timedelta(minutes=15), "loss of supply"),
    "wind": Kernel(_SUDDEN, 3 * HOUR, timedelta(minutes=15), "loss of supply"),
    "earthquake": Kernel(_SUDDEN, 3 * HOUR, timedelta(minutes=5), "damage after a shock"),
    "grid": Kernel(_SUDDEN, 3 * HOUR, HOUR, "loss of supply"),
    # One that has long been open tells little of an incident that begins now: its own beginning must be near.
    "provider": Kernel(((0, 2.0), (1, 2.0), (3, 1.0), (24, 0.0)), 3 * HOUR, timedelta(minutes=30), "a provider"),
}
_OTHER: Final = Kernel(((0, 1.0),), 3 * HOUR, takes="it")
_COOLING_LAG: Final = 6 * HOUR
"""Loss of cooling after a disturbance: halls warm up slowly, chillers take half an hour to start again."""
LONGEST_LAG: Final = max(kernel.lag for kernel in _KERNELS.values())


def kernel_of(family: Family, *, cooling: bool = False) -> Kernel:
    """The kernel of a family; with `cooling` that of a disturbance which is felt as loss of cooling."""
    kernel = _KERNELS.get(family, _OTHER)
    if cooling and kernel.rise is _SUDDEN:
        return Kernel(kernel.rise, _COOLING_LAG, kernel.early, "loss of cooling after a disturbance")
    return kernel


def start_of(incident: Incident) -> tuple[datetime, datetime]:
    """The earliest and the latest instant at which the incident can have begun."""
    said = incident.impact_started_at
    if said is None:
        first = incident.opened_at
        detected = incident.detected_at
        said = Moment(first if detected is None else min(first, detected.at))
    return said.at, max(said.at, said.until or said.at)


def end_of(occurrence: Occurrence) -> datetime:
    """Its end, never before its start; `EVER` while it is on."""
    return EVER if occurrence.ends_at is None else max(occurrence.starts_at, occurrence.ends_at)


def later(at: datetime, by: timedelta) -> datetime:
    """`at + by`, held within what a datetime can say."""
    if by < timedelta(0):
        return NEVER if at < NEVER - by else at + by
    return EVER if at > EVER - by else at + by


def meets(incident: Incident, occurrence: Occurrence, kernel: Kernel) -> bool:
    """The gate: the hazard, with its lag, touches what the incident spans."""
    earliest, latest = start_of(incident)
    since = min(incident.opened_at, earliest)
    resolved = incident.resolved_at
    until = EVER if resolved is None else later(resolved.until or resolved.at, kernel.early)
    return occurrence.starts_at <= min(until, latest_start(latest)) and since <= later(end_of(occurrence), kernel.lag)


def latest_start(latest: datetime) -> datetime:
    """How late what is weighed may begin: of an incident that is open for months, only its beginning counts."""
    return later(latest, timedelta(days=3))


def knots(occurrence: Occurrence, kernel: Kernel) -> list[Knot]:
    """Bits by when the incident began, as knots in order of time; two knots at one instant are a step."""
    start, end = occurrence.starts_at, end_of(occurrence)
    early = later(start, -kernel.early)
    on = [(later(start, hours * HOUR), bits) for hours, bits in kernel.rise]
    held = [(at, bits) for at, bits in on if at < end]
    last = _on_line(on, end)
    if end <= start:  # a shock has no length; what follows it is its time
        return [(early, AFTER), *on[:1], *[k for k in on[1:] if k[0] < later(start, kernel.lag)],
                (later(start, kernel.lag), 0.0), (later(start, kernel.lag), OVER)]  # fmt: skip
    before = [(early, AFTER), (early, on[0][1] / 2)] if kernel.early else [(start, AFTER)]
    if end == EVER:
        return [*before, *held]
    # What is over counts for half at once, and for less the longer it has been over.
    return [*before, *held, (end, last), (end, last / 2), (later(end, kernel.lag), 0.0), (later(end, kernel.lag), OVER)]


def _on_line(line: Sequence[Knot], at: datetime) -> float:
    """The value of a line through knots at an instant; beyond its ends it goes on level. At a step the later holds."""
    if at < line[0][0]:
        return line[0][1]
    for (since, low), (until, high) in pairwise(line):
        if since <= at < until:
            return low + (high - low) * ((at - since) / (until - since))
    return line[-1][1]


def expected(line: Sequence[Knot], earliest: datetime, latest: datetime) -> float:
    """The mean of the line over the range of possible starts, each instant counting alike."""
    if latest == earliest:
        return _on_line(line, earliest)
    inner = [(at, bits) for at, bits in line if earliest < at < latest]
    whole = [(earliest, _on_line(line, earliest)), *inner, (latest, _before(line, latest))]
    area = fsum((low + high) / 2 * (until - since).total_seconds() for (since, low), (until, high) in pairwise(whole))
    return area / (latest - earliest).total_seconds()


def _before(line: Sequence[Knot], at: datetime) -> float:
    """The value just before an instant: at a step the earlier holds."""
    earlier = [knot for knot in line if knot[0] < at]
    if not earlier:
        return line[0][1]
    step = next((knot for knot in line if knot[0] == at), None)
    return step[1] if step else _on_line(line, at)


def length(span: timedelta) -> str:
    """In whole minutes: a link is no stopwatch."""
    seconds = abs(span).total_seconds()
    return "under a minute" if seconds < 60 else instants.length(seconds)
