"""The inbox: `POST /in/{source}`, from the socket to the 2xx. Nothing slow or remote happens on the way.

Answers are what senders understand: 2xx when the bytes are on stable storage, 401 or 403 for the key, 404 for the
source, 413 with a record, 503 with a jittered Retry-After. Never 429 or 410, never a 5xx for a bad body.
"""

from __future__ import annotations

import asyncio
import base64
import random
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from incidents.adapters import adapters
from incidents.deliveries import BODY_BOUND
from incidents.model import Delivery
from incidents.proofs.signatures import Proof
from incidents.proofs.verification import complaint, scheme_of
from incidents.spoken import TEST_HEADER
from service import clock
from service.identity import key_texts
from service.identity.access import Identity
from service.intake.writer import OverloadedError
from service.keys import ACCESS, CONFIG, KEY_CHECKS, WORKER, WRITER
from service.problem import problem

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
MOST_ARRIVING_BYTES = 128 * 1024 * 1024
"""Bytes of all bodies that may be half here at once."""
MOST_UNPROVEN_BYTES = 32 * 1024 * 1024
"""The share of those whose signature can be proved only when they are whole: anybody may send them."""
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
    "svix-",
    "ce-",
    "x-checkly-",
)
"""Beginnings of the names of headers that are stored: they say what the body is, never who may send it."""
NEVER_KEPT = re.compile(r"token|secret|signature|key|auth|password")
"""In the names of headers that prove who sends: they are not stored whatever they begin with."""


@dataclass(slots=True)
class Bodies:
    """How many bytes of bodies are held that still arrive: in all, and from senders who have shown no key yet."""

    arriving: int = 0
    unproven: int = 0

    def take(self, size: int, *, proven: bool) -> None:
        """Hold so many bytes more. Raises OverloadedError when that is too much."""
        if self.arriving + size > MOST_ARRIVING_BYTES or (not proven and self.unproven + size > MOST_UNPROVEN_BYTES):
            raise OverloadedError("too much is arriving")
        self.arriving += size
        self.unproven += 0 if proven else size

    def give_back(self, size: int, *, proven: bool) -> None:
        """They are with the writer now, or thrown away."""
        self.arriving -= size
        self.unproven -= 0 if proven else size


BODIES = web.AppKey("bodies", Bodies)


async def post(request: web.Request) -> web.Response:
    """Take one delivery."""
    name = request.match_info["source"]
    source = request.app[CONFIG].now.source(name)
    if source is None:
        return _turned_away("no-such-source", f"no source is called {name[:80]!r}")
    adapter = adapters().get(source.adapter)
    scheme = scheme_of(source, adapter)
    secrets = request.app[ACCESS].secrets_of(name) if scheme else ()
    refusal = await _refusal(request, name)
    if refusal and not secrets:
        return _refused(request, name, *refusal)
    if request.app[WRITER].draining:
        return later("draining")
    try:
        body = await _body(request, proven=refusal is None)
    except OverloadedError as error:
        return later(str(error))
    except TimeoutError:
        return not_in_time()
    except web.HTTPRequestEntityTooLarge:
        return _refused(request, name, *refusal) if refusal else await _too_large(request, name)
    now, delivery = clock.now(), None
    if refusal or (adapter and adapter.challenge):
        delivery = Delivery(
            name, body, now, {k.lower(): _valid(v) for k, v in request.headers.items()}, source.timezone
        )
    proof: Proof | None = None
    if refusal:
        if not (scheme and delivery and scheme.holds(delivery, secrets)):
            why = complaint(delivery) if delivery else None
            return _refused(request, name, "wrong-signature", "neither key nor signature is right", why)
        proof = scheme.proof(delivery)
    headers = _kept(request, keyed=refusal is None)
    encoding = _valid(request.headers.get("Content-Encoding", "")).strip().lower()
    try:
        receipt = await request.app[WRITER].submit(
            name, now, headers, body, encoding="" if encoding == "identity" else encoding, proof=proof
        )
    except OverloadedError as error:
        return later(str(error))
    if delivery and adapter and adapter.challenge and (reply := adapter.challenge(delivery)):
        return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)
    status = adapter.reply if adapter else 202
    return web.Response(status=status, body=b'{"receipt": "%s"}' % receipt.encode(), content_type="application/json")


