"""What may move between incidents: one's alerts, what is near it in time and no part of it, and other incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import counting, entries, remains
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


def read_regrouping(connection: sa.Connection, incident: str, wanted: Wanted, now: datetime) -> Regrouping | None:
    """What the page of an incident's regrouping shows; None where there is no such incident."""
    found = entries.read_incident(connection, incident)
    if found is None:
        return None
    near = _near(connection, found, wanted.near, now)
    return Regrouping(
        found,
        _members(connection, found, wanted),
        near,
        _others(connection, found, wanted.into),
        _total(connection, incident, wanted.members),
        _homes(connection, [seen.id for seen in near]),
    )


def fitting(connection: sa.Connection, incident: str, words: str) -> list[str]:
    """The ids of an incident's alerts whose title or name has these words, one more than may move at once."""
    query = _fitting(incident, words).order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id).limit(MOST_MOVED + 1)
    return list(connection.execute(query).scalars())


def _fitting(incident: str, words: str) -> sa.Select[Any]:
    return sa.select(OCCURRENCE.c.id).where(OCCURRENCE.c.id.in_(counting.current_members(incident)), *_fits(words))


def _total(connection: sa.Connection, incident: str, words: str) -> int:
    if not words:
        query = sa.select(sa.func.coalesce(sa.func.sum(COUNT.c.alerts), 0)).where(COUNT.c.incident_id == incident)
        dropped = remains.sums_kept(connection, incident).members.alerts
        return int(connection.execute(query).scalar_one()) - dropped
    return connection.execute(sa.select(sa.func.count()).select_from(_fitting(incident, words).subquery())).scalar_one()


def _members(connection: sa.Connection, incident: Incident, wanted: Wanted) -> tuple[Occurrence, ...]:
    """Alerts of an incident that have the words, in the order in which they began, from the one after a page on."""
    conditions = _fits(wanted.members)
    if wanted.after:
        at, name = instant(wanted.after[0]), wanted.after[1]
        later = sa.or_(OCCURRENCE.c.starts_at > at, OCCURRENCE.c.id > name)
        conditions += [OCCURRENCE.c.starts_at >= at, later]
    elif incident.members.first_starts_at:
        conditions.append(OCCURRENCE.c.starts_at >= incident.members.first_starts_at)
    order = (OCCURRENCE.c.starts_at, OCCURRENCE.c.id)
    if incident.members.alerts <= MANY:
        mine = OCCURRENCE.c.id.in_(counting.current_members(incident.id))
        return _found(connection, [mine, *conditions], order, SHOWN + 1)
    # Of a crowd the first are met in the index by start sooner than all are put into their order.
    mine = counting.belongs(incident.id)
    found = [
        one for kinds in (_ALERTS, _OTHERS) for one in _found(connection, [mine, kinds, *conditions], order, SHOWN + 1)
    ]
    return tuple(sorted(found, key=lambda one: (one.starts_at, one.id))[: SHOWN + 1])


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
    conditions.append(~counting.belongs(incident.id))
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
