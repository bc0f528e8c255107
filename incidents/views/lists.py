"""Lists: incidents, occurrences, readings and deliveries, each page begun after the last one by its keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

import sqlalchemy as sa

from incidents import entries, privacy, remains
from incidents.bulk import CHUNK, chunks, listed
from incidents.deliveries import DELIVERY, STAMP, UNREAD
from incidents.entries import INCIDENT, OCCURRENCE
from incidents.model import Incident, Occurrence, Severity, Site
from incidents.receipts import receipt_of
from incidents.records import occurrence_of
from incidents.statements import READING
from incidents.views.finding import Found, find, says
from incidents.views.folded import read_folded
from incidents.views.source_view import QuarantineRow
from incidents.views.view import Hit, IncidentRow


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents a list shows; None leaves a field open. `after` is a cursor's (opened_at, id)."""

    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    site: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    after: tuple[datetime, str] | None = None
    merged: bool = False


def search_incidents(
    connection: sa.Connection, wanted: IncidentFilter, limit: int
) -> tuple[list[Incident], Mapping[str, Sequence[Hit]]]:
    """Incidents newest first, at most `limit`, and where beyond title and id the words were found, by incident."""
    found = find(connection, wanted.q or "")
    rows = list_incidents(connection, wanted, limit, found=found)
    return rows, found.hits(connection, [row.id for row in rows])


def list_incidents(
    connection: sa.Connection,
    wanted: IncidentFilter,
    limit: int,
    *,
    found: Found | None = None,
) -> list[Incident]:
    """Incidents newest first, at most `limit`; `found` is what the filter's words found, where that is known."""
    query = sa.select(INCIDENT.c.id)
    if not wanted.merged:
        query = query.where(INCIDENT.c.merged_into.is_(None))
    if wanted.status:
        query = query.where(INCIDENT.c.status.in_(wanted.status))
    if wanted.severity:
        query = query.where(INCIDENT.c.severity.in_([Severity(s).rank for s in wanted.severity]))
    if wanted.site:
        query = query.where(sa.cast(INCIDENT.c.sites, sa.Text).contains(f'"{wanted.site}"', autoescape=True))
    if wanted.since:
        query = query.where(INCIDENT.c.resolved_at.is_(None) | (INCIDENT.c.resolved_at >= wanted.since))
    if wanted.until:
        query = query.where(INCIDENT.c.opened_at <= wanted.until)
    if wanted.q:
        words = says(connection, INCIDENT.c.title, wanted.q) | INCIDENT.c.id.contains(wanted.q, autoescape=True)
        found = found or find(connection, wanted.q)
        named = sa.select(listed(connection, sorted(found.incidents)).c.a)
        query = query.where(words | INCIDENT.c.id.in_(named))
    if wanted.after:
        at, name = wanted.after
        # Without the first bound SQLite walks the index from its end.
        query = query.where(INCIDENT.c.opened_at <= at, (INCIDENT.c.opened_at < at) | (INCIDENT.c.id < name))
    names = list(
        connection.execute(query.order_by(INCIDENT.c.opened_at.desc(), INCIDENT.c.id.desc()).limit(limit)).scalars()
    )
    read = read_folded(connection, names)
    return [read[name] for name in names]


def incident_rows(incidents: Sequence[Incident]) -> tuple[IncidentRow, ...]:
    """Incidents as lists show them."""
    return tuple(
        IncidentRow(i, sum(link.state == "proposed" and link.evidence.tier != "context" for link in i.links))
        for i in incidents
    )


@dataclass(frozen=True, slots=True)
class OccurrenceFilter:
    """Which occurrences a list shows."""

    kind: str | None = None
    active_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    after: tuple[datetime, str] | None = None


def list_occurrences(connection: sa.Connection, wanted: OccurrenceFilter, limit: int) -> list[Occurrence]:
    """Occurrences in the order in which they began, the latest first; tests are left out."""
    query = sa.select(OCCURRENCE).where(OCCURRENCE.c.test.is_(False), privacy.is_shown(connection, OCCURRENCE.c.id))
    kinds = (wanted.kind,) if wanted.kind else ("alert", "hazard", "provider_incident", "change")
    names = _over_after(connection, kinds, wanted.active_at) if wanted.active_at else None
    # Those named are of these kinds; to say so again would have SQLite go through the index of starts.
    query = query.where(OCCURRENCE.c.kind.in_(kinds) if names is None else OCCURRENCE.c.id.in_(names))
    if wanted.active_at:
        query = query.where(OCCURRENCE.c.starts_at <= wanted.active_at)
        if names is None:
            query = query.where(OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at > wanted.active_at))
    if wanted.since:
        query = query.where(OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at >= wanted.since))
    if wanted.until:
        query = query.where(OCCURRENCE.c.starts_at <= wanted.until)
    if wanted.source:
        query = query.where(OCCURRENCE.c.source == wanted.source)
    if wanted.after:
        at, name = wanted.after
        query = query.where(OCCURRENCE.c.starts_at <= at, (OCCURRENCE.c.starts_at < at) | (OCCURRENCE.c.id < name))
    rows = connection.execute(query.order_by(OCCURRENCE.c.starts_at.desc(), OCCURRENCE.c.id.desc()).limit(limit))
    return [occurrence_of(row) for row in rows]


