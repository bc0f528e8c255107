"""Incidents as they stand, many at once: each folded from its log once, and kept while its row has the same mark."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from incidents import entries, incident_fold
from incidents.bulk import chunks
from incidents.entries import INCIDENT
from incidents.model import Incident
from incidents.records import members_of
from incidents.views.kept import Kept

_FOLDED: Kept[Incident] = Kept(3000)
"""By id and mark; more than a review reads, so that one does not push out what the next looks for first."""


def read_folded(connection: sa.Connection, names: Sequence[str]) -> dict[str, Incident]:
    """Incidents by id, in a read transaction: in one that writes, a log may be ahead of its row."""
    marks = sa.select(INCIDENT.c.id, INCIDENT.c.mark)
    asked = list(names)
    kept = {
        row.id: _FOLDED.find((row.id, row.mark)) if row.mark else None
        for part in chunks(asked)
        for row in connection.execute(marks.where(INCIDENT.c.id.in_(part)))
    }
    found = {name: incident for name, incident in kept.items() if incident is not None}
    missing = [name for name in kept if name not in found]
    rows = {
        row.id: row
        for part in chunks(missing)
        for row in connection.execute(sa.select(INCIDENT).where(INCIDENT.c.id.in_(part)))
    }
    logs = entries.decisions(connection, missing)
    for name in missing:
        row = rows[name]
        found[name] = incident_fold.incident(logs[name], members_of(row), version=row.version)
        if row.mark:
            _FOLDED.keep((name, row.mark), found[name])
    return found
