"""The incidents that opened in a window, seen together: how long, how often again, how late noticed, when. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from incidents import measurements
from incidents.model import Incident, Site
from incidents.provider_lag import ProviderLedger
from incidents.views.durations import Length, Rate, Share, rate, share_of

NIGHT = frozenset({22, 23, 0, 1, 2, 3, 4, 5})
"""Hours of the wall clock that count as night: from 22 until 6."""
GAPS = 8
"""How many of the longest detection gaps are told."""
THRESHOLDS = (-10, 0, 10, 20, 25, 30, 35, 40)
"""Temperatures in °C above which incidents are counted."""


class Told(NamedTuple):
    """What an incident says of one measurement: its length, or since when one that is still to come grows."""

    length: Length | None = None
    since: datetime | None = None
    is_ranged: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """An incident of the cohort. `alert` is the name of its first alert; None where it has none."""

    incident: Incident
    alert: str | None = None
    told: Mapping[str, Told] = field(init=False, repr=False, compare=False)
    """By the measurement's name. Measured once, since a member is kept for the next review."""

    def __post_init__(self) -> None:
        told = {name: _told(self.incident, name, since) for name, since, _ in measurements.PAIRS}
        object.__setattr__(self, "told", told)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """Incidents of one site whose first alert had one name, in the order in which they opened."""

    site: str
    alert: str
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, slots=True)
class DetectionGap:
    """From the impact to the first signal to the first person, in seconds; None where nobody has come yet."""

    incident: Incident
    to_signal: float
    to_person: float | None


@dataclass(frozen=True, slots=True)
class Nights:
    """Incidents by the hour of their site's wall clock at which they opened, and the share that opened at night."""

    by_hour: tuple[int, ...]
    night: Share | None


@dataclass(frozen=True, slots=True)
class Warmth:
    """Incidents that opened in hours at or above a temperature, per hundred such site-hours."""

    above_c: float
    rate: Rate


@dataclass(frozen=True, slots=True)
class Heat:
    """What the readings at the sites allow to say: hours with a reading, incidents in them, incidents without one."""

    rows: tuple[Warmth, ...]
    hours: int
    readings: int
    incidents: int
    without_reading: int
    bases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Thinned:
    """A stretch of which retention dropped so many readings. What is left of it lies around incidents."""

    since: datetime
    until: datetime
    readings: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """Everything that the review shows. `left_out` counts the older incidents that were too many to read."""

    since: datetime
    until: datetime
    now: datetime
    zone: str
    site: Site | None
    sites: tuple[Site, ...]
    members: tuple[Member, ...]
    left_out: int = 0
    record_began_at: datetime | None = None
    first_opened_at: datetime | None = None
    """When the oldest incident of the whole record opened."""
    warned_days: frozenset[date] = frozenset()
    """Local days on which an official warning was in force at one of the sites."""
    heat: Heat | None = None
    thinned: Thinned | None = None
    """The part of the window that `heat` leaves out."""
    ledgers: tuple[ProviderLedger, ...] = ()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """Its incidents, the oldest first."""
        return tuple(member.incident for member in self.members)


def _told(incident: Incident, name: str, since: str) -> Told:
    measured = measurements.measured(incident, name)
    if measured.outcome == "recorded" and measured.seconds is not None:
        most = measured.seconds if measured.seconds_max is None else measured.seconds_max
        return Told(Length((measured.seconds + most) / 2), is_ranged=measured.seconds_max is not None)
    if measured.outcome == "pending":
        start = getattr(incident, since) or incident.detected_at
        return Told(since=start.at if start else None)
    return Told()


def lengths(members: Iterable[Member], name: str, now: datetime) -> list[tuple[Incident, Length]]:
    """How long one measurement took in each incident; where it is still to come, how long that is so far.

    A length that is only known as a range counts with its middle. What does not apply or is invalid is left out.
    """
    found = []
    for member in members:
        told = member.told[name]
        if told.length is not None:
            found.append((member.incident, told.length))
        elif told.since is not None and told.since <= now:
            found.append((member.incident, Length((now - told.since).total_seconds(), is_open=True)))
    return found


