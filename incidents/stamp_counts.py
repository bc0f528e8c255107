"""Counts of stamps by source and state: changed in the transaction that stamps, drops or restores deliveries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from incidents.bulk import insert
from incidents.tables import StampCountRow, StampRow

STAMP = StampRow.__table__  # type: ignore[attr-defined]  # SQLModel adds it
STAMP_COUNT = StampCountRow.__table__  # type: ignore[attr-defined]

Counts = dict[tuple[str, str], tuple[int, int]]
"""Deliveries and losses by source and state."""


def counted(stamps: Iterable[Mapping[str, Any]]) -> Counts:
    """Of rows of STAMP's columns."""
    counts: Counts = {}
    for one in stamps:
        name = (one["source"], one["state"])
        deliveries, losses = counts.get(name, (0, 0))
        counts[name] = (deliveries + 1, losses + one["losses"])
    return counts


def stored(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Counts:
    """Of the stamps in the table for which this holds."""
    losses = sa.func.coalesce(sa.func.sum(STAMP.c.losses), 0)
    query = sa.select(STAMP.c.source, STAMP.c.state, sa.func.count(), losses).where(where)
    rows = connection.execute(query.group_by(STAMP.c.source, STAMP.c.state))
    return {(source, state): (int(deliveries), int(lost)) for source, state, deliveries, lost in rows}


def add(connection: sa.Connection, counts: Counts, sign: int = 1) -> None:
    """Add them to the counts that are kept, or with -1 take them away; sorted, as everybody locks these rows."""
    for (source, state), (deliveries, losses) in sorted(counts.items()):
        values = {"deliveries": sign * deliveries, "losses": sign * losses}
        statement = insert(connection, STAMP_COUNT).values(source=source, state=state, **values)
        changed = {name: STAMP_COUNT.c[name] + value for name, value in values.items()}
        connection.execute(statement.on_conflict_do_update(index_elements=["source", "state"], set_=changed))
