"""The outbox: notices written with the decision, claimed by a conditional write, each attempt logged."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import audit, instants
from incidents.bulk import chunks, insert
from incidents.model import Incident, Moment
from incidents.notices.destinations import (
    GONE,
    HISTORY,
    STATES,
    Attempt,
    Destination,
    DestinationHealth,
    Notice,
    changes_of,
    pause_after,
)
from incidents.tables import NoticeAttemptRow, NoticeRow

NOTICE = NoticeRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
ATTEMPT = NoticeAttemptRow.__table__  # type: ignore[attr-defined]

LEASE = timedelta(seconds=60)
"""How long a claim holds, longer than any attempt; then the notice is another's to send, under the same name."""
FORGOTTEN = timedelta(minutes=5)
"""How long a notice waits for a destination that no process knows, before it is given up."""
UNKNOWN = "the destination is not configured any more"
RESTORED = "restored from a backup"
WITHHELD = "the incident was made private, and this destination is not told of private ones"


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one attempt."""

    outcome: str
    status: int | None = None
    reason: str | None = None
    took_ms: int = 0
    asked_to_wait: timedelta | None = None


def tell(
    connection: sa.Connection,
    destinations: Sequence[Destination],
    incident: Incident,
    was: str,
    now: datetime,
    *,
    opened: bool,
) -> None:
    """Write what each destination is to be told of an incident whose status was `was`; history is told to nobody."""
    if not destinations:
        return
    rows = [
        _row(destination, what, incident, was, now)
        for what, at in changes_of(incident, was, opened=opened)
        if at > now - HISTORY
        for destination in destinations
        if destination.wants(what, incident)
    ]
    if rows:
        # A fold that is done again within one version has nothing new to tell.
        connection.execute(insert(connection, NOTICE).on_conflict_do_nothing(index_elements=["name"]), rows)


def _row(destination: Destination, what: str, incident: Incident, was: str, now: datetime) -> dict[str, Any]:
    identity = f"{destination.name}|{incident.id}|{incident.version}|{what}"
    return {
        "name": f"msg_{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        "destination": destination.name,
        "incident_id": incident.id,
        "what": what,
        "facts": {**facts_of(incident), **({} if what == "opened" else {"was": was})},
        **_waiting(now),
    }


def _waiting(now: datetime) -> dict[str, Any]:
    return {"recorded_at": now, "state": "waiting", "due_at": now, "failures": 0, "turn": 0, "again_by": None}


def facts_of(incident: Incident) -> dict[str, Any]:
    """What a notice tells of an incident, as it is at this moment."""

    def text(moment: Moment | None) -> str | None:
        return instants.text(moment.at) if moment else None

    return {
        "id": incident.id,
        "title": incident.title,
        "status": incident.status,
        "severity": incident.severity.value,
        "sites": list(incident.sites),
        "services": list(incident.services),
        "owner": incident.owner,
        "alerts": incident.members.alerts,
        "opened_at": instants.text(incident.opened_at),
        "acknowledged_at": text(incident.acknowledged_at),
        "mitigated_at": text(incident.mitigated_at),
        "resolved_at": text(incident.resolved_at),
        "version": incident.version,
    }


def tell_test(
    connection: sa.Connection, destination: str, by: str, now: datetime, *, address: str | None = None
) -> int:
    """Write a notice that says only that it is a test; its id."""
    row = {
        "name": f"msg_{secrets.token_hex(16)}",
        "destination": destination,
        "incident_id": None,
        "what": "test",
        "facts": {"title": "A test from Barograph: nothing has happened"},
        **_waiting(now),
        "again_by": by,
    }
    number = int(connection.execute(sa.insert(NOTICE).values(row).returning(NOTICE.c.id)).scalar_one())
    audit.append(connection, "destination_tested", by=by, of=destination, now=now, address=address, number=number)
    return number


# --- turns ----------------------------------------------------------------------------------------------------------


def has_due(connection: sa.Connection, now: datetime) -> bool:
    """Whether any notice's turn has come."""
    waits = sa.select(NOTICE.c.id).where(NOTICE.c.state == "waiting", NOTICE.c.due_at <= now)
    return connection.execute(waits.limit(1)).first() is not None


