"""Indexes: the documents that an answer only points to, which of them wait to be read, and which were given up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from incidents.bulk import chunks, insert
from incidents.feeds.polls import LINKED, Asking

MOST_TRIES = 3
"""A document that could not be fetched so often is given up, until the index points to it anew."""
GONE = MOST_TRIES + 1
"""The `tries` of a document that the index ceased to point to before it was read; `read_at` says when that was."""
MOST_GONE = 2_000
"""Of one index: as many as it may point to at once, the latest are kept."""


def note_links(connection: sa.Connection, asking: Asking, links: Sequence[str], now: datetime) -> None:
    """Make the table hold what the index points to now: what is new waits, what is gone is forgotten if it was read."""
    columns = LINKED.c.url_sha256, LINKED.c.read_at, LINKED.c.tries
    known = {row.url_sha256: row for row in connection.execute(sa.select(*columns).where(_of(asking)))}
    wanted = {_digest(url): url for url in links}
    left = [row for digest, row in known.items() if digest not in wanted]
    gone = sorted((row for row in left if row.tries == GONE), key=lambda row: (row.read_at, row.url_sha256))
    missed = [row.url_sha256 for row in left if row.read_at is None]
    forgotten = [row.url_sha256 for row in left if row.read_at is not None and row.tries != GONE]
    forgotten += [row.url_sha256 for row in gone[: max(0, len(gone) + len(missed) - MOST_GONE)]]
    for part in chunks(sorted(forgotten)):
        connection.execute(sa.delete(LINKED).where(_of(asking), LINKED.c.url_sha256.in_(part)))
    _change(connection, asking, missed, tries=GONE, read_at=now)
    back = [digest for digest, row in known.items() if digest in wanted and row.tries == GONE]
    _change(connection, asking, back, tries=0, read_at=None, reason=None)
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


def _change(connection: sa.Connection, asking: Asking, digests: Sequence[str], **values: object) -> None:
    for part in chunks(sorted(digests)):
        connection.execute(sa.update(LINKED).where(_of(asking), LINKED.c.url_sha256.in_(part)).values(**values))


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


def unread(
    connection: sa.Connection, source: str, as_of: datetime | None = None, *, since: datetime | None = None
) -> tuple[int, int]:
    """How many documents of a source wait, and how many were given up; of a moment, those not read by then.

    Of a window that began at `since`, with those that the index ceased to point to within it.
    """
    not_read = LINKED.c.read_at.is_(None)
    query = sa.select(LINKED.c.tries >= MOST_TRIES, sa.func.count()).where(LINKED.c.source == source)
    if as_of is not None:
        query = query.where(LINKED.c.seen_at <= as_of)
        missed = sa.and_(LINKED.c.tries == GONE, LINKED.c.read_at >= (since or as_of))
        not_read = sa.or_(not_read, LINKED.c.read_at > as_of, missed)
    found = {bool(lost): n for lost, n in connection.execute(query.where(not_read).group_by(sa.text("1")))}
    return found.get(False, 0), found.get(True, 0)


def _of(asking: Asking) -> sa.ColumnElement[bool]:
    return sa.and_(LINKED.c.source == asking.source, LINKED.c.request == asking.id)


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()
