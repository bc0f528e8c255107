"""The worker: one thread that reads what was delivered and tells streams of it."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from incidents import deliveries
from incidents.adapters import adapters
from incidents.config import Config
from incidents.ingest import MOST_STATEMENTS, Ingest
from incidents.store import Store, is_away
from service import clock
from service.instruments import Instruments
from service.tracing import Tracing, Untraced

log = logging.getLogger(__name__)

TURN_SECONDS = 0.05
"""How long one fold transaction should hold SQLite's write gate while deliveries come in."""
LONGER = ((2.0, 10), (0.5, 5))
"""After so many seconds without intake a turn lasts so many times as long; a sender who comes then waits no longer."""
LEAST_BYTES, MOST_BYTES = 16 * 1024, 512 * 1024
"""Of deliveries in a turn, as long as it should be; how many fit is found by how long the last ones took."""


class Worker:
    """Reads the queue until it is closed. `wake` is set whenever a delivery was committed."""

    def __init__(  # what it works on, and who watches it
        self,
        store: Store,
        config: Callable[[], Config],
        on_change: Callable[[frozenset[str]], None],
        instruments: Instruments | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing or Untraced()
        self._instruments = instruments or Instruments()
        self.store, self.config, self.on_change = store, config, on_change
        self.wake = threading.Event()
        self.refusals: Counter[tuple[str, str]] = Counter()
        self.last_refusals: dict[tuple[str, str], tuple[str, datetime]] = {}
        """What the last one refused was told, and when, by (source, reason)."""
        self.failing: str | None = None
        self.is_away = False
        """Whether that is for a database which does not answer."""
        self.read = 0
        self._stop = threading.Event()
        self._began = 0.0
        self._bytes = LEAST_BYTES * 4
        self._ingest = Ingest(store, adapters())
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        """Begin; what an older adapter has read is queued again first."""
        self._thread.start()

    def take_refusals(self) -> Counter[tuple[str, str]]:
        """What was refused at the door since this was last asked, by (source, reason)."""
        refusals, self.refusals = self.refusals, Counter()
        return refusals

    @property
    def is_alive(self) -> bool:
        """Whether the thread that reads is there."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End after the transaction at hand; what is unread stays queued in the store."""
        self._stop.set()
        self.wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set() and not self._guarded("queueing what older adapters read", self._requeue):
            pass
        while not self._stop.is_set():
            self.wake.clear()
            busy = self._guarded("reading deliveries", self._work)
            if not busy:
                self.wake.wait(1.0)

    def _guarded(self, what: str, job: Callable[[], bool]) -> bool:
        """The job boundary: one failed turn is logged and tried again, it never ends the worker."""
        try:
            done = job()
        except Exception as error:  # the queue keeps what this turn did not finish
            self.is_away = is_away(error)
            if self.is_away:  # every second for as long as it lasts: one line
                log.warning("%s failed: %s", what, str(error).partition("\n")[0])
            else:
                log.exception("%s failed", what)
            self.failing = f"{what}: {type(error).__name__}"
            self._stop.wait(1.0)
            return False
        self.failing = None
        return done

    def _requeue(self) -> bool:
        with self.store.writing() as connection:
            count = deliveries.queue_older(connection, {a.name: a.version for a in adapters().values()})
        if count:
            log.info("%d deliveries are read again by newer adapters", count)
        return True

    def _begin(self) -> datetime:
        """The transaction has its turn: what it waited for the gate is not counted."""
        self._began = time.monotonic()
        return clock.now()

    def _work(self) -> bool:
        # A transaction costs the same whatever it holds: while nothing comes in, a longer one does more for it.
        quiet = self.store.gate.intake_paused()
        times = next((times for seconds, times in LONGER if quiet > seconds), 1)
        self.store.gate.give_way()
        # What a batch makes goes as it ends; looking for cycles in it meanwhile is a twelfth of the work.
        gc.disable()
        try:
            worked = self._ingest.work(
                self.config(),
                clock.now(),
                most=256 * times,
                most_bytes=self._bytes * times,
                most_statements=MOST_STATEMENTS * min(times, 4),
                clock=self._begin,
            )
        finally:
            gc.enable()
        if worked is None:
            return False
        took = time.monotonic() - self._began
        self._instruments.fold_seconds.observe(took)
        about = {"barograph__deliveries": worked.deliveries, "barograph__statements": worked.statements}
        self._tracing.took("fold", took, **about)
        change = min(2.0, max(0.5, TURN_SECONDS * times / took))
        self._bytes = int(min(MOST_BYTES, max(LEAST_BYTES, self._bytes * change)))
        self.read += worked.deliveries
        self.on_change(worked.topics)
        return True
