"""Polling: asks each feed in its turn, and hands what it answers to the writer like any other delivery."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from incidents.adapters import adapters
from incidents.config import Config
from incidents.configured import owners
from incidents.feeds import polls
from incidents.feeds.polls import Asking, Came, Turn
from incidents.model import Request
from incidents.receipts import delivery_id_of
from incidents.store import Store
from service import clock
from service.answers import asked_now, delivery_headers, judged, masked, masked_text, with_key, without_keys
from service.intake.writer import OverloadedError
from service.keys import ACCESS, CONFIG, SETTINGS, STORE, TRACING, WRITER
from service.outside.following import Following, links_in
from service.outside.outbound import AT_ONCE, Fetched, FetchError, Outbound

log = logging.getLogger(__name__)


class Polling:
    """The turns of one process. `tick` is for the scheduler; what it begins belongs to the group it was made with."""

    def __init__(self, app: web.Application, outbound: Outbound, group: asyncio.TaskGroup) -> None:
        self._app, self._outbound, self._group = app, outbound, group
        self._store: Store = app[STORE]
        self._config: Config | None = None
        self._following = Following(self._store, outbound, app[WRITER], app[ACCESS].secrets_of)
        self._wanted: Mapping[tuple[str, str], Asking] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self.outcomes: Counter[str] = Counter()
        """How askings of this process went, since its start."""

    async def tick(self) -> None:
        """Claim what is due and begin to ask it; returns without waiting for the answers."""
        if not self._app[SETTINGS].poll_feeds:
            return
        if self._config != self._app[CONFIG].now:
            await self._sync(self._app[CONFIG].now)
        room = AT_ONCE - len(self._under_way)
        if not self._wanted or room <= 0 or self._app[WRITER].draining:
            return
        for turn in await asyncio.to_thread(self._claim, room):
            task = self._group.create_task(self._take(turn))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def stop(self) -> None:
        """Give up what is under way: its turns are taken again by whoever is there when their lease ends."""
        for task in list(self._under_way):
            task.cancel()

    async def _sync(self, config: Config) -> None:
        def write() -> Mapping[tuple[str, str], Asking]:
            with self._store.writing() as connection:
                self._store.lock(connection, ["polls"])
                owned = owners(connection)
                skipped = {s.name for s in config.sources if owned.get(("source", s.name)) in polls.NOT_ASKED}
                wanted = polls.askings(config, adapters(), skipped)
                polls.sync(connection, wanted, clock.now(), random.random())  # noqa: S311  # jitter
            return wanted

        self._wanted = await asyncio.to_thread(write)
        self._config = config

    def _claim(self, most: int) -> list[Turn]:
        # Looking costs a read; only a turn that is due is worth a write transaction beside intake.
        with self._store.reading() as connection:
            if not polls.is_due(connection, self._wanted, clock.now()):
                return []
        with self._store.writing() as connection:
            return polls.claim(self._store, connection, self._wanted, clock.now(), most)

    async def _take(self, turn: Turn) -> None:
        """One turn, from the socket to the log; a job boundary: no feed may end the polling of the others."""
        try:
            with self._app[TRACING].span("poll", barograph__source=turn.asking.source) as span:
                came = await self._ask(turn)
                span.note(barograph__outcome=came.outcome)
            self.outcomes[came.outcome] += 1
            left = await self._following.follow(turn.asking, came) if came.outcome != "failed" else 0
            await asyncio.to_thread(self._finish, turn, came, left)
        except (OverloadedError, SQLAlchemyError, OSError) as error:
            # Nothing is written down, so the lease ends and the turn is taken again.
            log.warning("poll of %s: %s", turn.asking.source, str(error).partition("\n")[0])
        except Exception as error:  # noqa: BLE001  # a fault of ours; its text could hold an address, its type must do
            log.error("poll of %s failed: %s", turn.asking.source, type(error).__name__)  # noqa: TRY400  # no trace

    def _finish(self, turn: Turn, came: Came, left: int) -> None:
        with self._store.writing() as connection:
            polls.finish(self._store, connection, turn, came, clock.now(), left, jitter=random.random())  # noqa: S311

    async def _ask(self, turn: Turn) -> Came:
        source, request = turn.asking.source, asked_now(turn.asking.request)
        secrets = self._app[ACCESS].secrets_of(source)
        try:
            url, headers = with_key(request.url, request.headers, secrets)
            # Added after the key: what a server said is never a place for it.
            if turn.etag:
                headers["If-None-Match"] = turn.etag
            if turn.last_modified:
                headers["If-Modified-Since"] = turn.last_modified
            found = without_keys(await self._outbound.get(url, headers, now=clock.now()), secrets)
        except FetchError as error:
            return Came("failed", masked_text(str(error), secrets))
        came = judged(found, conditional=bool(turn.etag or turn.last_modified))
        if came.outcome != "answered":
            return came
        return await self._put_in(turn, request, found, came)

    async def _put_in(self, turn: Turn, request: Request, found: Fetched, came: Came) -> Came:
        """Give a body that differs from the last to the writer, and wait until it is on stable storage."""
        body, hidden = masked(found.body, self._app[ACCESS].secrets_of(turn.asking.source))
        digest = hashlib.sha256(body).hexdigest()
        if digest == turn.body_sha256:
            return Came("unchanged", None, came.status, came.etag, came.last_modified, whole=True)
        headers = delivery_headers(request, found, hidden)
        receipt = await self._app[WRITER].submit(turn.asking.source, clock.now(), headers, body)
        adapter = adapters()[next(s.adapter for s in self._app[CONFIG].now.sources if s.name == turn.asking.source)]
        links = await asyncio.to_thread(links_in, adapter, turn.asking.source, headers, body)
        return Came(
            "answered",
            None,
            came.status,
            came.etag,
            came.last_modified,
            sha256=digest,
            delivery_id=delivery_id_of(receipt),
            whole=True,
            links=links,
        )


POLLING = web.AppKey("polling", Polling)


async def running(app: web.Application) -> AsyncIterator[None]:
    """The client and the askings under way, for as long as the application runs."""
    outbound = Outbound(app[SETTINGS])
    try:
        async with asyncio.TaskGroup() as group:
            polling = app[POLLING] = Polling(app, outbound, group)
            yield
            polling.stop()
    finally:
        await outbound.close()