def _over_after(connection: sa.Connection, kinds: Sequence[str], at: datetime) -> list[str] | None:
    """What was not over at an instant, by the index of ends; None where that is so much that few will do.

    Of a long record little goes on now. By the index of starts one would look at all of it to find that little.
    """
    found: list[str] = []
    for kind, still in product(kinds, (OCCURRENCE.c.ends_at.is_(None), OCCURRENCE.c.ends_at > at)):
        query = sa.select(OCCURRENCE.c.id).where(OCCURRENCE.c.kind == kind, still)
        found += connection.execute(query.limit(CHUNK + 1 - len(found))).scalars()
        if len(found) > CHUNK:
            return None
    return found


def list_readings(
    connection: sa.Connection, site: Site | None, variable: str | None, *, since: datetime, until: datetime, limit: int
) -> list[Any]:
    """Rows of readings in a window in the order of their instants; of a site those near it and of its grid area."""
    query = sa.select(READING).where(READING.c.at.between(since, until))
    if variable:
        query = query.where(READING.c.variable == variable)
    if site:
        near = READING.c.latitude.between(site.latitude - 0.5, site.latitude + 0.5) & READING.c.longitude.between(
            site.longitude - 0.7, site.longitude + 0.7
        )
        query = query.where(near | (READING.c.grid_area == site.grid_area) if site.grid_area else near)
    return list(connection.execute(query.order_by(READING.c.at, READING.c.id).limit(limit)))


def list_deliveries(
    connection: sa.Connection, *, state: str | None, source: str | None, before: int | None, limit: int
) -> list[Any]:
    """Deliveries with how they were read, the newest first, as rows without their bodies."""
    columns = (
        DELIVERY.c.id,
        DELIVERY.c.source,
        DELIVERY.c.received_at,
        DELIVERY.c.size,
        DELIVERY.c.sha256,
        DELIVERY.c.refused,
        STAMP.c.state,
        STAMP.c.reason,
        STAMP.c.adapter,
        STAMP.c.adapter_version,
        STAMP.c.events,
        STAMP.c.readings,
        STAMP.c.losses,
        STAMP.c.loss_reason,
        STAMP.c.stamped_at,
    )
    query = sa.select(*columns).outerjoin(STAMP, STAMP.c.delivery_id == DELIVERY.c.id)
    if state == "unread":
        query = query.where(DELIVERY.c.id.in_(sa.select(UNREAD.c.delivery_id)))
    elif state:
        query = query.where(STAMP.c.state == state)
    if source:
        query = query.where(DELIVERY.c.source == source)
    if before is not None:
        query = query.where(DELIVERY.c.id < before)
    return list(connection.execute(query.order_by(DELIVERY.c.id.desc()).limit(limit)))


def quarantine_rows(rows: Sequence[Any]) -> tuple[QuarantineRow, ...]:
    """Quarantined deliveries as pages show them."""
    return tuple(QuarantineRow(receipt_of(r.id), r.source, r.received_at, r.reason or "", r.size) for r in rows)


def alerts_in(connection: sa.Connection, incident: str) -> int | None:
    """How many alerts an incident has; None where there is none of this id."""
    return connection.execute(sa.select(INCIDENT.c.alerts).where(INCIDENT.c.id == incident)).scalar()


def alerts_of(connection: sa.Connection, incident: str, *, after: str, limit: int) -> list[Occurrence]:
    """The alerts of an incident, a page in the order of their ids."""
    return entries.member_alerts(connection, incident, limit=limit, after=after)


def titles_of(connection: sa.Connection, names: Sequence[str]) -> dict[str, Occurrence]:
    """Occurrences by id; of linked ones whose statements were dropped what is kept of them."""
    found = {
        row.id: occurrence_of(row)
        for part in chunks(list(names))
        for row in connection.execute(sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(part)))
    }
    return found | remains.outlines(connection, set(names) - set(found))
