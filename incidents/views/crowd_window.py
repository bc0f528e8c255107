"""A crowd as a figure shows it: what began in a window one by one where that is few enough, else as counts.

It reads the caches and no statement, so that a figure of a window answers while the hand is still on the mouse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import counting
from incidents.bulk import chunks
from incidents.counting import MEMBER
from incidents.entries import OCCURRENCE
from incidents.grouping import GROUP
from incidents.lanes import lane_of
from incidents.model import Lane, Occurrence, Severity
from incidents.records import occurrence_of
from incidents.tables import micros
from incidents.views.crowds import density
from incidents.views.view import Density

FEW = 600
"""Most alerts of a window that stand one by one: more have no room in any case, and take longer than a hand waits."""
GRAVEST = 100
"""How many of the gravest alerts are still drawn where a window has too many."""
STANDING = 60
"""How many of those that were on from before a window are drawn, the gravest first: each begins where a row does."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a figure shows of a crowd in a window: the alerts that stand for themselves, and counts for the rest."""

    shown: tuple[Occurrence, ...]
    density: Density | None
    """How many began when; None where each that began in the window is among the shown."""
    standing: Mapping[Lane, int]
    """How many more were on from before the window, by lane: neither shown nor counted."""


def crowd(connection: sa.Connection, row: Any, since: datetime, until: datetime) -> Crowd:  # noqa: ANN401  # IncidentRow's columns
    """The crowd of an incident as it is now: one by one what began in the window where that is few enough."""
    counts = density(connection, row.id, since, until)
    before = occurrences(connection, row.id, _standing(connection, row, since))
    left = Counter(counting.standing(connection, row.id, since))
    left.subtract(lane_of(one) for one in before)
    left = +left
    if counts.total > FEW:
        return Crowd((*before, *occurrences(connection, row.id, gravest(connection, row, counts))), counts, left)
    return Crowd((*before, *_begun(connection, row.id, since, until)), None, left)


def _standing(connection: sa.Connection, row: Any, since: datetime) -> list[str]:  # noqa: ANN401  # IncidentRow's columns
    """Ids of the first of the gravest members of the incident's group that were on at an instant."""
    found: list[str] = []
    # One severity after the other, so that the index gives the first of each and the others are not looked at.
    for severity in sorted(Severity, key=lambda each: -each.rank):
        before = sa.select(GROUP.c.occurrence_id).where(
            GROUP.c.group_key == row.group_key,
            GROUP.c.severity == severity.rank,
            GROUP.c.starts_at < micros(since),
            GROUP.c.ends_at > micros(since),
            is_member(row.id),
        )
        room = STANDING - len(found)
        found += connection.execute(before.order_by(GROUP.c.starts_at).limit(room)).scalars()
        if len(found) == STANDING:
            break
    return found


def gravest(connection: sa.Connection, row: Any, counts: Density) -> list[str]:  # noqa: ANN401  # IncidentRow's columns
    """Ids of the first of the gravest alerts of the incident's group in the window, members or not."""
    if not counts.bins:
        return []
    grave = max((b.severity for b in counts.bins), key=lambda s: s.rank)
    at = [b.at for b in counts.bins if b.severity is grave]
    until = max(at) + timedelta(seconds=counts.seconds)
    first = sa.select(GROUP.c.occurrence_id).where(
        GROUP.c.group_key == row.group_key,
        GROUP.c.severity == grave.rank,
        GROUP.c.starts_at.between(micros(min(at)), micros(until)),
    )
    return list(connection.execute(first.order_by(GROUP.c.starts_at).limit(GRAVEST)).scalars())


def begun_at(
    connection: sa.Connection, incident: str, since: datetime, until: datetime, *, as_of: datetime
) -> list[str]:
    """Ids of an incident's alerts that began within a window, ends included, as known at a moment."""
    query = sa.select(OCCURRENCE.c.id).where(
        OCCURRENCE.c.starts_at.between(since, until),
        OCCURRENCE.c.recorded_at <= as_of,
        OCCURRENCE.c.id.in_(counting.members_at(connection, incident, as_of)),
    )
    return list(connection.execute(query).scalars())


def is_member(incident: str) -> sa.ColumnElement[bool]:
    """That a row of `alert_group` is a member of an incident now."""
    members = counting.current_members(incident).where(MEMBER.c.occurrence_id == GROUP.c.occurrence_id)
    return members.correlate(GROUP).exists()


def _begun(connection: sa.Connection, incident: str, since: datetime, until: datetime) -> list[Occurrence]:
    """The alerts of an incident that began within a window, ends included."""
    left = counting.has_left(connection, incident)
    query = sa.select(OCCURRENCE).where(counting.begun(incident, since, until, has_left=left))
    return [occurrence_of(row) for row in connection.execute(query.order_by(OCCURRENCE.c.starts_at))]


def occurrences(connection: sa.Connection, incident: str, names: Sequence[str]) -> list[Occurrence]:
    """Those of these alerts that are members of an incident now."""
    return [
        occurrence_of(row)
        for part in chunks(list(names))
        for row in connection.execute(
            sa.select(OCCURRENCE).where(OCCURRENCE.c.id.in_(part), counting.belongs(incident))
        )
    ]