def _kept(request: web.Request, *, keyed: bool) -> dict[str, str]:
    """The headers that are stored beside the body; `keyed` says that the sender has shown a key."""
    lower = ((k.lower(), v) for k, v in request.headers.items())
    kept = {k: _valid(v) for k, v in lower if is_kept(k)}
    if keyed and TEST_HEADER in request.headers:
        # Only beside a key: whoever has but a signed body must not hide what it says.
        kept[TEST_HEADER] = "1"
    return kept


def is_kept(name: str) -> bool:
    """Whether a header of this name, in small letters, is stored."""
    return name.startswith(KEPT_HEADERS) and not NEVER_KEPT.search(name)


async def _too_large(request: web.Request, source: str) -> web.Response:
    why = f"larger than {BODY_BOUND} bytes; the body was not kept"
    try:
        receipt = await request.app[WRITER].submit(
            source, clock.now(), {}, b"", refused=why, size=request.content_length or 0
        )
    except OverloadedError as error:
        return later(str(error))
    return _turned_away("too-large", why, receipt=receipt)


async def _body(request: web.Request, *, proven: bool) -> bytes:
    if request.content.is_eof():
        return await request.read()  # it came whole; setting a deadline would cost an eighth of the request's time
    if (request.content_length or 0) > BODY_BOUND:
        raise web.HTTPRequestEntityTooLarge(BODY_BOUND)
    bodies, body, taken = request.app[BODIES], bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.content.iter_any():
                bodies.take(len(part), proven=proven)
                taken += len(part)
                body += part
                if taken > BODY_BOUND:
                    raise web.HTTPRequestEntityTooLarge(BODY_BOUND)
    finally:
        bodies.give_back(taken, proven=proven)
    return bytes(body)


def _valid(text: str) -> str:
    """A header's text; aiohttp hands us bytes that are no UTF-8 as lone surrogates, which nothing can store."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _refusal(request: web.Request, source: str) -> tuple[str, str] | None:
    """Why this sender's key does not let it post here: a problem and its detail. The body has not been looked at."""
    key = key_of(request)
    if key is None:
        return "not-signed-in", "give the source's key as Authorization: Bearer"
    found = await whose(request, key)
    if found is None:
        return "wrong-key", key_texts.slip(key) or "the key is not known"
    if found.role != "admin" and found.source != source:
        return "forbidden", f"the key is not one of {source}"
    return None


async def whose(request: web.Request, key: str) -> Identity | None:
    """Whose key this is. Only a key that is not known waits for the store, and on a thread that does nothing else."""
    access, loop = request.app[ACCESS], asyncio.get_running_loop()
    found = access.recall(key)
    if found is None:
        return await loop.run_in_executor(request.app[KEY_CHECKS], access.check, key)
    if access.ageing:
        loop.run_in_executor(request.app[KEY_CHECKS], access.renew)
    return found


def _refused(request: web.Request, source: str, name: str, detail: str, why: str | None = None) -> web.Response:
    """Turn a sender away; `why` is for the operator alone, who may read more than a stranger is told."""
    request.app[WORKER].refusals[source, name] += 1
    request.app[WORKER].last_refusals[source, name] = (why or detail, clock.now())
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
        except ValueError:
            return None
    return request.headers.get("X-Api-Key") or None


def not_in_time() -> web.Response:
    """The answer to a sender whose body stopped on its way."""
    return later(f"the body did not arrive within {BODY_SECONDS:.0f} s")


def later(why: str) -> web.Response:
    """Ask the sender to come back, and close its connection."""
    answer = problem("overloaded", why, headers={"Retry-After": str(random.randint(2, 12))})  # noqa: S311  # jitter
    answer.force_close()
    return answer


def _turned_away(name: str, detail: str, **more: Any) -> web.Response:  # noqa: ANN401  # extension members
    """A refusal. The connection is closed: what the sender still sends is not read."""
    answer = problem(name, detail, **more)
    answer.force_close()
    return answer
