"""The group-commit writer: one thread that takes all deliveries that wait, commits them together, then answers.

A delivery's future resolves only after its commit has reached stable storage; there is no timer and no second copy.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy.exc

from incidents import deliveries
from incidents.deliveries import Arrival
from incidents.proofs.signatures import Proof
from incidents.receipts import DeliveryIds, receipt_of
from incidents.store import Store, is_away
from service.instruments import Instruments
from service.intake.spool import Spool
from service.tracing import Tracing, Untraced

log = logging.getLogger(__name__)

MOST_WAITING = 4096
"""Deliveries that may wait; beyond it senders are asked to come back."""
MOST_WAITING_BYTES = 64 * 1024 * 1024
MOST_TOGETHER = 1024
"""Deliveries in one commit, beside those that arrived with the last of them."""
TRY_SECONDS = 2.0
"""How often a writer that fails and has nothing to write tries whether it could."""
OF_ONE = (sqlalchemy.exc.DataError, sqlalchemy.exc.IntegrityError)
"""What the database raises for a single row."""


class OverloadedError(Exception):
    """More waits than is allowed, the store does not take writes, or the process is draining."""


@dataclass(slots=True)
class _Waiting:
    arrival: Arrival
    answer: asyncio.Future[str]
    since: float
    """By the monotonic clock."""


class Writer:
    """Appends deliveries to the log. `submit` is for the event loop; the thread owns the commits.

    With a spool, what the database cannot take goes there, and all that comes after it until it is empty again.
    """

    def __init__(  # the way of a delivery, and who watches it
        self,
        store: Store,
        on_commit: threading.Event,
        spool: Spool | None = None,
        instruments: Instruments | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing or Untraced()
        self._store, self._on_commit, self._spool = store, on_commit, spool
        self._instruments = instruments or Instruments()
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._gathered: list[_Waiting] = []
        self._ids = DeliveryIds()
        self._loop = asyncio.get_running_loop()
        self._firsts: Mapping[int, int] = {}
        """The repeats of the last commit, by id, each with the delivery that it repeats; the thread's own."""
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.waiting = 0
        self.waiting_bytes = 0
        self.draining = False
        self.commits = 0
        self.written = 0
        self.turned_away = 0
        self.failing: str | None = None
        self._thread.start()

    def submit(
        self,
        source: str,
        received_at: datetime,
        headers: Mapping[str, str] | str,
        body: bytes,
        *,
        encoding: str = "",
        refused: str | None = None,
        size: int | None = None,
        proof: Proof | None = None,
    ) -> asyncio.Future[str]:
        """Queue a delivery; the future gives its receipt, or that of the one it repeats, once it is on stable storage.

        Raises OverloadedError at once when too much waits; the future raises it when the commit fails.
        """
        if not self.is_alive:
            self.turned_away += 1
            raise OverloadedError("deliveries cannot be written")
        if self.draining or self.waiting >= MOST_WAITING or self.waiting_bytes + len(body) > MOST_WAITING_BYTES:
            self.turned_away += 1
            raise OverloadedError("draining" if self.draining else "too much waits to be written")
        arrival = Arrival(
            self._ids.next(received_at), source, received_at, headers, body, encoding, refused, size, proof
        )
        answer = self._loop.create_future()
        self.waiting += 1
        self.waiting_bytes += len(body)
        # One hand-over for all that the loop reads in one turn: waking the thread for each costs more than the commit.
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        self._gathered.append(_Waiting(arrival, answer, time.monotonic()))
        return answer

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    @property
    def is_alive(self) -> bool:
        """Whether the thread that commits is there."""
        return self._thread.is_alive()

    async def close(self) -> None:
        """Take nothing more, write what waits, end the thread."""
        self.draining = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (first := self._next()) is not None:
            batch = list(first)
            last = False
            while len(batch) < MOST_TOGETHER:
                try:
                    following = self._queue.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch += following
            self._write(batch)
            if last:
                return

    def _next(self) -> list[_Waiting] | None:
        """The next deliveries; None at the end.

        While nothing can be written we try whether it can again: who asks /readyz sends us nothing until we are ready.
        """
        while self.failing:
            try:
                return self._queue.get(timeout=TRY_SECONDS)
            except queue.Empty:
                if self._spool is None or not self._spool.in_use:
                    self._commit([])
                elif self._spool.has_room:
                    self.failing = None
        return self._queue.get()

    def _write(self, batch: Sequence[_Waiting]) -> None:
        """Commit a batch and answer it; when it fails for what one delivery holds, each on its own."""
        arrivals = [w.arrival for w in batch]
        if self._spool is not None and self._spool.in_use:
            error = self._put_by(arrivals)
        else:
            error = self._commit(arrivals)
            if self._spool is not None and error is not None and is_away(error):
                log.warning("the database is away: deliveries are kept in %s", self._spool.path)
                error = self._put_by(arrivals)
        if error is None or len(batch) == 1 or is_away(error):
            self._loop.call_soon_threadsafe(self._answer, batch, error, self._firsts)
            return
        for waiting in batch:
            self._write([waiting])

    def _put_by(self, arrivals: Sequence[Arrival]) -> Exception | None:
        """Append to the spool what the database cannot take now: from then on a 2xx is as true as after a commit."""
        assert self._spool is not None
        self._firsts = {}
        try:
            self._spool.append(arrivals)
        except (OSError, TypeError, ValueError) as error:  # the disk; or a header that is no text, as for `_commit`
            log.error("%d deliveries could not be spooled: %s", len(arrivals), error)  # noqa: TRY400  # a line a batch
            if isinstance(error, OSError):
                self.failing = type(error).__name__
            return error
        self.failing = None
        return None

    def _commit(self, arrivals: Sequence[Arrival]) -> Exception | None:
        """The job boundary of the writer's thread: whatever one delivery holds, the next must find a writer."""
        began = time.monotonic()
        try:
            with self._store.intake(len(arrivals)) as connection:
                self._firsts = deliveries.append(connection, arrivals)
        except Exception as error:  # the thread must outlive it: without a writer intake hangs for ever
            of_one = isinstance(error, OF_ONE) or not isinstance(error, (sqlalchemy.exc.SQLAlchemyError, OSError))
            if not of_one:
                self.failing = type(error).__name__
            if not arrivals:
                return error
            log.error(  # noqa: TRY400  # one line a batch; a trace only where the fault is ours
                "%d deliveries could not be written: %s", len(arrivals), error, exc_info=of_one and len(arrivals) == 1
            )
            return error
        self.failing = None
        if arrivals:
            self.commits += 1
            self.written += len(arrivals)
            took = time.monotonic() - began
            self._instruments.commit_seconds.observe(took)
            self._tracing.took("commit", took, barograph__deliveries=len(arrivals))
            self._instruments.commit_deliveries.observe(len(arrivals))
            self._on_commit.set()
        return None

    def _answer(self, batch: Sequence[_Waiting], error: Exception | None, firsts: Mapping[int, int]) -> None:
        self.waiting -= len(batch)
        self.waiting_bytes -= sum(len(w.arrival.body) for w in batch)
        if error is None:
            self._instruments.receipt_seconds.observe(time.monotonic() - batch[0].since)
        else:
            self.turned_away += len(batch)
        for waiting in batch:
            if waiting.answer.done():
                continue
            if error is None:
                first = firsts.get(waiting.arrival.id)
                waiting.answer.set_result(receipt_of(first) if first else waiting.arrival.receipt)
            else:
                waiting.answer.set_exception(OverloadedError("the store does not take writes"))
