"""Retention of access: ended sessions and links go with what is known of them, and old acts leave the audit log.

The database refuses to delete an act unless a tombstone says that all acts up to its moment were dropped; so whoever
takes some away leaves a row that tells of it. The newest start stays: the next one is compared with its settings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import orjson
import sqlalchemy as sa

from incidents.audit import AUDIT
from incidents.bulk import chunks
from incidents.store import Store
from incidents.tables import KeyRow, KeyUseRow, SessionRow
from incidents.tombstones import TOMBSTONE

KEY = KeyRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
SESSION = SessionRow.__table__  # type: ignore[attr-defined]
USE = KeyUseRow.__table__  # type: ignore[attr-defined]
OF_PEOPLE = ("session", "sign_in")
MOST = 1000
"""Rows that are dropped in one transaction."""


def drop(store: Store, before: Mapping[str, datetime], now: datetime, *, really: bool) -> Counter[tuple[str, str]]:
    """Drop what ended, or was written, before these instants, or only count it; how many by class and what they are."""
    found: Counter[tuple[str, str]] = Counter()
    if "session" in before:
        found["session", "access"] = _drop_sessions(store, before["session"], really=really)
    if "audit" in before:
        found["audit", "access"] = _drop_acts(store, before["audit"], now, really=really)
    return +found


def _drop_sessions(store: Store, before: datetime, *, really: bool) -> int:
    """Sessions and one-time links that ended before then, with their last use and from where they were begun."""
    ended = sa.func.coalesce(KEY.c.revoked_at, KEY.c.expires_at) < before
    aged = sa.select(KEY.c.id).where(KEY.c.kind.in_(OF_PEOPLE), ended)
    if not really:
        with store.reading() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(aged.subquery())).scalar_one())
    gone = 0
    while True:
        with store.writing() as connection:
            names = list(connection.execute(aged.limit(MOST)).scalars())
            for part in chunks(names):
                for table in (USE, SESSION, KEY):
                    connection.execute(sa.delete(table).where(table.c.id.in_(part)))
        gone += len(names)
        if len(names) < MOST:
            return gone


def _drop_acts(store: Store, before: datetime, now: datetime, *, really: bool) -> int:
    """Acts that were written before then, oldest first, each transaction with its tombstone."""
    gone = 0
    while True:
        with store.reading() as connection:
            aged = _aged_acts(connection, before)
            if not really:
                return int(connection.execute(sa.select(sa.func.count()).select_from(aged.subquery())).scalar_one())
        with store.writing() as connection:
            store.lock(connection, ["retention"])
            count = _bury_acts(connection, aged, now)
        gone += count
        if count < MOST:
            return gone


def _aged_acts(connection: sa.Connection, before: datetime) -> sa.Select[tuple[object, ...]]:
    newest = connection.execute(sa.select(sa.func.max(AUDIT.c.id)).where(AUDIT.c.act == "started")).scalar()
    return sa.select(AUDIT).where(AUDIT.c.recorded_at < before, AUDIT.c.id != (newest or 0))


def _bury_acts(connection: sa.Connection, aged: sa.Select[tuple[object, ...]], now: datetime) -> int:
    """Drop the oldest of these with a tombstone; how many. Those of one moment go together, as it covers them all."""
    ordered = aged.order_by(AUDIT.c.recorded_at, AUDIT.c.id)
    first = connection.execute(ordered.limit(MOST)).all()
    if not first:
        return 0
    until = first[-1].recorded_at
    rows = connection.execute(ordered.where(AUDIT.c.recorded_at <= until)).all()
    digests = sorted(hashlib.sha256(orjson.dumps(tuple(row), default=str)).hexdigest() for row in rows)
    told = {
        "kind": "audit",
        "source": "access",
        "count": len(rows),
        "first_at": rows[0].recorded_at,
        "last_at": until,
        "sha256": hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        "dropped_at": now,
    }
    connection.execute(sa.insert(TOMBSTONE).values(told))
    for part in chunks([row.id for row in rows]):
        connection.execute(sa.delete(AUDIT).where(AUDIT.c.id.in_(part)))
    return len(rows)
