"""How many of an incident's alerts began and ended when: by minute, lane and severity, kept while alerts join.

Whatever was kept equals what the database would count from the members now; a rebuild counts afresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import remains
from incidents.bulk import insert
from incidents.lanes import lane_of
from incidents.model import Lane, Occurrence, Severity
from incidents.sums import ALERTS_DROPPED
from incidents.tables import EntryRow, MemberCountRow, MemberRow, OccurrenceRow, instant, micros
from incidents.views.view import Bin

COUNT = MemberCountRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
ENTRY = EntryRow.__table__  # type: ignore[attr-defined]
MEMBER = MemberRow.__table__  # type: ignore[attr-defined]
OCCURRENCE = OccurrenceRow.__table__  # type: ignore[attr-defined]

MINUTE = 60
_MICROSECONDS = 1_000_000
_Place = tuple[int, str, int]
"""A minute in microseconds since 1970, a lane, and the rank of a severity."""
KINDS = ("alert", "hazard", "provider_incident", "change")


# --- who belongs to an incident ---------------------------------------------------------------------------------------


def current_members(incident: str) -> sa.Select[Any]:
    """A query of the ids of the alerts that belong to an incident now: the newest word of each pair is "joined"."""
    return _joined(incident).where(~_later())


def members_at(connection: sa.Connection, incident: str, as_of: datetime | None = None) -> sa.Select[Any]:
    """The same as known at a moment or now, without looking for newer words where no alert has ever left."""
    log = sa.select(ENTRY.c.id).where(ENTRY.c.incident_id == incident)
    joined, later = _joined(incident), _later()
    if as_of is not None:
        log = log.where(ENTRY.c.recorded_at <= as_of)
        joined, later = joined.where(MEMBER.c.entry_id.in_(log)), _later(log)
    return joined.where(~later) if _has_left(connection, log) else joined


def has_left(connection: sa.Connection, incident: str) -> bool:
    """Whether an alert has ever left an incident."""
    return _has_left(connection, sa.select(ENTRY.c.id).where(ENTRY.c.incident_id == incident))


def _has_left(connection: sa.Connection, log: sa.Select[Any]) -> bool:
    leaving = ENTRY.c.kind.in_(("alerts_left", ALERTS_DROPPED))
    return connection.execute(log.where(leaving).limit(1)).first() is not None


def _joined(incident: str) -> sa.Select[Any]:
    return sa.select(MEMBER.c.occurrence_id).where(MEMBER.c.incident_id == incident, MEMBER.c.joined.is_(True))


def _later(log: sa.Select[Any] | None = None) -> sa.Exists:
    """That the log holds a newer word on the pair that a row of `member` speaks of."""
    later = MEMBER.alias("later")
    newer = sa.exists().where(
        later.c.incident_id == MEMBER.c.incident_id,
        later.c.occurrence_id == MEMBER.c.occurrence_id,
        later.c.entry_id > MEMBER.c.entry_id,
    )
    return newer if log is None else newer.where(later.c.entry_id.in_(log))


# --- keeping counts ---------------------------------------------------------------------------------------------------


def keep(
    connection: sa.Connection,
    incident: str,
    joined: Iterable[Occurrence],
    moved: Iterable[tuple[Occurrence, Occurrence]],
) -> None:
    """Count alerts in that joined, and those that changed (was, now) from where they were to where they are."""
    begun: Counter[_Place] = Counter()
    ended: Counter[_Place] = Counter()
    for alert in joined:
        _count(alert, 1, begun, ended)
    for was, now in moved:
        _count(was, -1, begun, ended)
        _count(now, 1, begun, ended)
    _add(connection, incident, begun, ended)


def _add(connection: sa.Connection, incident: str, begun: Counter[_Place], ended: Counter[_Place]) -> None:
    rows = [
        {
            "incident_id": incident,
            "minute": place[0],
            "lane": place[1],
            "severity": place[2],
            "alerts": begun[place],
            "ended": ended[place],
        }
        for place in sorted(begun.keys() | ended.keys())
        if begun[place] or ended[place]
    ]
    if rows:
        statement = insert(connection, COUNT)
        totals = {name: COUNT.c[name] + statement.excluded[name] for name in ("alerts", "ended")}
        keys = list(COUNT.primary_key.columns)
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=totals), rows)


def _count(alert: Occurrence, step: int, begun: Counter[_Place], ended: Counter[_Place]) -> None:
    lane, severity = lane_of(alert), alert.severity.rank
    begun[_minute(alert.starts_at), lane, severity] += step
    if alert.ends_at is not None:
        ended[_minute(max(alert.ends_at, alert.starts_at)), lane, severity] += step


def _minute(at: datetime) -> int:
    number = micros(at)
    return number - number % (MINUTE * _MICROSECONDS)


def keep_afresh(connection: sa.Connection, incident: str) -> None:
    """Count all alerts of an incident again, with those of which sums are kept."""
    connection.execute(sa.delete(COUNT).where(COUNT.c.incident_id == incident))
    start, lane, severity = _start(MINUTE).label("minute"), OCCURRENCE.c.lane, OCCURRENCE.c.severity
    counted = sa.select(sa.literal(incident), start, lane, severity, sa.func.count()).where(
        OCCURRENCE.c.id.in_(current_members(incident))
    )
    columns = ["incident_id", "minute", "lane", "severity"]
    connection.execute(sa.insert(COUNT).from_select([*columns, "alerts"], counted.group_by(start, lane, severity)))
    end = (_ENDED_AT - _ENDED_AT % (MINUTE * _MICROSECONDS)).label("minute")
    ends = sa.select(sa.literal(incident), end, lane, severity, sa.literal(0), sa.func.count()).where(
        OCCURRENCE.c.id.in_(current_members(incident)), OCCURRENCE.c.ends_at.is_not(None)
    )
    statement = insert(connection, COUNT).from_select([*columns, "alerts", "ended"], ends.group_by(end, lane, severity))
    keys = list(COUNT.primary_key.columns)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"ended": statement.excluded.ended}))
    # Those of which sums alone are kept were over before they were dropped: none of them stands at any instant.
    dropped = remains.steps_of(remains.sums_kept(connection, incident))
    _add(connection, incident, dropped, dropped)


# --- reading them -----------------------------------------------------------------------------------------------------


def bins(
    connection: sa.Connection, incident: str, since: datetime, until: datetime, *, seconds: int, as_of: datetime | None
) -> list[Bin]:
    """How many alerts began in each stretch of `seconds` within a window, ends included, by lane and severity."""
    if as_of is not None:
        members = OCCURRENCE.c.id.in_(members_at(connection, incident, as_of))
        return _binned(connection, [(since, until)], seconds, members & (OCCURRENCE.c.recorded_at <= as_of))
    members = sa.and_(belongs(incident, has_left=has_left(connection, incident)), OCCURRENCE.c.kind.in_(KINDS))
    first, last = _ceiling(since), _floor(until)
    if seconds % MINUTE or first >= last:
        return _binned(connection, [(since, until)], seconds, members)
    step = timedelta(microseconds=1)
    edges = _binned(connection, [(since, first - step), (last, until)], seconds, members)
    return _kept(connection, incident, first, last, seconds) + edges


def standing(connection: sa.Connection, incident: str, at: datetime) -> dict[Lane, int]:
    """How many of an incident's alerts began before an instant and were still on at it, by lane.

    Those that began less those that ended: the kept counts up to the minute, and within it the alerts themselves.
    """
    whole, before = _floor(at), at - timedelta(microseconds=1)
    sums = sa.func.sum(COUNT.c.alerts) - sa.func.sum(COUNT.c.ended)
    kept = sa.select(COUNT.c.lane, sums).where(COUNT.c.incident_id == incident, COUNT.c.minute < micros(whole))
    mine = sa.and_(belongs(incident, has_left=has_left(connection, incident)), OCCURRENCE.c.kind.in_(KINDS))
    in_lane = sa.select(OCCURRENCE.c.lane, sa.func.count()).group_by(OCCURRENCE.c.lane)
    begun = in_lane.where(mine, OCCURRENCE.c.starts_at.between(whole, before))
    backwards = OCCURRENCE.c.ends_at < OCCURRENCE.c.starts_at
    # Asked as one with OR, no index is used, and all that began before would be looked at.
    ended = in_lane.where(mine, OCCURRENCE.c.starts_at < at, OCCURRENCE.c.ends_at.between(whole, at), ~backwards)
    never = in_lane.where(mine, OCCURRENCE.c.starts_at.between(whole, before), backwards)
    found: Counter[Lane] = Counter()
    for query, sign in ((kept.group_by(COUNT.c.lane), 1), (begun, 1), (ended, -1), (never, -1)):
        for lane, number in connection.execute(query):
            found[lane] += sign * int(number)
    return {lane: number for lane, number in found.items() if number}


def belongs(incident: str, *, has_left: bool = True) -> sa.ColumnElement[bool]:
    """That a row of `occurrence` is a member of an incident now; half the work where it is known that none has left."""
    members = current_members(incident) if has_left else _joined(incident)
    return members.where(MEMBER.c.occurrence_id == OCCURRENCE.c.id).correlate(OCCURRENCE).exists()


def begun(incident: str, since: datetime, until: datetime, *, has_left: bool = True) -> sa.ColumnElement[bool]:
    """That a row of `occurrence` is a member of an incident now and began within a window, ends included.

    The index by start, which has the kind before it, narrows it down to few; the members of a crowd are many.
    """
    return sa.and_(
        belongs(incident, has_left=has_left),
        OCCURRENCE.c.kind.in_(KINDS),
        OCCURRENCE.c.starts_at.between(since, until),
    )


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _ceiling(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + timedelta(seconds=MINUTE)


def _kept(connection: sa.Connection, incident: str, since: datetime, until: datetime, seconds: int) -> list[Bin]:
    width = seconds * _MICROSECONDS
    start = (COUNT.c.minute - COUNT.c.minute % width).label("bin")
    query = sa.select(COUNT.c.lane, COUNT.c.severity, start, sa.func.sum(COUNT.c.alerts).label("n")).where(
        COUNT.c.incident_id == incident,
        COUNT.c.minute >= micros(since),
        COUNT.c.minute < micros(until),
        COUNT.c.alerts != 0,
    )
    rows = connection.execute(query.group_by(COUNT.c.lane, COUNT.c.severity, start))
    return [Bin(row.lane, Severity.of_rank(row.severity), instant(row.bin), int(row.n)) for row in rows]


def _binned(
    connection: sa.Connection,
    windows: Sequence[tuple[datetime, datetime]],
    seconds: int,
    wanted: sa.ColumnElement[bool],
) -> list[Bin]:
    start = _start(seconds).label("bin")
    found = []
    for since, until in windows:
        if since > until:
            continue
        query = sa.select(OCCURRENCE.c.lane, OCCURRENCE.c.severity, start, sa.func.count().label("n")).where(
            wanted, OCCURRENCE.c.starts_at.between(since, until)
        )
        rows = connection.execute(query.group_by(OCCURRENCE.c.lane, OCCURRENCE.c.severity, start))
        found += [Bin(row.lane, Severity.of_rank(row.severity), instant(row.bin), row.n) for row in rows]
    return found


_ENDED_AT = sa.case(
    (OCCURRENCE.c.ends_at < OCCURRENCE.c.starts_at, sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)),
    else_=sa.type_coerce(OCCURRENCE.c.ends_at, sa.BigInteger),
)


def _start(seconds: int) -> sa.ColumnElement[int]:
    at = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    return at - at % (seconds * _MICROSECONDS)
