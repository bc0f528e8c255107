"""Links that somebody shared: made, listed, revoked; each shows one incident's title and picture until it ends."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import audit, instants
from incidents.tables import IncidentRow, ShareRow

SHARE = ShareRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
LASTS = timedelta(days=14)
LONGEST = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Share:
    """A link: for which incident, by whom, until when."""

    id: str
    incident: str
    made_at: datetime
    made_by: str
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def holds(self, now: datetime) -> bool:
        """Whether it still shows anything."""
        return self.revoked_at is None and now < self.expires_at


def make(
    connection: sa.Connection, incident: str, by: str, now: datetime, lasts: timedelta, *, address: str | None = None
) -> Share | None:
    """Make a link; None where there is no such incident."""
    if connection.execute(sa.select(INCIDENT.c.id).where(INCIDENT.c.id == incident)).first() is None:
        return None
    # Whole seconds: the address says when it ends.
    share = Share(secrets.token_hex(8), incident, now, by, (now + lasts).replace(microsecond=0))
    connection.execute(
        sa.insert(SHARE).values(id=share.id, incident_id=incident, made_at=now, made_by=by, expires_at=share.expires_at)
    )
    until = instants.text(share.expires_at)
    audit.append(
        connection,
        "share_made",
        by=by,
        of=f"share {share.id}",
        now=now,
        address=address,
        incident=incident,
        until=until,
    )
    return share


def listed(connection: sa.Connection, incident: str) -> list[Share]:
    """The links of an incident, newest first, those that ended too."""
    query = sa.select(SHARE).where(SHARE.c.incident_id == incident).order_by(SHARE.c.made_at.desc(), SHARE.c.id)
    return [_share(row) for row in connection.execute(query.limit(200))]


def one(connection: sa.Connection, incident: str, name: str) -> Share | None:
    """A link of an incident by its id."""
    row = connection.execute(sa.select(SHARE).where(SHARE.c.id == name, SHARE.c.incident_id == incident)).first()
    return _share(row) if row else None


def _share(r: Any) -> Share:  # noqa: ANN401  # a row of ShareRow's columns
    return Share(r.id, r.incident_id, r.made_at, r.made_by, r.expires_at, r.revoked_at, r.revoked_by)


def revoke_all(connection: sa.Connection, incident: str, by: str, now: datetime) -> None:
    """End every link of an incident that holds."""
    where = (SHARE.c.incident_id == incident) & SHARE.c.revoked_at.is_(None) & (SHARE.c.expires_at > now)
    for name in list(connection.execute(sa.select(SHARE.c.id).where(where)).scalars()):
        revoke(connection, incident, name, by, now)


def revoke(
    connection: sa.Connection, incident: str, name: str, by: str, now: datetime, *, address: str | None = None
) -> bool:
    """End a link; whether there was one. One that was revoked stays as it was."""
    known = one(connection, incident, name)
    if known is not None and known.revoked_at is None:
        where = (SHARE.c.id == name) & (SHARE.c.incident_id == incident) & SHARE.c.revoked_at.is_(None)
        connection.execute(sa.update(SHARE).where(where).values(revoked_at=now, revoked_by=by))
        audit.append(
            connection, "share_revoked", by=by, of=f"share {name}", now=now, address=address, incident=incident
        )
    return known is not None
