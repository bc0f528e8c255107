"""The audit log: who did what to the service itself, as kind, params and actor; the sentence is made when it is read.

What is done to an incident stands in its entries. Neither a payload nor a secret is ever a param.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents.redaction import redact
from incidents.tables import AuditRow
from incidents.views.audit_view import ACTS, Act, Filter

AUDIT = AuditRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
LONGEST = 300
"""Characters that are kept of one text."""


def append(
    connection: sa.Connection,
    act: str,
    *,
    by: str,
    of: str,
    now: datetime,
    address: str | None = None,
    **params: str | int | None,
) -> None:
    """Write one act down in the transaction of the caller, which does what it tells of."""
    assert act in ACTS, act
    connection.execute(
        sa.insert(AUDIT).values(
            recorded_at=now,
            act=act,
            actor=_kept(by),
            subject=_kept(of),
            params={k: _kept(v) if isinstance(v, str) else v for k, v in params.items()},
            address=address,
        )
    )


def _kept(text: str) -> str:
    """What is kept of a text: without secrets, and without what no database takes."""
    return redact(text[:LONGEST].replace("\0", "�").encode("utf-8", "replace").decode())


def _asked(wanted: Filter, before: int | None) -> sa.Select[Any]:
    query = sa.select(AUDIT).order_by(AUDIT.c.id.desc())
    if wanted.act:
        query = query.where(AUDIT.c.act == wanted.act)
    if wanted.actor:
        query = query.where(AUDIT.c.actor == wanted.actor)
    if wanted.since:
        query = query.where(AUDIT.c.recorded_at >= wanted.since)
    if wanted.until:
        query = query.where(AUDIT.c.recorded_at < wanted.until)
    if before is not None:
        query = query.where(AUDIT.c.id < before)
    return query


def read(connection: sa.Connection, wanted: Filter, *, before: int | None = None, limit: int) -> list[Act]:
    """Acts, the newest first."""
    rows = connection.execute(_asked(wanted, before).limit(limit))
    return [Act(row.id, row.recorded_at, row.act, row.actor, row.subject, row.params, row.address) for row in rows]


def last_settings(connection: sa.Connection) -> dict[str, str]:
    """The settings that the last start had, by name, secrets only as set or not; nothing before the first."""
    query = sa.select(AUDIT.c.params).where(AUDIT.c.act == "started").order_by(AUDIT.c.id.desc()).limit(1)
    params = connection.execute(query).scalar() or {}
    return {name: value for name, value in params.items() if name.isupper()}
