"""Reads incidents to be laid side by side: each with its phases, its measurements and its alerts counted in bins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from incidents import measurements, timeline
from incidents.entries import read_incidents
from incidents.model import Incident
from incidents.views.crowds import density
from incidents.views.view import Compared


def compare(connection: sa.Connection, names: Sequence[str], now: datetime) -> tuple[Compared, ...]:
    """The incidents that there are of these names, in the order of the names."""
    read = read_incidents(connection, names)
    return tuple(_compared(connection, read[name], now) for name in names if name in read)


def _compared(connection: sa.Connection, incident: Incident, now: datetime) -> Compared:
    known = (incident.impact_started_at, incident.detected_at, incident.acknowledged_at, incident.mitigated_at)
    since = min([incident.opened_at, *(moment.at for moment in known if moment)])
    ends = [moment.until or moment.at for moment in (*known, incident.resolved_at) if moment]
    until = max([since + timedelta(minutes=1), *ends, *([] if incident.resolved_at else [now])])
    return Compared(
        incident=incident,
        since=since,
        until=until,
        phases=timeline.phases(incident, since, until),
        measurements=measurements.measure(incident),
        density=density(connection, incident.id, since, until),
    )