def due(connection: sa.Connection, names: Iterable[str], now: datetime) -> list[str]:
    """Which of these destinations have a notice whose turn has come."""
    waits = sa.select(NOTICE.c.destination).where(NOTICE.c.state == "waiting", NOTICE.c.due_at <= now).distinct()
    wanted = set(names)
    return sorted(name for name in connection.execute(waits).scalars() if name in wanted)


def claim(connection: sa.Connection, destination: str, now: datetime) -> Notice | None:
    """Claim the oldest notice whose turn has come: nobody else sends it until the lease ends.

    What came later of the same incident waits for what came before it.
    """
    earlier = NOTICE.alias()
    before = sa.exists().where(
        earlier.c.destination == destination,
        earlier.c.state == "waiting",
        earlier.c.incident_id == NOTICE.c.incident_id,
        earlier.c.id < NOTICE.c.id,
    )
    query = sa.select(NOTICE).where(
        NOTICE.c.destination == destination, NOTICE.c.state == "waiting", NOTICE.c.due_at <= now, ~before
    )
    row = connection.execute(query.order_by(NOTICE.c.due_at, NOTICE.c.id).limit(1)).first()
    if row is None:
        return None
    mine = sa.update(NOTICE).where(NOTICE.c.id == row.id, NOTICE.c.turn == row.turn, NOTICE.c.state == "waiting")
    if not connection.execute(mine.values(turn=row.turn + 1, due_at=now + LEASE)).rowcount:
        return None
    return replace(_notice(row), turn=row.turn + 1)


def finish(connection: sa.Connection, notice: Notice, came: Came, now: datetime, *, jitter: float) -> str | None:
    """Log an attempt and say what follows from it; the notice's state, None where it is somebody else's by now."""
    connection.execute(
        sa.insert(ATTEMPT).values(
            notice_id=notice.id,
            at=now,
            outcome=came.outcome,
            status=came.status,
            reason=came.reason,
            took_ms=came.took_ms,
            by=notice.again_by,
        )
    )
    mine = sa.update(NOTICE).where(NOTICE.c.id == notice.id, NOTICE.c.turn == notice.turn, NOTICE.c.state == "waiting")
    fields: dict[str, Any] = {"state": "sent", "again_by": None}
    if came.outcome != "sent":
        failures = notice.failures + 1
        pause = None if came.status == GONE else pause_after(failures, jitter, came.asked_to_wait)
        fields = {"state": "waiting" if pause else "dead", "failures": failures, "again_by": None}
        fields |= {"due_at": now + pause} if pause else {}
    return str(fields["state"]) if connection.execute(mine.values(**fields)).rowcount else None


def _lost(known: Iterable[str], now: datetime) -> sa.ColumnElement[bool]:
    unknown = NOTICE.c.destination.not_in(list(known))
    return sa.and_(NOTICE.c.state == "waiting", NOTICE.c.due_at < now - FORGOTTEN, unknown)


def has_lost(connection: sa.Connection, known: Iterable[str], now: datetime) -> bool:
    """Whether any notice waits for a destination that is not configured any more."""
    return connection.execute(sa.select(NOTICE.c.id).where(_lost(known, now)).limit(1)).first() is not None


def give_up(connection: sa.Connection, known: Iterable[str], now: datetime) -> int:
    """Give up what waits for destinations that are not configured any more; how many."""
    return _end(connection, _lost(known, now), UNKNOWN, now)


def end_restored(connection: sa.Connection, now: datetime) -> int:
    """Give up all that waits in a database that was restored: whoever made the backup may have sent it; how many."""
    return _end(connection, NOTICE.c.state == "waiting", RESTORED, now)


def withhold(connection: sa.Connection, incident: str, told: Iterable[str], now: datetime) -> int:
    """Give up what waits of an incident that was made private, but for these destinations; how many."""
    mine = (NOTICE.c.incident_id == incident) & NOTICE.c.destination.not_in(list(told))
    return _end(connection, (NOTICE.c.state == "waiting") & mine, WITHHELD, now)


