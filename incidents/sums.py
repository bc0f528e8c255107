"""Sums: what is kept of an incident's alerts, and of what it is linked with, once their statements were dropped. Pure.

An `alerts_dropped` entry holds the sums of the alerts that went with one transaction, a `linked_dropped` entry the
outline of one linked occurrence. Sums of several entries add up to those of all: in how many parts does not matter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from incidents import instants
from incidents.cascade import LANES, speaks_of_heat
from incidents.incident_fold import members
from incidents.lanes import lane_of, service_of
from incidents.model import Area, Entry, Lane, Members, Occurrence, Post, Severity

ALERTS_DROPPED: Final = "alerts_dropped"
LINKED_DROPPED: Final = "linked_dropped"
DROPPED: Final = (ALERTS_DROPPED, LINKED_DROPPED)
"""The kinds of entry by which retention says what it dropped of an incident."""
MOST_GROUPS: Final = 200
"""Most groups of one entry; the smallest beyond them are summed by lane and severity alone."""
MINUTE: Final = 60

Place = tuple[int, str, int]
"""The minute (since 1970) in which an alert began, its lane, and the rank of its severity."""


@dataclass(frozen=True, slots=True)
class Group:
    """Alerts of one source, service, lane and severity: how many, when the first and the last began, the last end."""

    source: str
    service: str
    lane: Lane
    severity: Severity
    count: int
    first_at: datetime
    last_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sums:
    """What one or several `alerts_dropped` entries keep."""

    members: Members = field(default_factory=Members)
    known_at: datetime | None = None
    """When the last of them became known: from then on the sums are what was known."""
    minutes: Mapping[Place, int] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    firsts: tuple[Occurrence, ...] = ()
    """The first critical one and the first that speaks of heat, in outline."""
    dropped_at: datetime | None = None
    days: int = 0
    """After how many days the last of them were dropped."""
    entry: int | None = None
    """The entry that says so."""

    @property
    def peak(self) -> tuple[int, int] | None:
        """The minute (since 1970) in which the most of them began, and how many those are."""
        counts: Counter[int] = Counter()
        for (minute, _, _), count in self.minutes.items():
            counts[minute] += count
        return max(counts.items(), key=lambda each: (each[1], -each[0]), default=None)


def of_alerts(alerts: Sequence[Occurrence]) -> Sums:
    """The sums of these alerts."""
    grouped: dict[tuple[str, str, Lane, Severity], list[Occurrence]] = defaultdict(list)
    minutes: Counter[Place] = Counter()
    for alert in alerts:
        lane = lane_of(alert)
        grouped[alert.source, service_of(alert) or "", lane, alert.severity].append(alert)
        minutes[minute_of(alert.starts_at), lane, alert.severity.rank] += 1
    critical = [one for one in alerts if one.severity is Severity.CRITICAL]
    hot = [one for one in alerts if lane_of(one) in LANES and speaks_of_heat(one)]
    return Sums(
        members=members(alerts),
        known_at=max((one.recorded_at for one in alerts if one.recorded_at), default=None),
        minutes=minutes,
        groups=_fewer([_group(place, ones) for place, ones in grouped.items()]),
        firsts=_firsts([critical, hot]),
    )


def minute_of(at: datetime) -> int:
    """The minute in which an instant lies, counted from 1970."""
    return int((at - instants.EPOCH).total_seconds() // MINUTE)


def _group(place: tuple[str, str, Lane, Severity], alerts: Iterable[Occurrence]) -> Group:
    starts = sorted(one.starts_at for one in alerts)
    ends = [one.ends_at for one in alerts if one.ends_at]
    return Group(*place, len(starts), starts[0], starts[-1], max(ends, default=None))


def _fewer(groups: Iterable[Group]) -> tuple[Group, ...]:
    """The largest groups as they are, and what is beyond `MOST_GROUPS` without source and service."""
    largest = sorted(groups, key=lambda one: (-one.count, one.first_at, one.source, one.service))
    rest: dict[tuple[Lane, Severity], list[Group]] = defaultdict(list)
    for one in largest[MOST_GROUPS:]:
        rest[one.lane, one.severity].append(one)
    summed = [_together("", "", ones) for ones in rest.values()]
    return tuple(sorted([*largest[:MOST_GROUPS], *summed], key=_order))


def _order(one: Group) -> tuple[datetime, str, str, str, int]:
    return one.first_at, one.source, one.service, one.lane, -one.severity.rank


def _together(source: str, service: str, ones: Sequence[Group]) -> Group:
    return Group(
        source,
        service,
        ones[0].lane,
        ones[0].severity,
        sum(one.count for one in ones),
        min(one.first_at for one in ones),
        max(one.last_at for one in ones),
        max((one.ended_at for one in ones if one.ended_at), default=None),
    )


def _firsts(sorts: Iterable[Sequence[Occurrence]]) -> tuple[Occurrence, ...]:
    found = {one.id: one for ones in sorts if ones for one in [min(ones, key=lambda one: (one.starts_at, one.id))]}
    return tuple(sorted(found.values(), key=lambda one: (one.starts_at, one.id)))


def together(several: Sequence[Sums]) -> Sums:
    """The sums of all alerts that these are of."""
    if not several:
        return Sums()
    minutes: Counter[Place] = Counter()
    grouped: dict[tuple[str, str, Lane, Severity], list[Group]] = defaultdict(list)
    for one in several:
        minutes.update(one.minutes)
        for group in one.groups:
            grouped[group.source, group.service, group.lane, group.severity].append(group)
    firsts = [one for each in several for one in each.firsts]
    last = max(several, key=lambda one: (one.dropped_at or instants.EPOCH, one.entry or 0))
    return Sums(
        members=added(Members(), *(one.members for one in several)),
        known_at=max((one.known_at for one in several if one.known_at), default=None),
        minutes=minutes,
        groups=_fewer([_together(source, service, ones) for (source, service, _, _), ones in grouped.items()]),
        firsts=_firsts(
            [
                [one for one in firsts if one.severity is Severity.CRITICAL],
                [one for one in firsts if lane_of(one) in LANES and speaks_of_heat(one)],
            ]
        ),
        dropped_at=last.dropped_at,
        days=last.days,
        entry=last.entry,
    )


def added(sums: Members, *others: Members) -> Members:
    """The sums over an incident's alerts with those of others beside them."""
    every = (sums, *others)
    return Members(
        alerts=sum(one.alerts for one in every),
        on=sum(one.on for one in every),
        first_starts_at=min((one.first_starts_at for one in every if one.first_starts_at), default=None),
        last_ends_at=max((one.last_ends_at for one in every if one.last_ends_at), default=None),
        gravest=max((one.gravest for one in every), key=lambda severity: severity.rank),
    )


