"""What may move between incidents: one's alerts, what is near it in time and no part of it, and other incidents."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import counting, entries, privacy, remains
from incidents.bulk import chunks
from incidents.counting import COUNT
from incidents.entries import INCIDENT, MEMBER, OCCURRENCE
from incidents.model import Incident, Occurrence
from incidents.records import occurrence_of
from incidents.tables import instant, micros
from incidents.views import lists
from incidents.views.lists import IncidentFilter
from incidents.views.regroup_view import NEAR_SHOWN, OTHERS_SHOWN, SHOWN, Regrouping, Wanted

NEAR = timedelta(hours=24)
"""How far before an incident's beginning and after its end what is near it is looked for."""
MOST_MOVED = 20_000
"""Most alerts that one act moves."""
MANY = 1000
"""Above that the alerts of an incident are met in the order of time, and not all put into it."""
MOST_MINUTES = 120
"""Most minutes that are looked at one by one for what began among a crowd and is no part of it."""
_MINUTE = 60_000_000
_KINDS = ("alert", "hazard", "provider_incident", "change")
_ALERTS = OCCURRENCE.c.kind == _KINDS[0]
_OTHERS = OCCURRENCE.c.kind.in_(_KINDS[1:])
_IN_ORDER = (OCCURRENCE.c.starts_at, OCCURRENCE.c.id)


def read_regrouping(connection: sa.Connection, incident: str, wanted: Wanted, now: datetime) -> Regrouping | None:
    """What the page of an incident's regrouping shows; None where there is no such incident."""
    found = entries.read_incident(connection, incident)
    if found is None:
        return None
    near = _near(connection, found, wanted.near, now)
    members, total = _worded(connection, found, wanted) if wanted.members else _members(connection, found, wanted.after)
    return Regrouping(
        found, members, near, _others(connection, found, wanted.into), total,
        _homes(connection, [seen.id for seen in near]),
    )  # fmt: skip


def fitting(connection: sa.Connection, incident: str, words: str) -> list[str]:
    """The ids of an incident's alerts whose title or name has these words, one more than may move at once."""
    mine = OCCURRENCE.c.id.in_(counting.current_members(incident))
    query = sa.select(OCCURRENCE.c.id).where(mine, *_fits(words)).order_by(*_IN_ORDER).limit(MOST_MOVED + 1)
    return list(connection.execute(query).scalars())


def _worded(connection: sa.Connection, incident: Incident, wanted: Wanted) -> tuple[tuple[Occurrence, ...], int]:
    """A page of an incident's alerts that have the words, with one more, and how many have them: all are looked at."""
    mine = counting.belongs(incident.id, has_left=counting.has_left(connection, incident.id))
    first = OCCURRENCE.c.starts_at >= (incident.members.first_starts_at or incident.opened_at)
    start = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    query = sa.select(start, OCCURRENCE.c.id).where(OCCURRENCE.c.kind.in_(_KINDS), first, *_fits(wanted.members), mine)
    found = sorted((row[0], row[1]) for row in connection.execute(query))
    begin = bisect_right(found, wanted.after) if wanted.after else 0
    page = [name for _, name in found[begin : begin + SHOWN + 1]]
    return _found(connection, [OCCURRENCE.c.id.in_(page)], _IN_ORDER, SHOWN + 1), len(found)


def _members(
    connection: sa.Connection, incident: Incident, after: tuple[int, str] | None
) -> tuple[tuple[Occurrence, ...], int]:
    """Alerts of an incident in the order in which they began, from the one after a page on, and how many there are."""
    conditions: list[sa.ColumnElement[bool]] = []
    if after:
        at, name = instant(after[0]), after[1]
        later = sa.or_(OCCURRENCE.c.starts_at > at, OCCURRENCE.c.id > name)
        conditions += [OCCURRENCE.c.starts_at >= at, later]
    elif incident.members.first_starts_at:
        conditions.append(OCCURRENCE.c.starts_at >= incident.members.first_starts_at)
    total = incident.members.alerts - remains.sums_kept(connection, incident.id).members.alerts
    if incident.members.alerts <= MANY:
        mine = OCCURRENCE.c.id.in_(counting.current_members(incident.id))
        return _found(connection, [mine, *conditions], _IN_ORDER, SHOWN + 1), total
    # Of a crowd the first are met in the index by start sooner than all are put into their order.
    mine = counting.belongs(incident.id)
    found = [
        one
        for kinds in (_ALERTS, _OTHERS)
        for one in _found(connection, [mine, kinds, *conditions], _IN_ORDER, SHOWN + 1)
    ]
    return tuple(sorted(found, key=lambda one: (one.starts_at, one.id))[: SHOWN + 1]), total


