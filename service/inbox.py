"""The inbox: `POST /in/{source}`, from the socket to the 2xx. Nothing slow or remote happens on the way.

Answers are what senders understand: 2xx when the bytes are on stable storage, 401 or 403 for the key, 404 for the
source, 413 with a record, 503 with a jittered Retry-After. Never 429 or 410, never a 5xx for a bad body.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
from typing import Any

from aiohttp import web

from incidents.adapters import Adapter, adapters
from incidents.deliveries import BODY_BOUND
from incidents.model import Delivery
from service import clock
from service.keys import ACCESS, CONFIG, READERS, WORKER, WRITER
from service.problem import problem
from service.writer import OverloadedError

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "user-agent",
    "x-amz-sns-",
    "x-github-",
    "x-gitlab-event",
    "x-pagerduty-",
    "x-grafana-",
    "x-webhook-",
    "x-event-",
    "sentry-hook-resource",
    "sentry-hook-timestamp",
    "webhook-",
    "ce-",
    "x-checkly-",
)
"""Beginnings of the names of headers that are stored: they say what the body is, never who may send it."""


async def post(request: web.Request) -> web.Response:
    """Take one delivery."""
    name = request.match_info["source"]
    source = request.app[CONFIG].now.source(name)
    if source is None:
        return _turned_away("no-such-source", f"no source is called {name[:80]!r}")
    adapter = adapters().get(source.adapter)
    secrets = request.app[ACCESS].secrets_of(name) if adapter and adapter.verify else ()
    refusal = await _refusal(request, name)
    if refusal and not secrets:
        return _refused(request, name, *refusal)
    if request.app[WRITER].draining:
        return _later("draining")
    try:
        body = await _body(request)
    except TimeoutError:
        return _later(f"the body did not arrive within {BODY_SECONDS:.0f} s")
    except web.HTTPRequestEntityTooLarge:
        return _refused(request, name, *refusal) if refusal else await _too_large(request, name)
    delivery = Delivery(name, body, clock.now(), {k.lower(): v for k, v in request.headers.items()}, source.timezone)
    if refusal and not (adapter and adapter.verify and adapter.verify(delivery, secrets)):
        return _refused(request, name, "wrong-signature", "neither key nor signature is right")
    return await _take(request, delivery, adapter)


async def _take(request: web.Request, delivery: Delivery, adapter: Adapter | None) -> web.Response:
    """Write it, and only then answer."""
    headers = {k: v for k, v in delivery.headers.items() if k.startswith(KEPT_HEADERS)}
    encoding = delivery.headers.get("content-encoding", "").strip().lower()
    encoding = "" if encoding == "identity" else encoding
    try:
        receipt = await request.app[WRITER].submit(
            delivery.source, delivery.received_at, headers, delivery.body, encoding=encoding
        )
    except OverloadedError as error:
        return _later(str(error))
    if adapter and adapter.challenge and (reply := adapter.challenge(delivery)):
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
    status = adapter.reply if adapter else 202
    return web.Response(status=status, body=b'{"receipt": "%s"}' % receipt.encode(), content_type="application/json")


async def _too_large(request: web.Request, source: str) -> web.Response:
    why = f"larger than {BODY_BOUND} bytes; the body was not kept"
    try:
        receipt = await request.app[WRITER].submit(
            source, clock.now(), {}, b"", refused=why, size=request.content_length or 0
        )
    except OverloadedError as error:
        return _later(str(error))
    return _turned_away("too-large", why, receipt=receipt)


async def _body(request: web.Request) -> bytes:
    if request.content.is_eof():
        return await request.read()  # it came whole; setting a deadline would cost an eighth of the request's time
    async with asyncio.timeout(BODY_SECONDS):
        return await request.read()


async def _refusal(request: web.Request, source: str) -> tuple[str, str] | None:
    """Why this sender's key does not let it post here: a problem and its detail. The body has not been looked at."""
    key = key_of(request)
    if key is None:
        return "not-signed-in", "give the source's key as Authorization: Bearer"
    access = request.app[ACCESS]
    found = access.recall(key)
    if found is None:
        found = await asyncio.get_running_loop().run_in_executor(request.app[READERS], access.check, key)
    if found is None:
        return "wrong-key", "the key is not known"
    if found.role != "admin" and found.source != source:
        return "forbidden", f"the key is not one of {source}"
    return None


def _refused(request: web.Request, source: str, name: str, detail: str) -> web.Response:
    request.app[WORKER].refusals[source, name] += 1
    return _turned_away(name, detail)


def key_of(request: web.Request) -> str | None:
    """The key that a request shows: Bearer, Basic password, X-Api-Key, or the last part of the path."""
    if "key" in request.match_info:
        return request.match_info["key"]
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return request.headers.get("X-Api-Key") or None


def _later(why: str) -> web.Response:
    answer = problem("overloaded", why, headers={"Retry-After": str(random.randint(2, 12))})  # noqa: S311  # jitter
    answer.force_close()
    return answer


def _turned_away(name: str, detail: str, **more: Any) -> web.Response:  # noqa: ANN401  # extension members
    """A refusal. The connection is closed: what the sender still sends is not read."""
    answer = problem(name, detail, **more)
    answer.force_close()
    return answer
