"""Sending: takes notices out of the outbox in their turn and posts them to their destinations, outside any request."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError
from yarl import URL

from dashboards import notices, words
from incidents.notices import outbox
from incidents.notices.destinations import Destination, Notice
from incidents.notices.outbox import Came
from incidents.proofs.signatures import standard_headers
from incidents.redaction import redact
from incidents.store import Store
from service import clock
from service.answers import masked_text
from service.keys import ACCESS, CONFIG, SETTINGS, STORE, WRITER
from service.outside.outbound import Fetched, FetchError, Outbound

log = logging.getLogger(__name__)

IN_A_ROW = 20
"""Most notices that one turn sends to a webhook; a chat takes one message a second."""
LEAST_PART = 8
"""A shorter part of an address is no secret, and would be found everywhere."""
TOLD = 200
"""Characters of a receiver's answer that are kept."""


class Sending:
    """The sending of one process. `tick` is for the scheduler; what it begins belongs to the group it was made with."""

    def __init__(self, app: web.Application, outbound: Outbound, group: asyncio.TaskGroup) -> None:
        self._app, self._outbound, self._group = app, outbound, group
        self._store: Store = app[STORE]
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self.outcomes: Counter[str] = Counter()
        """How attempts of this process went, since its start."""

    async def tick(self) -> None:
        """Begin with every destination that has something due and is not being sent to; returns without waiting."""
        destinations = {one.name: one for one in self._app[CONFIG].now.destinations}
        if self._app[WRITER].draining or not await asyncio.to_thread(self._has_due):
            return
        for name in await asyncio.to_thread(self._due, list(destinations)):
            if name not in self._under_way:
                task = self._under_way[name] = self._group.create_task(self._take(destinations[name]))
                task.add_done_callback(lambda _, name=name: self._under_way.pop(name, None))  # type: ignore[misc]

    def stop(self) -> None:
        """Give up what is under way: it is sent again, under the same name, when its lease ends."""
        for task in list(self._under_way.values()):
            task.cancel()

    def _has_due(self) -> bool:
        with self._store.reading() as connection:
            return outbox.has_due(connection, clock.now())

    def _due(self, names: Sequence[str]) -> list[str]:
        with self._store.reading() as connection:
            found = outbox.due(connection, names, clock.now())
            lost = outbox.has_lost(connection, names, clock.now())
        if lost:
            with self._store.writing() as connection:
                outbox.give_up(connection, names, clock.now())
        return found

    async def _take(self, destination: Destination) -> None:
        """One turn; a job boundary: no destination may end the sending to the others."""
        try:
            for _ in range(IN_A_ROW if destination.kind == "webhook" else 1):
                notice = await asyncio.to_thread(self._claim, destination.name)
                if notice is None or await self._send(destination, notice) != "sent":
                    return
        except (SQLAlchemyError, OSError) as error:
            # Nothing is written down, so the lease ends and the notice is sent again.
            log.warning("notices of %s: %s", destination.name, str(error).partition("\n")[0])
        except Exception as error:  # noqa: BLE001  # a fault of ours; its text could hold an address, its type must do
            log.error("notices of %s failed: %s", destination.name, type(error).__name__)  # noqa: TRY400  # no trace

    def _claim(self, destination: str) -> Notice | None:
        with self._store.writing() as connection:
            return outbox.claim(connection, destination, clock.now())

    async def _send(self, destination: Destination, notice: Notice) -> str:
        """One attempt and its place in the log; how it went."""
        secrets = self._app[ACCESS].secrets_of(destination.sealed_as)
        began = time.monotonic()
        came = await self._post(destination, notice, secrets, clock.now())
        came = Came(
            came.outcome,
            came.status,
            came.reason and redact(masked_text(came.reason, [*secrets, *parts_of(secrets)])),
            round((time.monotonic() - began) * 1000),
            came.asked_to_wait,
        )
        self.outcomes[came.outcome] += 1
        state = await asyncio.to_thread(self._finish, notice, came)
        if state == "dead":
            log.error("notice %d of %s is given up: %s", notice.id, destination.name, came.reason)
        return came.outcome

    async def _post(self, destination: Destination, notice: Notice, secrets: Sequence[str], now: datetime) -> Came:
        if not secrets:
            return Came("failed", reason="no address is kept for it: apply the configuration again")
        url, *keys = secrets
        address = self._app[SETTINGS].public_url
        headers = {"Content-Type": "application/json"}
        if destination.kind == "slack":
            body = notices.slack(notice, address)
        else:
            body = notices.webhook(notice, address)
            headers |= standard_headers(notice.name, int(now.timestamp()), body, keys)
        try:
            return came_of(await self._outbound.post(url, headers, body, now=now))
        except FetchError as error:
            return Came("failed", reason=str(error))

    def _finish(self, notice: Notice, came: Came) -> str | None:
        with self._store.writing() as connection:
            return outbox.finish(connection, notice, came, clock.now(), jitter=random.random())  # noqa: S311  # apart


SENDING = web.AppKey("sending", Sending)


def parts_of(secrets: Sequence[str]) -> list[str]:
    """What of an address could open it as well: the last part of its path, and the values of its query."""
    address = URL(secrets[0]) if secrets else URL()
    return [part for part in (address.name, *address.query.values()) if len(part) >= LEAST_PART]


def came_of(found: Fetched) -> Came:
    """What an answer amounts to: any 2xx has taken it, all else has not, a redirect among them."""
    said = words.plain(found.body.decode(errors="replace"), TOLD)
    if 200 <= found.status < 300:
        return Came("sent", found.status, said or None)
    reason = f"answered {found.status}" + (": redirects are not followed" if 300 <= found.status < 400 else "")
    return Came("failed", found.status, f"{reason}: {said}" if said else reason, asked_to_wait=found.retry_after)


async def running(app: web.Application) -> AsyncIterator[None]:
    """The client and what is being sent, for as long as the application runs."""
    outbound = Outbound(app[SETTINGS])
    try:
        async with asyncio.TaskGroup() as group:
            sending = app[SENDING] = Sending(app, outbound, group)
            yield
            sending.stop()
    finally:
        await outbound.close()
