"""Feeds: how the askings of each went, for the pages and the metrics that say whether they still speak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from incidents.adapters import adapters
from incidents.config import Config
from incidents.deliveries import STAMP
from incidents.feeds import indexes
from incidents.feeds.asked import answered_at, began_at, failure_of
from incidents.feeds.polls import NOT_ASKED, PATIENCE, POLL, every_of
from incidents.feeds.scope import is_feed
from incidents.model import Source
from incidents.views.source_view import FeedHealth


def feed_health(
    connection: sa.Connection, config: Config, owned: Mapping[tuple[str, str], str], now: datetime
) -> dict[str, FeedHealth]:
    """The health of each source that is asked, by its name; those that are played or brought by hand are left out."""
    query = sa.select(POLL, STAMP.c.state.label("state"), STAMP.c.reason.label("unread"))
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query.outerjoin(STAMP, STAMP.c.delivery_id == POLL.c.delivery_id)):
        rows[row.source].append(row)
    return {
        source.name: _health(connection, source, rows[source.name], now)
        for source in config.sources
        if is_feed(source) and owned.get(("source", source.name)) not in NOT_ASKED
    }


def _health(connection: sa.Connection, source: Source, rows: list[Any], now: datetime) -> FeedHealth:
    every = int(every_of(adapters()[source.adapter], source.every_seconds).total_seconds())
    if not rows:
        return FeedHealth(
            0, every_seconds=every, why_unasked="it has not been asked yet: it may need an address or a site"
        )
    failing = [row for row in rows if _failure(row) or _is_overdue(row, now)]
    told = max((row for row in failing if _failure(row)), key=lambda row: row.asked_at, default=None)
    answered = [row.answered_at for row in rows if row.answered_at is not None]
    waiting, given_up = indexes.unread(connection, source.name)
    stale = [_good_until(connection, row) for row in failing]
    open_until = [row.open_until for row in rows if row.open_until is not None]
    return FeedHealth(
        requests=len(rows),
        failing=len(failing),
        asked_at=max((row.asked_at for row in rows if row.asked_at is not None), default=None),
        answered_at=min(answered) if len(answered) == len(rows) else None,
        changed_at=max((row.changed_at for row in rows if row.changed_at is not None), default=None),
        stale_since=min((at for at in stale if at is not None), default=None),
        next_at=min(row.next_at for row in rows),
        error=_failure(told) if told is not None else None,
        circuit=_circuit(open_until, now),
        open_until=max(open_until, default=None),
        every_seconds=every,
        waiting=waiting,
        given_up=given_up,
    )


def _failure(row: Any) -> str | None:  # noqa: ANN401  # a row of `poll` with its stamp
    if row.asked_at is None:
        return None
    return str(row.error) if row.failures else failure_of(row)


def _good_until(connection: sa.Connection, row: Any) -> datetime | None:  # noqa: ANN401  # a row of `poll`
    """When it last answered in a way that could be read, else when it was first asked."""
    at = answered_at(connection, row.source, row.request)
    return at or began_at(connection, row.source, row.request)


def _is_overdue(row: Any, now: datetime) -> bool:  # noqa: ANN401  # a row of `poll`
    """Whether it should have been asked long ago: nobody has polled."""
    last = row.asked_at or row.next_at
    patience = timedelta(seconds=row.every_seconds) * PATIENCE
    return bool(now - max(last, row.next_at) > patience)


def _circuit(open_until: list[datetime], now: datetime) -> Literal["closed", "open", "half-open"]:
    if not open_until:
        return "closed"
    return "open" if max(open_until) > now else "half-open"
