"""Reads what the review shows: the incidents that opened in a window, warnings, readings and providers beside them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from incidents import provider_lag
from incidents.bulk import chunks
from incidents.config import Config
from incidents.deliveries import DELIVERY
from incidents.entries import INCIDENT, OCCURRENCE
from incidents.geography import outlines
from incidents.geography.places import relation
from incidents.model import Incident, Site
from incidents.provider_lag import LedgerRow
from incidents.records import occurrence_of
from incidents.redaction import redact
from incidents.statements import READING
from incidents.tombstones import TOMBSTONE
from incidents.views import cohort
from incidents.views.cohort import Cohort, Member, SiteHours, Thinned
from incidents.views.folded import read_folded
from incidents.views.kept import Kept
from incidents.views.lists import titles_of
from incidents.views.series import NEAR_KM

MOST = 2000
"""Most incidents that a review reads, the latest first."""
WARNINGS = 2000
"""Most warnings that a review looks at, the latest first."""
LONGEST = timedelta(days=3 * 366)
"""The longest window of which readings and warnings are read."""
_MEMBERS: Kept[Member] = Kept(3000)
"""By id and mark, as incidents are kept."""


@dataclass(frozen=True, slots=True)
class ReviewAsked:
    """The window of openings, the site if one is asked for, and the zone that days are counted in."""

    now: datetime
    since: datetime
    until: datetime
    zone: str
    site: Site | None = None


def read_review(connection: sa.Connection, config: Config, asked: ReviewAsked) -> Cohort:
    """The review of a window. Incidents that were merged into others are not counted."""
    sites = (asked.site,) if asked.site else config.sites
    wanted = _opened(asked)
    marks = sa.select(INCIDENT.c.id, INCIDENT.c.mark).where(*wanted)
    rows = connection.execute(marks.order_by(INCIDENT.c.opened_at.desc(), INCIDENT.c.id.desc()).limit(MOST)).all()
    total = len(rows)
    if total == MOST:
        total = count_opened(connection, asked)
    members = tuple(reversed(_read_members(connection, rows)))
    incidents = [member.incident for member in members]
    since = max(asked.since, asked.until - LONGEST)
    thinned = _thinned(connection, since, asked.until)
    # Readings stay around incidents alone, so every hour that is left of a thinned stretch would be one of trouble.
    whole_since = max(since, thinned.until) if thinned else since
    return Cohort(
        since=asked.since,
        until=asked.until,
        now=asked.now,
        zone=asked.zone,
        site=asked.site,
        sites=config.sites,
        members=members,
        left_out=total - len(rows),
        record_began_at=_record_began(connection, incidents),
        first_opened_at=connection.execute(
            sa.select(sa.func.min(INCIDENT.c.opened_at)).where(INCIDENT.c.merged_into.is_(None))
        ).scalar(),
        warned_days=_warned_days(connection, sites, since, min(asked.until, asked.now), asked.zone),
        heat=cohort.heat(incidents, _site_hours(connection, sites, whole_since, asked.until)),
        thinned=thinned,
        ledgers=provider_lag.ledgers(_lags(connection, incidents)),
    )


def _opened(asked: ReviewAsked) -> list[sa.ColumnElement[bool]]:
    wanted = [INCIDENT.c.merged_into.is_(None), INCIDENT.c.opened_at.between(asked.since, asked.until)]
    if asked.site:
        wanted.append(sa.cast(INCIDENT.c.sites, sa.Text).contains(f'"{asked.site.name}"', autoescape=True))
    return wanted


def _read_members(connection: sa.Connection, rows: Sequence[Any]) -> list[Member]:
    """The incidents of rows of ids and marks as members, in their order; those of an equal mark are kept ones.

    What is kept is no one asker's: the rows are those that this one may see.
    """
    kept = [_MEMBERS.find((row.id, row.mark)) if row.mark else None for row in rows]
    missing = [row.id for row, member in zip(rows, kept, strict=True) if member is None]
    read = read_folded(connection, missing)
    columns = sa.select(INCIDENT.c.id, INCIDENT.c.names)
    names = {
        row.id: row.names
        for part in chunks(missing)
        for row in connection.execute(columns.where(INCIDENT.c.id.in_(part)))
    }
    found = []
    for row, known in zip(rows, kept, strict=True):
        member = known
        if member is None:
            heard = names[row.id]
            member = Member(read[row.id], redact(heard[0]) if heard else None)
            if row.mark:
                _MEMBERS.keep((row.id, row.mark), member)
        found.append(member)
    return found


def count_opened(connection: sa.Connection, asked: ReviewAsked) -> int:
    """How many incidents opened in a window."""
    query = sa.select(sa.func.count()).select_from(INCIDENT).where(*_opened(asked))
    return connection.execute(query).scalar_one()


def _thinned(connection: sa.Connection, since: datetime, until: datetime) -> Thinned | None:
    """What of a window was dropped for its age: all from its beginning to the end of the hour of the last such reading.

    A tombstone does not say what its readings measured; those of temperatures age with all others.
    """
    last_at = sa.func.coalesce(TOMBSTONE.c.about_until, TOMBSTONE.c.last_at)
    query = sa.select(sa.func.max(last_at), sa.func.sum(TOMBSTONE.c.count)).where(
        TOMBSTONE.c.kind == "reading",
        sa.func.coalesce(TOMBSTONE.c.about_since, TOMBSTONE.c.first_at) <= until,
        last_at >= since,
    )
    last, readings = connection.execute(query).one()
    if last is None:
        return None
    whole_since = last.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return Thinned(since, min(whole_since, until), int(readings))


def _record_began(connection: sa.Connection, incidents: Sequence[Incident]) -> datetime | None:
    """When the first bytes arrived, or the first incident opened where that is earlier."""
    first = sa.select(DELIVERY.c.received_at).order_by(DELIVERY.c.id).limit(1)
    instants = [connection.execute(first).scalar(), *(incident.opened_at for incident in incidents)]
    return min((at for at in instants if at is not None), default=None)


def _warned_days(
    connection: sa.Connection, sites: Sequence[Site], since: datetime, until: datetime, zone: str
) -> frozenset[date]:
    query = sa.select(OCCURRENCE).where(
        OCCURRENCE.c.kind == "hazard",
        OCCURRENCE.c.test.is_(False),
        OCCURRENCE.c.starts_at <= until,
        OCCURRENCE.c.ends_at.is_(None) | (OCCURRENCE.c.ends_at >= since),
    )
    found: set[date] = set()
    for row in connection.execute(query.order_by(OCCURRENCE.c.starts_at.desc()).limit(WARNINGS)):
        seen = occurrence_of(row)
        if any(relation(site, seen.area) is not None for site in sites):
            found.update(cohort.days(max(seen.starts_at, since), min(seen.ends_at or until, until), zone))
    return frozenset(found)


def _lags(connection: sa.Connection, incidents: Sequence[Incident]) -> list[LedgerRow]:
    counted = [(one, link) for one in incidents for link in one.links if provider_lag.counts(link)]
    theirs = titles_of(connection, sorted({link.id for _, link in counted}))
    return [
        LedgerRow(one, seen, link.state, link.evidence.tier, provider_lag.lag(one, seen))
        for one, link in counted
        if (seen := theirs.get(link.id)) and seen.kind == "provider_incident"
    ]


def _site_hours(
    connection: sa.Connection, sites: Sequence[Site], since: datetime, until: datetime
) -> dict[str, SiteHours]:
    found = {site.name: _hours_at(connection, site, since, until) for site in sites}
    return {name: hours for name, hours in found.items() if hours is not None}


def _hours_at(connection: sa.Connection, site: Site, since: datetime, until: datetime) -> SiteHours | None:
    """The highest temperature of each hour at the nearest station; the value recorded last holds for its instant."""
    reach = NEAR_KM / max(1.0, 111.0 * math.cos(math.radians(site.latitude)))
    same = (READING.c.station, READING.c.latitude, READING.c.longitude, READING.c.basis)
    newest = sa.func.row_number().over(
        partition_by=(*same, READING.c.at), order_by=(READING.c.recorded_at.desc(), READING.c.id.desc())
    )
    each = (
        sa.select(*same, READING.c.at, READING.c.value, newest.label("newest"))
        .where(
            READING.c.variable == "temperature_c",
            READING.c.at.between(since, until),
            READING.c.latitude.between(site.latitude - NEAR_KM / 111.0, site.latitude + NEAR_KM / 111.0),
            READING.c.longitude.between(site.longitude - reach, site.longitude + reach),
        )
        .subquery()
    )
    start = sa.type_coerce(each.c.at, sa.BigInteger)
    hour = (start - start % 3_600_000_000).label("hour")
    which = (each.c.station, each.c.latitude, each.c.longitude, each.c.basis)
    query = sa.select(*which, hour, sa.func.max(each.c.value).label("highest"), sa.func.count().label("n"))
    by_station: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in connection.execute(query.where(each.c.newest == 1).group_by(*which, hour)):
        away = outlines.distance_km(site.latitude, site.longitude, row.latitude, row.longitude)
        if away <= NEAR_KM:
            by_station[row.basis != "observed", away, row.station or "", row.basis].append(row)
    if not by_station:
        return None
    nearest = min(by_station)
    rows = by_station[nearest]
    return SiteHours(
        {int(row.hour) // 3_600_000_000: row.highest for row in rows}, sum(row.n for row in rows), nearest[3]
    )


def default_window(now: datetime, zone: str) -> tuple[datetime, datetime]:
    """The last ninety local days with today."""
    today = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=89), now
