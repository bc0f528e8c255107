"""What was not known in a stretch of time: sources that did not answer, what could not be read, what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from incidents.config import Config
from incidents.configured import CONFIGURED
from incidents.deliveries import DELIVERY, STAMP
from incidents.feeds.asked import Span
from incidents.feeds.coverage import polled
from incidents.feeds.silence import dropped_of, source_gaps
from incidents.proofs.repeats import REFUSAL
from incidents.receipts import first_id
from incidents.views.view import Gap, Unknowns


def _known(connection: sa.Connection, config: Config, gaps: Iterable[Gap]) -> Iterator[Gap]:
    """The gaps that can be told: of feeds all, their askings are a log of their own; of senders what of them is known.

    Nobody expected a word of a sender before it was configured or spoke.
    """
    asked = {source.name for source in polled(connection, config)}
    expected: dict[str, datetime | None] = {}
    for gap in gaps:
        if gap.source in asked:
            yield gap
            continue
        if gap.source not in expected:
            expected[gap.source] = _expected_from(connection, gap.source, dropped_of(connection, gap.source))
        since = max(gap.since, expected[gap.source] or gap.since)
        if since < gap.until:
            yield replace(gap, since=since)


def _expected_from(connection: sa.Connection, source: str, dropped: Iterable[Span]) -> datetime | None:
    """When a sender was configured. A change is noted as if it were the first time, so what it said before counts."""
    applied = sa.select(CONFIGURED.c.applied_at).where(CONFIGURED.c.kind == "source", CONFIGURED.c.name == source)
    earliest = sa.select(DELIVERY.c.received_at).where(DELIVERY.c.source == source).order_by(DELIVERY.c.id)
    found = [connection.execute(query.limit(1)).scalar() for query in (applied, earliest)]
    return min((at for at in (*found, *(begins for begins, _ in dropped)) if at is not None), default=None)


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
        tuple(_known(connection, config, source_gaps(connection, config, since, until))),
        tuple((source, int(n)) for source, n in quarantined),
        tuple((source, reason, int(n)) for source, reason, n in refused),
    )
