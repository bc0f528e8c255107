"""Recovering: after a gap in which monitors could not deliver, their Prometheus is asked what fired meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from incidents import instants
from incidents.config import Config
from incidents.feeds import recovery
from incidents.feeds.recovery import MARGIN, Gap
from incidents.ingest import READ_AS
from incidents.model import Request, Source
from incidents.store import Store
from service import clock
from service.answers import delivery_headers, judged, masked, masked_text, with_key, without_keys
from service.intake.writer import OverloadedError
from service.keys import ACCESS, CONFIG, SETTINGS, STORE, WRITER
from service.outside.outbound import FetchError, Outbound

log = logging.getLogger(__name__)

ADAPTER = "prometheus_recovered"
FIRED = '{__name__=~"ALERTS|ALERTS_FOR_STATE",alertstate=~"firing|"}'
"""The second has no state: an empty one matches it."""
FAILED = 'sum(increase(alertmanager_notifications_failed_total{integration="webhook"}[10m]))'
SHORTEST = timedelta(minutes=30)
"""A window whose answer is too large is asked for in halves, down to this."""
MOST_ASKED = 64
"""Questions of one recovery."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """An answer in which something fired, as the delivery that it becomes."""

    headers: dict[str, str]
    body: bytes


def recoverable(config: Config) -> dict[str, Source]:
    """The sources that name their Prometheus."""
    return {source.name: source for source in config.sources if source.prometheus}


async def ask(
    outbound: Outbound, source: Source, secrets: Sequence[str], since: datetime, until: datetime
) -> list[Recovered]:
    """What fired within a window, in one answer if it fits. Raises FetchError, in words that hold no secret."""
    windows, found = [(since - MARGIN, until)], []
    for _ in range(MOST_ASKED):
        if not windows:
            break
        begin, end = windows.pop()
        try:
            found += await _ask_once(outbound, source, secrets, begin, end)
        except FetchError as error:
            if "larger than" not in str(error) or end - begin <= SHORTEST:
                raise
            half = begin + (end - begin) / 2
            windows += [(half - MARGIN / 2, end), (begin, half)]
    return found


async def _ask_once(
    outbound: Outbound, source: Source, secrets: Sequence[str], since: datetime, until: datetime
) -> list[Recovered]:
    query = f"{FIRED}[{int((until - since).total_seconds())}s]"
    request, body, content_type = await _query(outbound, source, secrets, query, until)
    found = _decoded(body)
    if not (isinstance(found, dict) and isinstance(data := found.get("data"), dict) and data.get("result")):
        return []
    headers = {**request, "content-type": content_type, READ_AS: ADAPTER}
    headers |= {"request-since": instants.text(since), "request-until": instants.text(until)}
    if source.external_labels:
        headers["request-labels"] = orjson.dumps(dict(source.external_labels)).decode()
    return [Recovered(headers, body)]


async def has_failed(outbound: Outbound, source: Source, secrets: Sequence[str], now: datetime) -> bool:
    """Whether the Alertmanager whose metrics this Prometheus keeps has lately given a notification up."""
    _, body, _ = await _query(outbound, source, secrets, FAILED, now)
    found = _decoded(body)
    try:
        return any(float(one["value"][1]) > 0 for one in found["data"]["result"])
    except (KeyError, IndexError, TypeError, ValueError):
        raise FetchError("the answer is none of Prometheus") from None


def _decoded(body: bytes) -> Any:  # noqa: ANN401  # JSON
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise FetchError("the answer is none of Prometheus") from None


async def _query(
    outbound: Outbound, source: Source, secrets: Sequence[str], query: str, at: datetime
) -> tuple[dict[str, str], bytes, str]:
    """The headers that the answer is stored with, its body and its type. With a secret, that is shown as a bearer."""
    assert source.prometheus
    base = source.prometheus.rstrip("/")
    address = f"{base}/api/v1/query?{urlencode({'query': query, 'time': f'{at.timestamp():.3f}'})}"
    request = Request(address, {"Authorization": "Bearer {key}"} if secrets else {})
    try:
        _, headers = with_key("", request.headers, secrets)
        found = without_keys(await outbound.get(address, headers, now=clock.now()), secrets)
    except FetchError as error:
        raise FetchError(masked_text(str(error), secrets)) from None
    came = judged(found, conditional=False)
    if came.outcome != "answered":
        raise FetchError(came.reason or came.outcome)
    body, hidden = masked(found.body, secrets)
    return delivery_headers(request, found, hidden), body, found.content_type


class Recovering:
    """The recoveries of one process. `tick` is for the scheduler."""

    def __init__(self, app: web.Application, outbound: Outbound) -> None:
        self._app, self._outbound = app, outbound
        self._store: Store = app[STORE]

    async def tick(self) -> None:
        """Say that deliveries can be taken, and ask for what could not be delivered."""
        sources = recoverable(self._app[CONFIG].now)
        writer = self._app[WRITER]
        if not sources or writer.draining or writer.failing or not writer.is_alive:
            return
        gap, looked = await asyncio.to_thread(self._claim, list(sources))
        if looked:
            await self._look(sources[looked])
        if gap:
            await self._recover(sources[gap.source], gap)

    def _claim(self, names: list[str]) -> tuple[Gap | None, str | None]:
        now = clock.now()
        with self._store.writing() as connection:
            recovery.note_heard(connection, names, now)
            return recovery.claim(connection, names, now), recovery.claim_look(connection, names, now)

    async def _look(self, source: Source) -> None:
        try:
            if await has_failed(self._outbound, source, self._app[ACCESS].secrets_of(source.name), clock.now()):
                await asyncio.to_thread(self._note_failed, source)
        except FetchError as error:
            log.warning("%s: whether notifications failed could not be asked: %s", source.name, error)

    def _note_failed(self, source: Source) -> None:
        with self._store.writing() as connection:
            recovery.note_failed_notifications(connection, source.name, clock.now())

    async def _recover(self, source: Source, gap: Gap) -> None:
        """One gap, from the question to the log; nothing is written down where it was cut off, so the lease ends."""
        try:
            found = await ask(self._outbound, source, self._app[ACCESS].secrets_of(source.name), gap.since, gap.until)
            for one in found:
                await self._app[WRITER].submit(source.name, clock.now(), one.headers, one.body)
        except FetchError as error:
            log.warning("%s: what fired during a gap could not be asked: %s", source.name, error)
            await asyncio.to_thread(self._fail, gap, str(error))
        except (OverloadedError, SQLAlchemyError, OSError) as error:
            log.warning("%s: what fired during a gap: %s", source.name, str(error).partition("\n")[0])
        else:
            log.info("%s: what fired from %s to %s was asked for", source.name, gap.since, gap.until)
            await asyncio.to_thread(self._finish, gap)

    def _finish(self, gap: Gap) -> None:
        with self._store.writing() as connection:
            recovery.finish(connection, gap)

    def _fail(self, gap: Gap, reason: str) -> None:
        with self._store.writing() as connection:
            recovery.fail(connection, gap, reason, clock.now())


RECOVERING = web.AppKey("recovering", Recovering)


async def running(app: web.Application) -> AsyncIterator[None]:
    """The client, for as long as the application runs."""
    outbound = Outbound(app[SETTINGS])
    app[RECOVERING] = Recovering(app, outbound)
    try:
        yield
    finally:
        await outbound.close()
