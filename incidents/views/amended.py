"""Reads what became of an incident's entries, and what somebody may undo."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from incidents import amendments
from incidents.amendments import WITHDRAWABLE, Amendments
from incidents.entries import ENTRY
from incidents.records import entry_of


def read_amendments(
    connection: sa.Connection, incident: str, actor: str, now: datetime, *, as_of: datetime | None = None
) -> Amendments:
    """What was corrected and withdrawn by `as_of`, who acted, and what `actor` did last; the last not with `as_of`."""
    query = sa.select(ENTRY).where(
        ENTRY.c.incident_id == incident, ENTRY.c.kind.in_(WITHDRAWABLE) | ENTRY.c.actor.startswith("user:")
    )
    if as_of is not None:
        query = query.where(ENTRY.c.recorded_at <= as_of)
    log = [entry_of(row) for row in connection.execute(query.order_by(ENTRY.c.id))]
    return Amendments(
        wordings=amendments.wordings(log),
        withdrawn=amendments.withdrawn(log),
        responders=amendments.responders(log),
        last_act=amendments.last_act(log, actor, now) if as_of is None else (),
    )
