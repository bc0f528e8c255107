"""The drain of the spool: one thread that moves what was spooled into the database, in order, whenever it answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from incidents import deliveries
from incidents.deliveries import Arrival
from incidents.receipts import DeliveryIds
from incidents.store import Store, is_away
from service import clock
from service.intake.spool import Spool

log = logging.getLogger(__name__)

MOST, MOST_BYTES = 1024, 16 * 1024 * 1024
"""Deliveries, and their size, that are moved in one commit."""
RETRY_SECONDS = 0.5
"""How often a database that is away is tried."""


class SpoolDrain:
    """Empties a spool until it is closed. `on_commit` is set whenever deliveries have come into the database."""

    def __init__(self, store: Store, spool: Spool, on_commit: threading.Event) -> None:
        self._store, self._spool, self._on_commit = store, spool, on_commit
        self._ids = DeliveryIds()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-drain", daemon=True)

    def start(self) -> None:
        """Begin; what an earlier run left is moved first."""
        self._thread.start()

    def close(self) -> None:
        """End after the commit at hand; what is left stays in the file."""
        self._stop.set()
        self._spool.filled.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._spool.filled.wait()
            try:
                if not self._stop.is_set():
                    self._turn()
            except Exception as error:  # the job boundary: what is spooled stays, and the thread must outlive it
                if not is_away(error):
                    log.exception("what was spooled cannot be moved")
                self._stop.wait(RETRY_SECONDS)

    def _turn(self) -> None:
        arrivals, after = self._spool.oldest(most=MOST, most_bytes=MOST_BYTES)
        if arrivals:
            self._move(arrivals)
        self._spool.forget(after, len(arrivals))
        if arrivals and not self._spool.in_use:
            log.warning("the spool is empty: all that was acknowledged while the database was away stands in it")

    def _move(self, arrivals: Sequence[Arrival]) -> None:
        """Commit these; what one of them holds and the database never takes costs its neighbours nothing."""
        try:
            with self._store.intake(len(arrivals)) as connection:
                deliveries.append_acknowledged(connection, arrivals, self._other_id)
        except Exception as error:  # whatever one of them holds, those behind it are moved, and it is kept in a file
            if is_away(error):
                raise
            if len(arrivals) > 1:
                for arrival in arrivals:
                    self._move([arrival])
                return
            log.exception("delivery %s was acknowledged and cannot be stored; it is set aside", arrivals[0].receipt)
            self._spool.set_aside(arrivals[0])
        self._on_commit.set()

    def _other_id(self) -> int:
        return self._ids.next(clock.now())