def ranged(members: Iterable[Member], name: str) -> int:
    """How many of a measurement's lengths are known as ranges only."""
    return sum(member.told[name].is_ranged for member in members)


def recurrences(members: Iterable[Member]) -> tuple[Recurrence, ...]:
    """What came again: the same site and the same first alert twice or more, the most frequent first."""
    groups: dict[tuple[str, str], list[Incident]] = defaultdict(list)
    for member in members:
        if member.alert is not None:
            for site in member.incident.sites or ("",):
                groups[site, member.alert].append(member.incident)
    again = [Recurrence(site, alert, tuple(found)) for (site, alert), found in groups.items() if len(found) > 1]
    return tuple(sorted(again, key=lambda r: (-len(r.incidents), r.site, r.alert)))


def detection_gaps(incidents: Iterable[Incident]) -> tuple[DetectionGap, ...]:
    """The longest stretches from the impact to the first signal; ranges count from their first instants."""
    found = []
    for incident in incidents:
        impact, signal, person = incident.impact_started_at, incident.detected_at, incident.acknowledged_at
        if impact is None or signal is None or signal.at < impact.at:
            continue
        came = (person.at - impact.at).total_seconds() if person and person.at >= signal.at else None
        found.append(DetectionGap(incident, (signal.at - impact.at).total_seconds(), came))
    return tuple(sorted(found, key=lambda gap: -(gap.to_person or gap.to_signal))[:GAPS])


def by_day(incidents: Iterable[Incident], zone: str) -> Counter[date]:
    """How many opened on each local day."""
    local = ZoneInfo(zone)
    return Counter(incident.opened_at.astimezone(local).date() for incident in incidents)


def nights(incidents: Sequence[Incident], sites: Sequence[Site]) -> Nights:
    """When incidents opened by the clock of their first site; UTC where they have none."""
    zones = {site.name: ZoneInfo(site.timezone) for site in sites}
    hours = Counter(
        incident.opened_at.astimezone(
            next((zones[name] for name in incident.sites if name in zones), ZoneInfo("UTC"))
        ).hour
        for incident in incidents
    )
    at_night = sum(hours[hour] for hour in NIGHT)
    return Nights(
        tuple(hours[hour] for hour in range(24)), share_of(at_night, len(incidents)) if len(incidents) else None
    )


@dataclass(frozen=True, slots=True)
class SiteHours:
    """The highest temperature of each hour (hours since 1970) at one site, and how many readings that rests on."""

    highest: Mapping[int, float]
    readings: int
    basis: str


def heat(incidents: Sequence[Incident], hours_of: Mapping[str, SiteHours]) -> Heat | None:
    """Incidents per hundred site-hours above each threshold; None where no site has a reading."""
    values = [value for found in hours_of.values() for value in found.highest.values()]
    if not values:
        return None
    opened, without = [], 0
    for incident in incidents:
        hour = int(incident.opened_at.timestamp() // 3600)
        seen = [h.highest[hour] for name in incident.sites if (h := hours_of.get(name)) and hour in h.highest]
        if seen:
            opened.append(max(seen))
        else:
            without += 1
    rows = []
    for above in THRESHOLDS:
        hours = sum(value >= above for value in values)
        if hours:
            rows.append(Warmth(above, rate(sum(value >= above for value in opened), hours)))
    return Heat(
        rows=tuple(rows),
        hours=len(values),
        readings=sum(found.readings for found in hours_of.values()),
        incidents=len(opened),
        without_reading=without,
        bases=tuple(sorted({found.basis for found in hours_of.values()})),
    )


def days(since: datetime, until: datetime, zone: str) -> list[date]:
    """The local days that a window touches."""
    first, last = since.astimezone(ZoneInfo(zone)).date(), until.astimezone(ZoneInfo(zone)).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