def _found(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]], order: Iterable[Any], most: int
) -> tuple[Occurrence, ...]:
    query = sa.select(OCCURRENCE).where(*conditions).order_by(*order).limit(most)
    return tuple(occurrence_of(row) for row in connection.execute(query))


def _fits(words: str) -> list[sa.ColumnElement[bool]]:
    if not words:
        return []
    fits = (column.icontains(words, autoescape=True) for column in (OCCURRENCE.c.title, OCCURRENCE.c.name))
    return [sa.or_(*fits, OCCURRENCE.c.id == words)]


def _near(connection: sa.Connection, incident: Incident, words: str, now: datetime) -> tuple[Occurrence, ...]:
    """Alerts that are no members, and what of the outside world is not linked, that began near it; the nearest first.

    What was rejected or retracted may be linked again.
    """
    ended = incident.resolved_at
    since, until = incident.opened_at - NEAR, ((ended.until or ended.at) if ended else now) + NEAR
    linked = [link.id for link in incident.links if link.state not in ("rejected", "retracted")]
    conditions = [OCCURRENCE.c.test.is_(False), OCCURRENCE.c.id.not_in(linked), *_fits(words)]
    apart = sa.func.abs(sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger) - micros(incident.opened_at))
    order, most = (apart, OCCURRENCE.c.id), NEAR_SHOWN + 1
    within = OCCURRENCE.c.starts_at.between(since, until)
    alerts = _mixed(connection, incident.id, since, until) if incident.members.alerts > MANY else within
    conditions += [~counting.belongs(incident.id), privacy.is_shown(connection, OCCURRENCE.c.id)]
    found = [
        one
        for kinds in (_ALERTS & alerts, _OTHERS & within)
        for one in _found(connection, [kinds, *conditions], order, most)
    ]
    opened = incident.opened_at
    return tuple(sorted(found, key=lambda one: (abs(one.starts_at - opened), one.id))[:most])


def _mixed(connection: sa.Connection, incident: str, since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    """That an occurrence began within a window, in a minute in which others began than the alerts of an incident.

    Of a crowd each would else be looked up only to find that it is one of the incident's own.
    """
    within: sa.ColumnElement[bool] = OCCURRENCE.c.starts_at.between(since, until)
    # What was dropped is counted and no longer there: as many others may be in its place.
    if remains.has_sums(connection, incident):
        return within
    began = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    minute = (began - began % _MINUTE).label("minute")
    first, last = (number - number % _MINUTE for number in (micros(since), micros(until)))
    stored = sa.select(minute, sa.func.count()).where(
        OCCURRENCE.c.kind.in_(_KINDS), began.between(first, last + _MINUTE - 1)
    )
    own = sa.select(COUNT.c.minute, sa.func.sum(COUNT.c.alerts)).where(COUNT.c.incident_id == incident)
    counted = {row[0]: int(row[1]) for row in connection.execute(own.group_by(COUNT.c.minute))}
    mixed = [row[0] for row in connection.execute(stored.group_by(minute)) if counted.get(row[0]) != row[1]]
    if len(mixed) > MOST_MINUTES:
        return within
    return sa.and_(within, sa.or_(sa.false(), *(began.between(at, at + _MINUTE - 1) for at in mixed)))


def _others(connection: sa.Connection, incident: Incident, words: str) -> tuple[Incident, ...]:
    """Incidents to merge into: those that the words find, else those that began within a day of this one."""
    begun = incident.opened_at
    wanted = IncidentFilter(q=words) if words else IncidentFilter(since=begun - NEAR, until=begun + NEAR)
    found = lists.list_incidents(connection, wanted, OTHERS_SHOWN + 1)
    return tuple(one for one in found if one.id != incident.id)


def _homes(connection: sa.Connection, occurrences: Sequence[str]) -> dict[str, Sequence[str]]:
    """The incidents that alerts belong to now: of each pair the newest word counts."""
    newest: dict[tuple[str, str], bool] = {}
    for part in chunks(list(occurrences)):
        query = (
            sa.select(MEMBER.c.occurrence_id, MEMBER.c.incident_id, MEMBER.c.joined)
            .join(INCIDENT, INCIDENT.c.id == MEMBER.c.incident_id)
            .where(MEMBER.c.occurrence_id.in_(part), INCIDENT.c.merged_into.is_(None))
            .order_by(MEMBER.c.entry_id)
        )
        for row in connection.execute(query):
            newest[row.occurrence_id, row.incident_id] = row.joined
    homes: dict[str, list[str]] = defaultdict(list)
    for (occurrence, incident), is_member in newest.items():
        if is_member:
            homes[occurrence].append(incident)
    return dict(homes)
