"""Indexes: the documents that an answer only points to, which of them wait to be read, and which were given up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from incidents.feeds.polls import LINKED, Asking
from incidents.store import chunks, insert

MOST_TRIES = 3
"""A document that could not be fetched so often is given up, until the index points to it anew."""


def note_links(connection: sa.Connection, asking: Asking, links: Sequence[str], now: datetime) -> None:
    """Make the table hold what the index points to now: what is new waits, what is gone is forgotten."""
    known = set(connection.execute(sa.select(LINKED.c.url_sha256).where(_of(asking))).scalars())
    wanted = {_digest(url): url for url in links}
    for part in chunks(sorted(known - wanted.keys())):
        connection.execute(sa.delete(LINKED).where(_of(asking), LINKED.c.url_sha256.in_(part)))
    rows = [
        {
            "source": asking.source,
            "request": asking.id,
            "url_sha256": digest,
            "url": url,
            "seen_at": now,
            "tries": 0,
        }
        for digest, url in wanted.items()
        if digest not in known
    ]
    if rows:
        connection.execute(insert(connection, LINKED).on_conflict_do_nothing(), rows)


def waiting(connection: sa.Connection, asking: Asking, most: int) -> list[str]:
    """What is to be read next, the longest known first; what failed comes after what was never asked for."""
    query = sa.select(LINKED.c.url).where(_of(asking), LINKED.c.read_at.is_(None), LINKED.c.tries < MOST_TRIES)
    order = (LINKED.c.tries, LINKED.c.seen_at, LINKED.c.url_sha256)
    return list(connection.execute(query.order_by(*order).limit(most)).scalars())


def note_read(connection: sa.Connection, asking: Asking, url: str, delivery: int | None, now: datetime) -> None:
    """Write that a document has become a delivery."""
    mine = sa.update(LINKED).where(_of(asking), LINKED.c.url_sha256 == _digest(url))
    connection.execute(mine.values(read_at=now, delivery_id=delivery, reason=None))


def note_failed(connection: sa.Connection, asking: Asking, url: str, reason: str) -> None:
    """Write that asking for a document brought nothing."""
    mine = sa.update(LINKED).where(_of(asking), LINKED.c.url_sha256 == _digest(url))
    connection.execute(mine.values(tries=LINKED.c.tries + 1, reason=reason[:500]))


def unread(connection: sa.Connection, source: str, as_of: datetime | None = None) -> tuple[int, int]:
    """How many documents of a source wait, and how many were given up; of a moment, those not read by then."""
    not_read = LINKED.c.read_at.is_(None)
    query = sa.select(LINKED.c.tries >= MOST_TRIES, sa.func.count()).where(LINKED.c.source == source)
    if as_of is not None:
        query = query.where(LINKED.c.seen_at <= as_of)
        not_read = sa.or_(not_read, LINKED.c.read_at > as_of)
    found = {bool(lost): n for lost, n in connection.execute(query.where(not_read).group_by(sa.text("1")))}
    return found.get(False, 0), found.get(True, 0)


def _of(asking: Asking) -> sa.ColumnElement[bool]:
    return sa.and_(LINKED.c.source == asking.source, LINKED.c.request == asking.id)


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
