"""What was not known in a stretch of time: sources that did not answer, what could not be read, what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from incidents.config import Config
from incidents.deliveries import DELIVERY, STAMP
from incidents.feeds.silence import source_gaps
from incidents.proofs.repeats import REFUSAL
from incidents.store import first_id
from incidents.views.view import Gap, Unknowns


def _heard_before(connection: sa.Connection, gaps: Iterable[Gap]) -> Iterator[Gap]:
    """The gaps without the time before a source first spoke: nobody expected a word of it then."""
    first: dict[str, datetime | None] = {}
    for gap in gaps:
        if gap.source not in first:
            earliest = sa.select(DELIVERY.c.received_at).where(DELIVERY.c.source == gap.source)
            first[gap.source] = connection.execute(earliest.order_by(DELIVERY.c.id).limit(1)).scalar()
        since = max(gap.since, first[gap.source] or gap.since)
        if since < gap.until:
            yield replace(gap, since=since)


def read_unknowns(connection: sa.Connection, config: Config, since: datetime, until: datetime) -> Unknowns:
    """What was not known between two instants; refusals are counted by their day, UTC."""
    quarantined = connection.execute(
        sa.select(STAMP.c.source, sa.func.count())
        # A delivery's id grows with the moment at which it was received.
        .where(STAMP.c.state == "quarantined", STAMP.c.delivery_id.between(first_id(since), first_id(until)))
        .group_by(STAMP.c.source)
        .order_by(STAMP.c.source)
    )
    refused = connection.execute(
        sa.select(REFUSAL.c.source, REFUSAL.c.reason, sa.func.sum(REFUSAL.c.count))
        .where(REFUSAL.c.day.between(f"{since:%Y-%m-%d}", f"{until:%Y-%m-%d}"))
        .group_by(REFUSAL.c.source, REFUSAL.c.reason)
        .order_by(REFUSAL.c.source, REFUSAL.c.reason)
    )
    return Unknowns(
        tuple(_heard_before(connection, source_gaps(connection, config, since, until))),
        tuple((source, int(n)) for source, n in quarantined),
        tuple((source, reason, int(n)) for source, reason, n in refused),
    )
