"""Tests of a source by its own page: a sample, posted over HTTP to our own intake with a key of the source."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import sqlalchemy as sa
from aiohttp import web

from incidents.deliveries import UNREAD
from incidents.receipts import delivery_id_of
from incidents.samples import Sample
from incidents.spoken import TEST_HEADER
from service.asking import compute, identity, read
from service.keys import ACCESS

POST_SECONDS = 10.0
READ_SECONDS = 5.0
LASTS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """How the intake answered; `status` 0 is no answer."""

    status: int
    took_ms: int
    receipt: str = ""


async def send(request: web.Request, source: str, sample: Sample) -> Sent:
    """Post the sample to the address that this request came to, as a test, and wait a while until it was read.

    The key is made for this one delivery: those in use are known here by their digests alone.
    """
    access, by = request.app[ACCESS], identity(request).actor
    key, ident = await compute(
        request, lambda: access.make("ingest", role="ingest", name="setup test", source=source, lasts=LASTS, by=by)
    )
    try:
        sent = await _post(f"{_own_address(request)}/in/{source}", key, sample)
    finally:
        await compute(request, lambda: access.revoke(ident, by=by))
    if sent.receipt:
        await until_read(request, sent.receipt)
    return sent


async def _post(address: str, key: str, sample: Sample) -> Sent:
    headers = {
        **sample.headers,
        "Content-Type": sample.content_type,
        "Authorization": f"Bearer {key}",
        TEST_HEADER: "1",
    }
    began = time.monotonic()
    try:
        timeout = aiohttp.ClientTimeout(total=POST_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(address, data=sample.body, headers=headers, allow_redirects=False) as answer,
        ):
            body = await answer.json(content_type=None) if answer.status < 300 else {}
            receipt = body.get("receipt", "") if isinstance(body, dict) else ""
            return Sent(answer.status, _since(began), str(receipt))
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return Sent(0, _since(began))


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _own_address(request: web.Request) -> str:
    """Where this process listens, as the connection of the request itself shows."""
    host, port = request.transport.get_extra_info("sockname")[:2] if request.transport else ("127.0.0.1", 8080)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def until_read(request: web.Request, receipt: str) -> bool:
    """Wait until a delivery has left the queue, but not for ever; whether it has."""
    number, ends = delivery_id_of(receipt), time.monotonic() + READ_SECONDS
    query = sa.select(UNREAD.c.delivery_id).where(UNREAD.c.delivery_id == number)
    while time.monotonic() < ends:
        if await read(request, lambda c: c.execute(query).first()) is None:
            return True
        await asyncio.sleep(0.03)
    return False