# --- as an entry's params -------------------------------------------------------------------------------------------


def params_of(sums: Sums, days: int) -> dict[str, Any]:
    """Sums as the params of an `alerts_dropped` entry, dropped after so many days."""
    one = sums.members
    return {
        "days": days,
        "alerts": one.alerts,
        "on": one.on,
        "first_starts_at": _text(one.first_starts_at),
        "last_ends_at": _text(one.last_ends_at),
        "severity": one.gravest.value,
        "known_at": _text(sums.known_at),
        "groups": [
            {
                "source": group.source,
                "service": group.service,
                "lane": group.lane,
                "severity": group.severity.value,
                "count": group.count,
                "first_at": _text(group.first_at),
                "last_at": _text(group.last_at),
                "ended_at": _text(group.ended_at),
            }
            for group in sums.groups
        ],
        "minutes": [[*place, count] for place, count in sorted(sums.minutes.items())],
        "firsts": [outline(one) for one in sums.firsts],
    }


def sums_of(entry: Entry) -> Sums:
    """The sums that an `alerts_dropped` entry keeps: the inverse of `params_of`."""
    said = entry.params
    return Sums(
        members=Members(
            alerts=said["alerts"],
            on=said["on"],
            first_starts_at=instants.parse(said["first_starts_at"]),
            last_ends_at=instants.parse(said["last_ends_at"]),
            gravest=Severity(said["severity"]),
        ),
        known_at=instants.parse(said["known_at"]),
        minutes={(minute, lane, rank): count for minute, lane, rank, count in said["minutes"]},
        groups=tuple(
            Group(
                group["source"],
                group["service"],
                group["lane"],
                Severity(group["severity"]),
                group["count"],
                _instant(group["first_at"]),
                _instant(group["last_at"]),
                instants.parse(group["ended_at"]),
            )
            for group in said["groups"]
        ),
        firsts=tuple(map(outlined, said["firsts"])),
        dropped_at=entry.recorded_at,
        days=said["days"],
        entry=entry.id,
    )


_NAMES: Final = ("id", "subject", "source", "key", "kind", "title", "url", "event")
_TIMES: Final = ("starts_at", "starts_until", "ends_at", "said_at", "first_said_at", "recorded_at")
_FLAGS: Final = ("ends_expected", "ends_assumed", "start_said")
_NAMING: Final = ("alertname", "service", "lane", "layer", "provider", "page")
"""Labels that tell of what, by whom and in which lane; the others go with the statements."""


def outline(seen: Occurrence) -> dict[str, Any]:
    """What is kept of one occurrence: what it was called, by whom, where by name, and when: no words, no shape."""
    return {
        **{name: getattr(seen, name) for name in _NAMES},
        **{name: _text(getattr(seen, name)) for name in _TIMES},
        **{name: getattr(seen, name) for name in _FLAGS},
        "severity": seen.severity.value,
        "labels": {name: seen.labels[name] for name in _NAMING if name in seen.labels},
        "posts": [_text(post.at) for post in seen.posts],
        "regions": list(seen.area.regions) if seen.area else [],
        "grid_areas": list(seen.area.grid_areas) if seen.area else [],
    }


def outlined(kept: Mapping[str, Any]) -> Occurrence:
    """The occurrence of an outline: the inverse of `outline`, without statements and with posts that say nothing."""
    times = {name: instants.parse(kept[name]) for name in _TIMES}
    return Occurrence(
        **{name: kept[name] for name in _NAMES},
        **times,  # type: ignore[arg-type]  # `starts_at` is never missing
        **{name: kept[name] for name in _FLAGS},
        severity=Severity(kept["severity"]),
        labels=kept["labels"],
        posts=tuple(Post(_instant(at), "") for at in kept["posts"]),
        area=Area(regions=tuple(kept["regions"]), grid_areas=tuple(kept["grid_areas"]))
        if kept["regions"] or kept["grid_areas"]
        else None,
    )


def _text(at: datetime | None) -> str | None:
    return instants.text(at) if at else None


def _instant(text: str) -> datetime:
    at = instants.parse(text)
    assert at is not None
    return at
