"""The record in the API: occurrences, readings, sites, sources and adapters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from incidents import instants, redaction
from incidents.adapters import listing
from incidents.config import spec_of
from incidents.feeds.silence import source_gaps
from incidents.geography.sites import survey
from incidents.model import Occurrence
from incidents.views import lists, overview
from incidents.views.series import source_credit
from incidents.views.source_view import FeedHealth
from service import clock
from service.asking import (
    AskingError,
    cursor_of,
    cursor_text,
    instant_of,
    limit_of,
    page,
    read,
    site_of,
)
from service.keys import CONFIG

KINDS = ("alert", "hazard", "provider_incident", "change")


async def list_occurrences(request: web.Request) -> web.Response:
    limit, cursor, kind = limit_of(request), cursor_of(request, str, str), request.query.get("kind")
    if kind not in (None, *KINDS):
        raise AskingError(f"kind: one of {', '.join(KINDS)} is expected")
    site = site_of(request)
    at = instants.parse(cursor[0]) if cursor else None
    wanted = lists.OccurrenceFilter(
        kind=kind,
        active_at=instant_of(request, "active_at"),
        since=instant_of(request, "from"),
        until=instant_of(request, "to"),
        source=request.query.get("source"),
        after=(at, cursor[1]) if cursor and at else None,
    )
    config = request.app[CONFIG].now

    def query(connection: sa.Connection) -> tuple[list[Occurrence], Occurrence | None]:
        found = lists.list_occurrences(connection, wanted, limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        return [o for o in found[:limit] if site is None or overview.is_at(o, site, config)], last

    shown, last = await read(request, query)
    return page(
        [occurrence_json(o, source_credit(config, o.source)) for o in shown],
        cursor_text(instants.text(last.starts_at), last.id) if last else None,
    )


def occurrence_json(seen: Occurrence, credit: str | None = None) -> dict[str, Any]:
    """An occurrence as the API gives it, with the line that names whoever publishes it."""
    return {
        "id": seen.id,
        "kind": seen.kind,
        "source": seen.source,
        "key": redaction.key_of(seen.key),
        "title": seen.title,
        "severity": seen.severity.value,
        "starts_at": instants.text(seen.starts_at),
        "starts_until": instants.text(seen.starts_until) if seen.starts_until else None,
        "ends_at": instants.text(seen.ends_at) if seen.ends_at else None,
        "ends_expected": seen.ends_expected,
        "ends_assumed": seen.ends_assumed,
        "event": seen.event,
        "labels": dict(seen.labels),
        "url": seen.url,
        "recorded_at": instants.text(seen.recorded_at) if seen.recorded_at else None,
        "statements": seen.statements,
        "credit": credit,
    }


async def list_readings(request: web.Request) -> web.Response:
    site, variable, now = site_of(request), request.query.get("variable"), clock.now()
    since = instant_of(request, "from") or now - timedelta(days=1)
    until = instant_of(request, "to") or now
    limit, (after, given), config = limit_of(request, MOST_READINGS), _after(request), request.app[CONFIG].now
    begin, most = max(since, after[0]) if after else since, limit + 1 + given
    rows = await read(request, lambda c: lists.list_readings(c, site, variable, since=begin, until=until, limit=most))
    rows = [r for r in rows if after is None or (r.at, r.id) > after]
    items = [
        {
            "variable": r.variable,
            "at": instants.text(r.at),
            "value": r.value,
            "latitude": r.latitude,
            "longitude": r.longitude,
            "station": r.station,
            "provisional": bool(r.provisional),
            "basis": r.basis,
            "credit": r.credit or source_credit(config, r.source),
            "grid_area": r.grid_area,
            "source": r.source,
        }
        for r in rows[:limit]
    ]
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        same = sum(r.at == last.at for r in rows[:limit]) + (given if after and after[0] == last.at else 0)
        following = cursor_text(instants.text(last.at), last.id, same)
    return page(items, following)


MOST_READINGS = 500
MOST_AT_ONCE = 100_000
"""Readings of one instant that a cursor may have passed."""


def _after(request: web.Request) -> tuple[tuple[datetime, int] | None, int]:
    """The instant and the id of the cursor's row, and how many rows of that instant lie before it or are it."""
    cursor = cursor_of(request, str, int, int)
    if not cursor:
        return None, 0
    at = instants.parse(cursor[0])
    if at is None or not 0 <= cursor[2] <= MOST_AT_ONCE:
        raise AskingError("cursor: is not one of this list")
    return (at, cursor[1]), cursor[2]


async def list_sites(request: web.Request) -> web.Response:
    return page([{**spec_of(s), **survey(s).as_json()} for s in request.app[CONFIG].now.sites], None)


async def list_sources(request: web.Request) -> web.Response:
    config, now = request.app[CONFIG].now, clock.now()

    def query(connection: sa.Connection) -> list[Any]:
        gaps = source_gaps(connection, config, now - timedelta(days=1), now)
        return list(overview.source_health(connection, config, now, gaps))

    found = await read(request, query)
    items = [
        {
            "name": s.name,
            "adapter": s.adapter,
            "kind": s.kind,
            "owner": s.owner,
            "deliveries": s.deliveries,
            "quarantined": s.quarantined,
            "unread": s.unread,
            "refused": s.refused,
            "wrong_signatures": s.wrong_signatures,
            "wrong_signature": s.wrong_signature,
            "repeated": s.repeated,
            "losses": s.losses,
            "last_received_at": instants.text(s.last_received_at) if s.last_received_at else None,
            "gaps": [{"since": instants.text(g.since), "until": instants.text(g.until)} for g in s.gaps],
            "credit": s.credit,
            "feed": _feed_json(s.feed) if s.feed else None,
        }
        for s in found
    ]
    return page(items, None)


def _feed_json(feed: FeedHealth) -> dict[str, Any]:
    """How a feed's askings went, as the API gives it."""
    return {
        "requests": feed.requests,
        "failing": feed.failing,
        "every_seconds": feed.every_seconds,
        "asked_at": _maybe(feed.asked_at),
        "answered_at": _maybe(feed.answered_at),
        "changed_at": _maybe(feed.changed_at),
        "stale_since": _maybe(feed.stale_since),
        "next_at": _maybe(feed.next_at),
        "error": feed.error,
        "circuit": feed.circuit,
        "open_until": _maybe(feed.open_until),
        "documents_waiting": feed.waiting,
        "documents_given_up": feed.given_up,
    }


def _maybe(at: datetime | None) -> str | None:
    return instants.text(at) if at else None


async def list_adapters(_request: web.Request) -> web.Response:
    return page(listing(), None)
