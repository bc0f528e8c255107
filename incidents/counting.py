"""How many of an incident's alerts began when: counts by minute, lane and severity, kept while alerts join and move.

Whatever was kept equals what the database would count from the members now; a rebuild counts afresh.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import remains
from incidents.bulk import insert
from incidents.lanes import lane_of
from incidents.model import Occurrence, Severity
from incidents.sums import ALERTS_DROPPED
from incidents.tables import EntryRow, MemberCountRow, MemberRow, OccurrenceRow, instant, micros
from incidents.views.view import Bin

COUNT = MemberCountRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
ENTRY = EntryRow.__table__  # type: ignore[attr-defined]
MEMBER = MemberRow.__table__  # type: ignore[attr-defined]
OCCURRENCE = OccurrenceRow.__table__  # type: ignore[attr-defined]

MINUTE = 60
_MICROSECONDS = 1_000_000
_KINDS = ("alert", "hazard", "provider_incident", "change")


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
    leaving = ENTRY.c.kind.in_(("alerts_left", ALERTS_DROPPED))
    has_left = connection.execute(log.where(leaving).limit(1)).first() is not None
    return joined.where(~later) if has_left else joined


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
    steps: Counter[tuple[int, str, int]] = Counter(_place(alert) for alert in joined)
    for was, now in moved:
        steps[_place(was)] -= 1
        steps[_place(now)] += 1
    _add(connection, incident, steps)


def _add(connection: sa.Connection, incident: str, steps: Mapping[tuple[int, str, int], int]) -> None:
    rows = [
        {"incident_id": incident, "minute": minute, "lane": lane, "severity": severity, "alerts": alerts}
        for (minute, lane, severity), alerts in sorted(steps.items())
        if alerts
    ]
    if rows:
        statement = insert(connection, COUNT)
        total = COUNT.c.alerts + statement.excluded.alerts
        keys = list(COUNT.primary_key.columns)
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"alerts": total}), rows)


def _place(alert: Occurrence) -> tuple[int, str, int]:
    at = micros(alert.starts_at)
    return at - at % (MINUTE * _MICROSECONDS), lane_of(alert), alert.severity.rank


def keep_afresh(connection: sa.Connection, incident: str) -> None:
    """Count all alerts of an incident again, with those of which sums are kept."""
    connection.execute(sa.delete(COUNT).where(COUNT.c.incident_id == incident))
    start, lane, severity = _start(MINUTE).label("minute"), OCCURRENCE.c.lane, OCCURRENCE.c.severity
    counted = sa.select(sa.literal(incident), start, lane, severity, sa.func.count()).where(
        OCCURRENCE.c.id.in_(current_members(incident))
    )
    columns = ["incident_id", "minute", "lane", "severity", "alerts"]
    connection.execute(sa.insert(COUNT).from_select(columns, counted.group_by(start, lane, severity)))
    _add(connection, incident, remains.steps_of(remains.sums_kept(connection, incident)))


# --- reading them -----------------------------------------------------------------------------------------------------


def bins(
    connection: sa.Connection, incident: str, since: datetime, until: datetime, *, seconds: int, as_of: datetime | None
) -> list[Bin]:
    """How many alerts began in each stretch of `seconds` within a window, ends included, by lane and severity."""
    if as_of is not None:
        members = OCCURRENCE.c.id.in_(members_at(connection, incident, as_of))
        return _binned(connection, [(since, until)], seconds, members & (OCCURRENCE.c.recorded_at <= as_of))
    members = sa.and_(belongs(incident), OCCURRENCE.c.kind.in_(_KINDS))
    first, last = _ceiling(since), _floor(until)
    if seconds % MINUTE or first >= last:
        return _binned(connection, [(since, until)], seconds, members)
    step = timedelta(microseconds=1)
    edges = _binned(connection, [(since, first - step), (last, until)], seconds, members)
    return _kept(connection, incident, first, last, seconds) + edges


def belongs(incident: str) -> sa.ColumnElement[bool]:
    """That a row of `occurrence` is a member of an incident now."""
    return current_members(incident).where(MEMBER.c.occurrence_id == OCCURRENCE.c.id).correlate(OCCURRENCE).exists()


def begun(incident: str, since: datetime, until: datetime) -> sa.ColumnElement[bool]:
    """That a row of `occurrence` is a member of an incident now and began within a window, ends included.

    The index by start, which has the kind before it, narrows it down to few; the members of a crowd are many.
    """
    return sa.and_(belongs(incident), OCCURRENCE.c.kind.in_(_KINDS), OCCURRENCE.c.starts_at.between(since, until))


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


def _start(seconds: int) -> sa.ColumnElement[int]:
    at = sa.type_coerce(OCCURRENCE.c.starts_at, sa.BigInteger)
    return at - at % (seconds * _MICROSECONDS)
