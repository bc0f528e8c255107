"""What may move between incidents: one's alerts, what is near it in time and no part of it, and other incidents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import counting, entries
from incidents.bulk import chunks
from incidents.entries import INCIDENT, MEMBER, OCCURRENCE
from incidents.model import Incident, Occurrence
from incidents.records import occurrence_of
from incidents.tables import micros
from incidents.views import lists
from incidents.views.lists import IncidentFilter
from incidents.views.regroup_view import SHOWN, Regrouping, Wanted

NEAR = timedelta(hours=24)
"""How far before an incident's beginning and after its end what is near it is looked for."""
MOST_MOVED = 20_000
"""Most alerts that one act moves."""


def read_regrouping(connection: sa.Connection, incident: str, wanted: Wanted, now: datetime) -> Regrouping | None:
    """What the page of an incident's regrouping shows; None where there is no such incident."""
    found = entries.read_incident(connection, incident)
    if found is None:
        return None
    near = _near(connection, found, wanted.near, now)
    return Regrouping(
        found,
        tuple(occurrence_of(row) for row in connection.execute(_members(incident, wanted.members, SHOWN + 1))),
        near,
        _others(connection, found, wanted.into),
        _homes(connection, [seen.id for seen in near]),
    )


def fitting(connection: sa.Connection, incident: str, words: str) -> list[str]:
    """The ids of an incident's alerts whose title or name has these words, one more than may move at once."""
    query = _members(incident, words, MOST_MOVED + 1).with_only_columns(OCCURRENCE.c.id)
    return list(connection.execute(query).scalars())


def _members(incident: str, words: str, limit: int) -> sa.Select[Any]:
    query = sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(counting.current_members(incident)), *_fits(words))
    return query.order_by(OCCURRENCE.c.starts_at, OCCURRENCE.c.id).limit(limit)


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
    query = sa.select(OCCURRENCE).where(
        OCCURRENCE.c.kind.in_(("alert", "hazard", "provider_incident", "change")),
        OCCURRENCE.c.test.is_(False),
        OCCURRENCE.c.starts_at.between(since, until),
        ~counting.belongs(incident.id),
        OCCURRENCE.c.id.not_in(linked),
        *_fits(words),
    )
    apart = sa.func.abs(sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger) - micros(incident.opened_at))
    rows = connection.execute(query.order_by(apart, OCCURRENCE.c.id).limit(SHOWN + 1))
    return tuple(occurrence_of(row) for row in rows)


def _others(connection: sa.Connection, incident: Incident, words: str) -> tuple[Incident, ...]:
    """Incidents to merge into: those that the words find, else those that began within a day of this one."""
    begun = incident.opened_at
    wanted = IncidentFilter(q=words) if words else IncidentFilter(since=begun - NEAR, until=begun + NEAR)
    found = lists.list_incidents(connection, wanted, SHOWN // 2 + 1)
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
