"""Gathers what the steps of a cascade are looked for in: over the whole incident, whatever window is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import timeline
from incidents.cascade import LANES, Act, Crossing, crossings_of
from incidents.grouping import GROUP
from incidents.model import Incident, Severity
from incidents.views.crowd_window import is_member
from incidents.views.view import Line, Series

BEFORE = timedelta(hours=24)
"""How long before an incident its weather is looked at: a design limit is crossed in the morning of the day."""
LOOKED_AT = 200
"""Of a crowd, how many of the first alerts on power, cooling and hosts are looked at for words of heat."""
ARCHIVISTS = frozenset({"user:archivist", "user:story"})
"""The actors under whose names a story's own record is kept: what they enter is no act of a responder."""
_BASES = ("observed", "modelled", "reconstructed")


def span_of(incident: Incident, until: datetime) -> tuple[datetime, datetime]:
    """The stretch whose weather matters: from a day before it began to when it was resolved, or to now."""
    ended = incident.resolved_at
    return began(incident) - BEFORE, max(ended.until or ended.at if ended else until, began(incident))


def began(incident: Incident) -> datetime:
    """The impact, else the first alert, else the opening."""
    if incident.impact_started_at:
        return incident.impact_started_at.at
    return min(incident.opened_at, incident.members.first_starts_at or incident.opened_at)


def crossing(incident: Incident, shown: Sequence[Series]) -> tuple[Crossing | None, str]:
    """The last time a design limit was crossed before the incident began, else the first time in it; or why not."""
    limited = [one for one in shown if one.limit is not None]
    if not limited:
        return None, "no design limit set" if shown else "no reading near the site"
    limited.sort(key=lambda one: (one.variable != "temperature_c", _basis(one), one.site))
    for one in limited:
        assert one.limit is not None
        found = crossings_of([(point.at, point.value) for point in one.points], one.limit)
        if found:
            crossed = max((one for one in found if one.at <= began(incident)), key=lambda one: one.at, default=found[0])
            name = (one.limit_name or "limit").removesuffix("_c").replace("_", " ")
            subject = f"{name} {one.limit:g} °C at {one.site}, {one.basis}"
            return Crossing(crossed.at, crossed.until, subject, one.basis), ""
    above = any(one.points and one.limit is not None and one.points[0].value > one.limit for one in limited)
    return None, "above it from the first reading on" if above else "not crossed"


def _basis(one: Series) -> int:
    return _BASES.index(one.basis) if one.basis in _BASES else len(_BASES)


def acts(lines: Iterable[Line]) -> list[Act]:
    """What people did and noted; their later verdicts on links are no part of it.

    Nor is what an archivist wrote down, who was not there.
    """
    return [
        Act(line.happened_at, line.happened_until, line.text)
        for line in lines
        if line.actor.startswith("user:")
        and line.actor not in ARCHIVISTS
        and line.kind in timeline.SHOWN_MARKS - {"link_judged", "merged", "split"}
    ]


def first_alerts(connection: sa.Connection, row: Any) -> list[str]:  # noqa: ANN401  # IncidentRow's columns
    """Ids of a crowd's alerts that may be steps: the first on power, cooling and hosts, and the first critical one."""
    own = sa.select(GROUP.c.occurrence_id).where(GROUP.c.group_key == row.group_key, is_member(row.id))
    own = own.order_by(GROUP.c.starts_at)
    critical = own.where(GROUP.c.severity == Severity.CRITICAL.rank).limit(1)
    placed = own.where(GROUP.c.lane.in_(sorted(LANES))).limit(LOOKED_AT)
    return [*connection.execute(critical).scalars(), *connection.execute(placed).scalars()]
