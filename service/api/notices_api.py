"""Destinations and what they were told: in the API, and the page with its buttons."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from aiohttp import web

from dashboards.notices import destinations_page
from incidents import instants, privacy
from incidents.notices import outbox
from incidents.notices.destinations import STATES, Attempt, Destination, DestinationHealth, Notice
from incidents.refusals import ConflictError, NotFoundError
from service import clock
from service.asking import (
    AskingError,
    answer,
    asker_of,
    cursor_of,
    cursor_text,
    identity,
    limit_of,
    page,
    read,
    write,
)
from service.keys import CONFIG
from service.pages.people import form_of, html, viewer_of

ROWS = 50
MOST_NUMBER = 1 << 62


def destination_fields(known: DestinationHealth) -> dict[str, Any]:
    """A destination as the API gives it: never its address."""
    one = known.destination
    return {
        "name": one.name,
        "kind": one.kind,
        "host": one.host,
        "what": list(one.what),
        "severity_at_least": one.severity_at_least,
        "sites": list(one.sites),
        **known.counts,
        "last": attempt_fields(known.last) if known.last else None,
    }


def attempt_fields(one: Attempt) -> dict[str, Any]:
    """One attempt as the API gives it."""
    return {
        "at": instants.text(one.at),
        "outcome": one.outcome,
        "status": one.status,
        "reason": one.reason,
        "took_ms": one.took_ms,
        "by": one.by,
    }


def notice_fields(one: Notice) -> dict[str, Any]:
    """A notice as the API gives it; `key` is what its receiver tells it by from all others."""
    return {
        "id": one.id,
        "key": one.name,
        "destination": one.destination,
        "incident": one.incident,
        "what": one.what,
        "title": one.title,
        "state": one.state,
        "recorded_at": instants.text(one.recorded_at),
        "due_at": instants.text(one.due_at) if one.state == "waiting" else None,
        "attempts": [attempt_fields(each) for each in one.attempts],
    }


async def list_destinations(request: web.Request) -> web.Response:
    destinations = request.app[CONFIG].now.destinations
    found = await read(request, lambda c: outbox.health(c, destinations))
    return page([destination_fields(one) for one in found], None)


async def list_notices(request: web.Request) -> web.Response:
    limit = limit_of(request, ROWS)
    found = await _listed(request, limit + 1)
    following = cursor_text(found[limit - 1].id) if len(found) > limit else None
    return page([notice_fields(one) for one in found[:limit]], following)


def _state_of(request: web.Request) -> str | None:
    state = request.query.get("state") or None
    if state not in (None, *STATES):
        raise AskingError(f"state: one of {', '.join(STATES)} is expected")
    return state


async def _listed(request: web.Request, limit: int) -> list[Notice]:
    state, cursor = _state_of(request), cursor_of(request, int)
    destination, incident = (request.query.get(name) or None for name in ("destination", "incident"))
    before = cursor[0] if cursor else None
    return await read(
        request,
        lambda c: outbox.listed(c, state=state, destination=destination, incident=incident, before=before, limit=limit),
    )


async def send_notice(request: web.Request) -> web.Response:
    return answer(notice_fields(await _send_again(request)), status=202)


async def _send_again(request: web.Request) -> Notice:
    """Let a notice be sent again. Raises NotFoundError, and ConflictError for one that was sent."""
    text, by, now = request.match_info["notice"], identity(request).actor, clock.now()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else MOST_NUMBER

    asker, told = asker_of(request), {one.name for one in request.app[CONFIG].now.destinations if one.private}

    def deed(connection: sa.Connection) -> Notice | None:
        known = next(iter(outbox.listed(connection, number=number)), None)
        if known is None or not privacy.sees(connection, asker, known.incident):
            return None
        if known.destination not in told and not privacy.sees(connection, privacy.STRANGER, known.incident):
            raise ConflictError(outbox.WITHHELD)
        return outbox.send_again(connection, number, by, now, address=request.remote)

    notice = await write(request, deed)
    if notice is None:
        raise NotFoundError(f"there is no notice {text[:40]}")
    if notice.state == "sent":
        raise ConflictError("the notice was sent: its destination has it")
    return notice


async def test_destination(request: web.Request) -> web.Response:
    return answer({"notice": await _test(request)}, status=202)


async def _test(request: web.Request) -> int:
    """Write a notice that says that it is a test. Raises NotFoundError."""
    name, by, now = request.match_info["destination"], identity(request).actor, clock.now()
    found: Destination | None = next((d for d in request.app[CONFIG].now.destinations if d.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no destination {name[:60]}")

    return await write(request, lambda c: outbox.tell_test(c, name, by, now, address=request.remote))


# --- the page -------------------------------------------------------------------------------------------------------


async def destinations(request: web.Request) -> web.Response:
    viewer, configured, state = viewer_of(request), request.app[CONFIG].now.destinations, _state_of(request)
    health = await read(request, lambda c: outbox.health(c, configured))
    found = await _listed(request, ROWS + 1)
    following = cursor_text(found[ROWS - 1].id) if len(found) > ROWS else None
    return html(destinations_page(health, found[:ROWS], viewer, now=clock.now(), state=state, next_cursor=following))


async def send_form(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    notice = await _send_again(request)
    return web.Response(status=303, headers={"Location": f"/destinations#n{notice.id}"})


async def test_form(request: web.Request) -> web.StreamResponse:
    await form_of(request)
    number = await _test(request)
    return web.Response(status=303, headers={"Location": f"/destinations#n{number}"})
