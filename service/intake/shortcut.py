"""The shortcut: a plain `POST /in/{source}` goes from the protocol to the writer, past the router and the middleware.

It takes what nearly all senders send: the source's key as `Authorization: Bearer`, a length that is told, no content
encoding. All else, every refusal included, is handed to the application before a byte of the body is read, so one
place decides what is turned away and how. Routing, the middleware and building a response cost a third of a request.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Literal

import orjson
from aiohttp import HttpVersion11, web

from incidents.adapters import adapters
from incidents.spoken import TEST_HEADER
from service import clock
from service.intake.inbox import BODIES, BODY_SECONDS, is_kept, later, not_in_time
from service.intake.writer import OverloadedError
from service.keys import ACCESS, CONFIG, KEY_CHECKS, TRACING, WRITER
from service.shell import SERVER, told

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Take = Callable[[web.Request], Awaitable[web.StreamResponse]]
Use = Literal["kept", "key", "odd", ""]
PLAIN = re.compile(r"/in/([a-z0-9][a-z0-9._-]*)")
"""Paths that mean what they say: no percent sign, no query, no key."""
ODD = ("expect", "content-encoding", "transfer-encoding", "x-api-key", "cookie", TEST_HEADER)
"""Headers whose presence asks for the long way."""
MOST_KNOWN = 256
"""Spellings of names and sets of headers that are remembered."""
UNREAD_BYTES = 64 * 1024
"""Of answers that a sender has not taken yet, above which its next one waits."""


class Acknowledgement(web.StreamResponse):
    """A 2xx to a request of HTTP/1.1 that keeps its connection, as the bytes that go on the wire."""

    def __init__(self, answer: bytes) -> None:  # nothing of the parent is used: its headers cost 10 µs
        self._answer = answer

    @property
    def keep_alive(self) -> bool:
        """It is made for connections that are kept."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write all of it. Raises ConnectionError when the sender has gone, which aiohttp expects here."""
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the sender has gone")
        transport.write(self._answer)
        if transport.get_write_buffer_size() > UNREAD_BYTES:
            await request.writer.drain()

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left."""


class Shortcut:
    """A request handler for `web.Server`, before the application's own, which gets all that is not plain.

    Made once the application has started: the writer must be there.
    """

    def __init__(self, app: web.Application, otherwise: Handler) -> None:
        self._otherwise = otherwise
        self._config, self._access = app[CONFIG], app[ACCESS]
        self._writer, self._bodies, self._checks = app[WRITER], app[BODIES], app[KEY_CHECKS]
        self._is_traced = app[TRACING].is_on
        self._second = -1
        self._head: dict[int, bytes] = {}

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        assert isinstance(request, web.Request)  # an application's server makes no other
        take = self._plain(request)
        if take is None:
            return await self._otherwise(request)
        answer = await told(request, take)
        if type(answer) is not Acknowledgement:
            answer.headers["Server"] = SERVER
        return answer

    def _plain(self, request: web.Request) -> Take | None:
        """What takes this delivery, where it is plain and its key is right; else None, and nothing has been read."""
        path = PLAIN.fullmatch(request.raw_path)
        if path is None or request.method != "POST" or self._is_traced:
            return None
        source = self._config.now.source(path[1])
        adapter = adapters().get(source.adapter) if source else None
        if adapter is None or adapter.verify or adapter.challenge or self._writer.draining:
            return None
        key, kept = None, []
        for name, value in request.raw_headers:
            use = _use(name)
            if use == "odd" or (use == "key" and key is not None):
                return None
            if use == "key":
                key = value
            elif use:
                kept.append((name, value))
        if key is None or not (key.startswith(b"Bearer ") and self._may_post(key[7:], path[1])):
            return None
        length = 0
        if not request.content.is_eof():
            length = request.content_length or 0
            if not 0 < length <= request.content.get_read_buffer_limits()[1]:
                return None
        if request.version != HttpVersion11 or not request.keep_alive:
            return None
        return partial(self._take, path[1], adapter.reply, _text(tuple(kept)), length)

    def _may_post(self, key: bytes, source: str) -> bool:
        found = self._access.recall(key.decode("utf-8", "surrogateescape").strip())
        if found is None or (found.role != "admin" and found.source != source):
            return False
        if self._access.ageing:
            asyncio.get_running_loop().run_in_executor(self._checks, self._access.renew)
        return True

    async def _take(
        self, source: str, status: int, headers: str, length: int, request: web.Request
    ) -> web.StreamResponse:
        try:
            if length:
                await self._arrival(request, length)
            now = clock.now()
            receipt = await self._writer.submit(source, now, headers, request.content.read_nowait())
        except OverloadedError as error:
            return later(str(error))
        except TimeoutError:
            return not_in_time()
        return Acknowledgement(self._head_at(now, status) + receipt.encode() + b'"}')

    async def _arrival(self, request: web.Request, length: int) -> None:
        """Wait until the rest is here. Nothing reads meanwhile: a length below the reader's bound never pauses it."""
        self._bodies.take(length, proven=True)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await request.content.wait_eof()
        finally:
            self._bodies.give_back(length, proven=True)

    def _head_at(self, now: datetime, status: int) -> bytes:
        """The answer up to the receipt; made once a second, for its Date."""
        second = int(now.timestamp())
        if second != self._second:
            self._second, self._head = second, {}
        head = self._head.get(status)
        if head is None:
            head = self._head[status] = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(RECEIPT) + 16 + 2}\r\n"
                f"Date: {format_datetime(now, usegmt=True)}\r\nServer: {SERVER}\r\n\r\n{RECEIPT}"
            ).encode()
        return head


RECEIPT = '{"receipt": "'


@lru_cache(maxsize=MOST_KNOWN)
def _use(name: bytes) -> Use:
    """What a header of this name is for."""
    lower = name.decode("utf-8", "surrogateescape").lower()
    if lower == "authorization":
        return "key"
    if lower in ODD:
        return "odd"
    return "kept" if is_kept(lower) else ""


@lru_cache(maxsize=MOST_KNOWN)
def _text(kept: tuple[tuple[bytes, bytes], ...]) -> str:
    """The headers that are stored, as JSON: most senders send the same ones each time."""
    return orjson.dumps(
        {name.decode("utf-8", "replace").lower(): value.decode("utf-8", "replace") for name, value in kept}
    ).decode()
