"""The group-commit writer: one thread that takes all deliveries that wait, commits them together, then answers.

A delivery's future resolves only after its commit has reached stable storage; there is no timer and no second copy.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy.exc

from incidents import deliveries
from incidents.deliveries import Arrival
from incidents.store import DeliveryIds, Store

log = logging.getLogger(__name__)

MOST_WAITING = 4096
"""Deliveries that may wait; beyond it senders are asked to come back."""
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_TOGETHER = 1024
"""Deliveries in one commit."""


class OverloadedError(Exception):
    """More waits than is allowed, the store does not take writes, or the process is draining."""


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    answer: asyncio.Future[str]


class Writer:
    """Appends deliveries to the log. `submit` is for the event loop; the thread owns the commits."""

    def __init__(self, store: Store, on_commit: threading.Event) -> None:
        self._store, self._on_commit = store, on_commit
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._ids = DeliveryIds()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.waiting = 0
        self.waiting_bytes = 0
        self.draining = False
        self.commits = 0
        self.failing: str | None = None
        self._thread.start()

    def submit(
        self,
        source: str,
        received_at: datetime,
        headers: dict[str, str],
        body: bytes,
        *,
        encoding: str = "",
        refused: str | None = None,
        size: int | None = None,
    ) -> asyncio.Future[str]:
        """Queue a delivery; the future gives its receipt once it is on stable storage.

        Raises OverloadedError at once when too much waits; the future raises it when the commit fails.
        """
        if self.draining or self.waiting >= MOST_WAITING or self.waiting_bytes + len(body) > MOST_WAITING_BYTES:
            raise OverloadedError("draining" if self.draining else "too much waits to be written")
        arrival = Arrival(self._ids.next(received_at), source, received_at, headers, body, encoding, refused, size)
        answer = self._loop.create_future()
        self.waiting += 1
        self.waiting_bytes += len(body)
        self._queue.put(_Waiting(arrival, answer))
        return answer

    async def close(self) -> None:
        """Take nothing more, write what waits, end the thread."""
        self.draining = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            last = False
            while len(batch) < MOST_TOGETHER:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
            error = self._commit([w.arrival for w in batch])
            self._loop.call_soon_threadsafe(self._answer, batch, error)
            if last:
                return

    def _commit(self, arrivals: Sequence[Arrival]) -> Exception | None:
        try:
            with self._store.intake() as connection:
                deliveries.append(connection, arrivals)
        except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
            log.error("%d deliveries could not be written: %s", len(arrivals), error)  # noqa: TRY400  # one line a batch
            self.failing = f"{type(error).__name__}: {str(error)[:200]}"
            return error
        self.failing = None
        self.commits += 1
        self._on_commit.set()
        return None

    def _answer(self, batch: Sequence[_Waiting], error: Exception | None) -> None:
        self.waiting -= len(batch)
        self.waiting_bytes -= sum(len(w.arrival.body) for w in batch)
        for waiting in batch:
            if waiting.answer.done():
                continue
            if error is None:
                waiting.answer.set_result(waiting.arrival.receipt)
            else:
                waiting.answer.set_exception(OverloadedError("the store does not take writes"))
