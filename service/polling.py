"""Polling: asks each feed in its turn, and hands what it answers to the writer like any other delivery."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote, quote_plus

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from incidents.adapters import adapters
from incidents.config import Config
from incidents.configured import owners
from incidents.feeds import polls
from incidents.feeds.polls import Asking, Came, Turn
from incidents.formats import addresses
from incidents.model import Request
from incidents.store import Store, delivery_id_of
from service import clock
from service.keys import ACCESS, CONFIG, SETTINGS, STORE, WRITER
from service.outbound import AT_ONCE, Fetched, FetchError, Outbound
from service.writer import OverloadedError

log = logging.getLogger(__name__)

KEY = "{key}"
"""What stands for a source's secret in an address or a header."""
LEAST_MASKED = 6
"""A secret shorter than this is not looked for in answers: it would be found everywhere."""


class MissingSecretError(FetchError):
    """A request needs the source's secret, and none is configured."""


class Polling:
    """The turns of one process. `tick` is for the scheduler; what it begins belongs to the group it was made with."""

    def __init__(self, app: web.Application, outbound: Outbound, group: asyncio.TaskGroup) -> None:
        self._app, self._outbound, self._group = app, outbound, group
        self._store: Store = app[STORE]
        self._config: Config | None = None
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
            came = await self._ask(turn)
            self.outcomes[came.outcome] += 1
            await asyncio.to_thread(self._finish, turn, came)
        except (OverloadedError, SQLAlchemyError, OSError) as error:
            # Nothing is written down, so the lease ends and the turn is taken again.
            log.warning("poll of %s: %s", turn.asking.source, str(error).partition("\n")[0])
        except Exception as error:  # noqa: BLE001  # a fault of ours; its text could hold an address, its type must do
            log.error("poll of %s failed: %s", turn.asking.source, type(error).__name__)  # noqa: TRY400  # no trace

    def _finish(self, turn: Turn, came: Came) -> None:
        with self._store.writing() as connection:
            polls.finish(self._store, connection, turn, came, clock.now(), jitter=random.random())  # noqa: S311

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
        return Came(
            "answered",
            None,
            came.status,
            came.etag,
            came.last_modified,
            sha256=digest,
            delivery_id=delivery_id_of(receipt),
            whole=True,
        )


POLLING = web.AppKey("polling", Polling)


def judged(found: Fetched, *, conditional: bool) -> Came:
    """What an answer amounts to by its status alone."""
    if found.status == 304 and conditional:
        return Came("unchanged", status=304)
    if 200 <= found.status < 300 and found.body:
        return Came("answered", None, found.status, found.etag, found.last_modified)
    if found.status == 304:
        reason = "said that nothing had changed, unasked"
    elif 200 <= found.status < 300:
        reason = f"answered {found.status} without a body"
    else:
        reason = f"answered {found.status}"
    return Came("failed", reason, found.status, asked_to_wait=found.retry_after)


def with_key(url: str, headers: Mapping[str, str], secrets: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Address and headers with the source's secret in its place. Raises MissingSecretError where there is none."""
    if KEY not in url and not any(KEY in value for value in headers.values()):
        return url, dict(headers)
    if not secrets:
        raise MissingSecretError("needs a key: give the source a `secret`")
    secret = secrets[0]
    if not (secret.isascii() and secret.isprintable()):
        raise MissingSecretError("the source's `secret` cannot stand in a request: printable ASCII is expected")
    filled = {name: value.replace(KEY, secret) for name, value in headers.items()}
    return url.replace(KEY, quote(secret, safe="")), filled


def masked(body: bytes, secrets: Sequence[str]) -> tuple[bytes, int]:
    """The body without the secrets that some feeds repeat in their answers, and how often one was taken out."""
    count = 0
    forms = {form.encode() for secret in secrets for form in _forms(secret)}
    # The longest first: one may hold another.
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        if len(form) >= LEAST_MASKED:
            count += body.count(form)
            body = body.replace(form, KEY.encode())
    return body, count


def _forms(secret: str) -> set[str]:
    """The ways in which an answer may write a secret: as it is, escaped for JSON or an address, in base64."""
    written = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    written |= {form.replace("/", "\\/") for form in written}
    percent = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    percent |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in percent}
    coded = {code(secret.encode()).decode() for code in (base64.b64encode, base64.urlsafe_b64encode)}
    return written | percent | coded | {form.rstrip("=") for form in coded}


def without_keys(found: Fetched, secrets: Sequence[str]) -> Fetched:
    """An answer whose headers may be stored."""
    return replace(
        found,
        content_type=masked_text(found.content_type, secrets),
        etag=found.etag and masked_text(found.etag, secrets),
        last_modified=found.last_modified and masked_text(found.last_modified, secrets),
    )


def masked_text(text: str, secrets: Sequence[str]) -> str:
    """Words that may be stored and shown."""
    return masked(text.encode(), secrets)[0].decode()


def asked_now(request: Request) -> Request:
    """The request as it is to be asked at this moment: an address may name a window that ends now."""
    return replace(request, url=addresses.filled(request.url, clock.now()))


def delivery_headers(request: Request, found: Fetched, hidden: int = 0) -> dict[str, str]:
    """The headers that a polled body is stored with: where it was asked for, with `{key}` where the key was."""
    headers = {"request-url": request.url}
    headers |= {"request-site": request.site} if request.site else {}
    headers |= {"content-type": found.content_type} if found.content_type else {}
    # The bytes are not quite as they came, so they say so.
    headers |= {"request-keys-hidden": str(hidden)} if hidden else {}
    return headers


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
