"""Following: the documents that an index only points to are asked for within its turn, each a delivery of its own.

Bounded in count, bytes and time; what is left waits for the next turn, and is counted where people see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from incidents.adapters import Adapter
from incidents.feeds import indexes
from incidents.feeds.polls import Asking, Came
from incidents.model import Delivery, Request
from incidents.receipts import delivery_id_of
from incidents.store import Store
from service import clock
from service.answers import delivery_headers, judged, masked, masked_text, without_keys
from service.intake.writer import Writer
from service.outside.outbound import FetchError, Outbound

A_TURN = 20
"""Documents of one turn."""
BYTES = 5 * 1024 * 1024
"""Of one turn; the document that passes it is still kept."""
SECONDS = 8.0
"""Of one turn: with the fetch of the index it must end before the lease of the turn does."""
DOCUMENT_SECONDS = 5.0
"""Of one document, shorter than a turn: the first of each turn has all of it, so none holds up the others for ever."""
PAUSE = 0.2
"""Between two documents of one host."""


def links_in(adapter: Adapter, source: str, headers: Mapping[str, str], body: bytes) -> tuple[str, ...] | None:
    """What a body only points to; None where its adapter knows no links, or fails at them: then all stays as it was."""
    if adapter.linked is None:
        return None
    try:
        return tuple(adapter.linked(Delivery(source, body, clock.now(), headers)))
    except Exception:  # noqa: BLE001  # an adapter's fault leaves the index itself a delivery, which is read or quarantined
        return None


class Following:
    """What follows links, with the client and the writer of its process."""

    def __init__(
        self, store: Store, outbound: Outbound, writer: Writer, secrets_of: Callable[[str], Sequence[str]]
    ) -> None:
        self._store, self._outbound, self._writer, self._secrets_of = store, outbound, writer, secrets_of

    async def follow(self, asking: Asking, came: Came) -> int:
        """Ask for what the index points to; how many documents are left for the next turn."""
        if came.links is not None:
            await asyncio.to_thread(self._note_links, asking, came.links)
        urls = await asyncio.to_thread(self._waiting, asking)
        if not urls:
            return 0
        try:
            async with asyncio.timeout(SECONDS):
                await self._ask_all(asking, urls)
        except TimeoutError:
            pass  # what the turn had no time for waits on, and has all of its own time at the start of the next
        return len(await asyncio.to_thread(self._waiting, asking))

    async def _ask_all(self, asking: Asking, urls: Sequence[str]) -> None:
        size = 0
        for url in urls:
            if size >= BYTES or self._writer.draining:
                return
            size += await self._ask(asking, url)
            await asyncio.sleep(PAUSE)

    async def _ask(self, asking: Asking, url: str) -> int:
        """One document, from the socket to the log; its size."""
        secrets = self._secrets_of(asking.source)
        try:
            async with asyncio.timeout(DOCUMENT_SECONDS):
                found = without_keys(await self._outbound.get(url, now=clock.now()), secrets)
            reason = judged(found, conditional=False).reason
        except TimeoutError:
            found, reason = None, f"no whole answer within {DOCUMENT_SECONDS:g} s"
        except FetchError as error:
            found, reason = None, masked_text(str(error), secrets)
        if found is None or reason is not None:
            await asyncio.to_thread(self._note_failed, asking, url, reason or "no answer")
            return 0
        body, hidden = masked(found.body, secrets)
        headers = {**delivery_headers(Request(url, site=asking.request.site), found, hidden)}
        headers["request-linked-from"] = asking.request.url
        receipt = await self._writer.submit(asking.source, clock.now(), headers, body)
        await asyncio.to_thread(self._note_read, asking, url, delivery_id_of(receipt))
        return len(body)

    def _note_links(self, asking: Asking, links: Sequence[str]) -> None:
        with self._store.writing() as connection:
            indexes.note_links(connection, asking, links, clock.now())

    def _waiting(self, asking: Asking) -> list[str]:
        with self._store.reading() as connection:
            return indexes.waiting(connection, asking, A_TURN)

    def _note_read(self, asking: Asking, url: str, delivery: int | None) -> None:
        with self._store.writing() as connection:
            indexes.note_read(connection, asking, url, delivery, clock.now())

    def _note_failed(self, asking: Asking, url: str, reason: str) -> None:
        with self._store.writing() as connection:
            indexes.note_failed(connection, asking, url, reason)
