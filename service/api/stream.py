"""`GET /api/v1/stream`: server-sent events that say what changed; the client asks for it by the ordinary routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
from aiohttp import web

from incidents.privacy import Asker
from service.asking import asker_of, identity
from service.hub import Hub, Pulse, Subscriber
from service.keys import ACCESS, HUB
from service.log import REQUEST
from service.shell import head

HEARTBEAT_SECONDS = 15.0
WRITE_SECONDS = 10.0
"""How long a client may leave what we send unread before it is cut off."""


async def stream(request: web.Request) -> web.StreamResponse:
    """One event a change, its id the cursor for `Last-Event-ID`; `resync` where the cursor is too old."""
    hub, asker = request.app[HUB], asker_of(request)
    subscriber = hub.subscribe()
    answer = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    head(request.path, answer, REQUEST.get())
    try:
        await answer.prepare(request)
        await _write(answer, b"retry: 3000\n\n")
        sent = await _catch_up(answer, hub, request.headers.get("Last-Event-ID", ""), asker)
        access, who = request.app[ACCESS], identity(request)
        await _follow(answer, hub, subscriber, sent, asker, may_go_on=lambda: access.holds(who))
    except (ConnectionError, TimeoutError):
        pass  # the client is gone, or does not read: it comes back with its cursor
    finally:
        hub.leave(subscriber)
    return answer


async def _catch_up(answer: web.StreamResponse, hub: Hub, cursor: str, asker: Asker) -> int:
    if not cursor.isdecimal() or len(cursor) > 18:
        return hub.last
    last = int(cursor)
    if not await asyncio.to_thread(hub.knows, last):
        await _write(answer, b"event: resync\ndata: {}\n\n")
        return hub.last
    while missed := await asyncio.to_thread(hub.since, last):
        for pulse in missed:
            await _write(answer, event_text(pulse, asker))
        last = missed[-1].id
    return last


async def _follow(
    answer: web.StreamResponse,
    hub: Hub,
    subscriber: Subscriber,
    sent: int,
    asker: Asker,
    *,
    may_go_on: Callable[[], bool],
) -> None:
    """Until it drains, or whoever listens may no more: a stream outlasts what its session was ended for."""
    while not hub.draining and may_go_on():
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                pulse = await subscriber.queue.get()
        except TimeoutError:
            await _write(answer, b": still here\n\n")
            continue
        if pulse is None:
            await _write(answer, b"event: resync\ndata: {}\n\n")
            return
        if pulse.id > sent:
            await _write(answer, event_text(pulse, asker))


async def _write(answer: web.StreamResponse, text: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await answer.write(text)


def event_text(pulse: Pulse, asker: Asker) -> bytes:
    """A pulse as a server-sent event; a comment where all of it is private to others, so that nobody counts it."""
    topics = pulse.shown_to(asker)
    if pulse.topics and not topics:
        return b": still here\n\n"
    return b"id: %d\nevent: change\ndata: %s\n\n" % (pulse.id, orjson.dumps({"topics": topics}))