def _end(connection: sa.Connection, which: sa.ColumnElement[bool], reason: str, now: datetime) -> int:
    found = list(connection.execute(sa.select(NOTICE.c.id).where(which)).scalars())
    for number in found:
        if connection.execute(sa.update(NOTICE).where(NOTICE.c.id == number, which).values(state="dead")).rowcount:
            connection.execute(
                sa.insert(ATTEMPT).values(notice_id=number, at=now, outcome="failed", reason=reason, took_ms=0)
            )
    return len(found)


def send_again(
    connection: sa.Connection, number: int, by: str, now: datetime, *, address: str | None = None
) -> Notice | None:
    """Let a notice that was not sent be tried anew from the first attempt on; None where there is no such notice.

    One that was sent stays sent: its receiver has it.
    """
    again = sa.update(NOTICE).where(NOTICE.c.id == number, NOTICE.c.state != "sent")
    # With a new turn: an attempt that is under way does not decide of the new one.
    done = connection.execute(
        again.values(state="waiting", due_at=now, failures=0, turn=NOTICE.c.turn + 1, again_by=by)
    )
    notice = next(iter(listed(connection, number=number)), None)
    if notice and done.rowcount:
        told = {"incident": notice.incident, "destination": notice.destination}
        audit.append(connection, "notice_sent_again", by=by, of=f"notice {number}", now=now, address=address, **told)
    return notice


# --- what was sent --------------------------------------------------------------------------------------------------


def listed(
    connection: sa.Connection,
    *,
    state: str | None = None,
    destination: str | None = None,
    incident: str | None = None,
    number: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Notice]:
    """Notices, newest first, with their attempts in order."""
    query = sa.select(NOTICE).order_by(NOTICE.c.id.desc()).limit(limit)
    for column, value in (("state", state), ("destination", destination), ("incident_id", incident), ("id", number)):
        query = query if value is None else query.where(NOTICE.c[column] == value)
    query = query if before is None else query.where(NOTICE.c.id < before)
    notices = [_notice(row) for row in connection.execute(query)]
    attempts: dict[int, list[Attempt]] = {notice.id: [] for notice in notices}
    for part in chunks(list(attempts)):
        tries = sa.select(ATTEMPT).where(ATTEMPT.c.notice_id.in_(part)).order_by(ATTEMPT.c.id)
        for row in connection.execute(tries):
            attempts[row.notice_id].append(_attempt(row))
    return [replace(notice, attempts=tuple(attempts[notice.id])) for notice in notices]


def health(connection: sa.Connection, destinations: Sequence[Destination]) -> list[DestinationHealth]:
    """How each destination stands: its notices by state, and its last attempt."""
    tallies = sa.select(NOTICE.c.destination, NOTICE.c.state, sa.func.count().label("n"))
    counts: dict[str, dict[str, int]] = {one.name: dict.fromkeys(STATES, 0) for one in destinations}
    for row in connection.execute(tallies.group_by(NOTICE.c.destination, NOTICE.c.state)):
        if row.destination in counts:
            counts[row.destination][row.state] = row.n
    return [DestinationHealth(one, counts[one.name], _last(connection, one.name)) for one in destinations]


def _last(connection: sa.Connection, destination: str) -> Attempt | None:
    query = sa.select(ATTEMPT).join(NOTICE, NOTICE.c.id == ATTEMPT.c.notice_id)
    row = connection.execute(
        query.where(NOTICE.c.destination == destination).order_by(ATTEMPT.c.id.desc()).limit(1)
    ).first()
    return _attempt(row) if row else None


def _notice(row: Any) -> Notice:  # noqa: ANN401  # a row of NoticeRow's columns
    facts: Mapping[str, Any] = row.facts
    return Notice(
        row.id,
        row.name,
        row.destination,
        row.incident_id,
        row.what,
        facts,
        row.recorded_at,
        row.state,
        row.due_at,
        row.failures,
        row.turn,
        row.again_by,
    )


def _attempt(row: Any) -> Attempt:  # noqa: ANN401  # a row of NoticeAttemptRow's columns
    return Attempt(row.at, row.outcome, row.status, row.reason, row.took_ms, row.by)
