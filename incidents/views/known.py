"""Occurrences as known at a moment, many at once, each folded from its statements once while those are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from incidents import fold, remains, timeline
from incidents.bulk import chunks
from incidents.deliveries import DELIVERY
from incidents.receipts import receipt_of
from incidents.records import said_of
from incidents.retelling import telling
from incidents.statements import EVENT, holds
from incidents.timeline import Known
from incidents.views.kept import Kept
from incidents.views.view import Trace

_KNOWN: Kept[Sequence[Known]] = Kept(2048)
"""By what was recorded of a subject, which never changes, and by where that came from."""
LARGEST = 8 * 1024
"""Letters of a subject's statements beyond which it is not kept: a warning's outline may have any number of corners."""
MOST_KEPT = 1000
"""Of more subjects at once none is kept: they would push out all others, and each other."""


def read_known(
    connection: sa.Connection, names: Sequence[str], known_at: datetime, *, as_of: datetime | None
) -> list[Known]:
    """These occurrences from what had been recorded of them by `known_at`, in the order of the names.

    `as_of` decides which statements were superseded by then; None stands for now. Of those whose statements were
    dropped there is what is kept of them; those of which nothing was known are left out.
    """
    subjects = list(dict.fromkeys(fold.subject_of(name) for name in names))
    said: dict[str, list[Any]] = defaultdict(list)
    for part in chunks(subjects):
        query = sa.select(EVENT).where(EVENT.c.subject.in_(part), EVENT.c.recorded_at <= known_at, holds(as_of))
        for row in connection.execute(query):
            said[row.subject].append(row)
    told = {subject: telling(said[subject]) for subject in subjects}
    traces = _traces(connection, [row for rows in told.values() for row in rows])
    is_kept = len(subjects) <= MOST_KEPT
    known = {
        item.occurrence.id: item
        for subject in subjects
        for item in _folded(told[subject], traces, known_at, is_kept=is_kept)
    }
    if missing := set(names) - set(known):
        known |= {
            name: Known(seen, (), {})
            for name, seen in remains.outlines(connection, missing).items()
            if seen.recorded_at and seen.recorded_at <= known_at
        }
    return [known[name] for name in names if name in known]


def _folded(rows: Sequence[Any], traces: Mapping[int, Trace], known_at: datetime, *, is_kept: bool) -> Sequence[Known]:
    """The occurrences of one subject, from rows of EventRow's columns that were recorded by `known_at`."""

    def fold_them() -> Sequence[Known]:
        return timeline.known(map(said_of, rows), {row.id: traces[row.id] for row in rows}, known_at)

    if not is_kept or sum(len(row.statement) for row in rows) > LARGEST:
        return fold_them()
    key = tuple((row.id, row.digest, row.delivery_id, row.adapter, traces[row.id].sha256) for row in rows)
    return _KNOWN.get(key, fold_them)


def _traces(connection: sa.Connection, rows: Iterable[Any]) -> dict[int, Trace]:
    """Where each of these rows of EventRow's columns came from, by event."""
    by_event = {row.id: row for row in rows}
    bodies = {
        row.id: row
        for part in chunks(sorted({row.delivery_id for row in by_event.values()}))
        for row in connection.execute(
            sa.select(DELIVERY.c.id, DELIVERY.c.sha256, DELIVERY.c.size).where(DELIVERY.c.id.in_(part))
        )
    }
    return {
        name: Trace(
            event=name,
            delivery=receipt_of(row.delivery_id),
            adapter=row.adapter,
            sha256=body.sha256 if (body := bodies.get(row.delivery_id)) else None,
            size=body.size if body else None,
        )
        for name, row in by_event.items()
    }
