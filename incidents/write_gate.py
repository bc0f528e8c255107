"""The write gate: who may write on SQLite, intake before folds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FAIR_SECONDS = 1.0
"""How long a fold lets intake go first before it takes its turn."""
QUIET_SECONDS = 0.005
"""How long intake must have paused for a fold to begin before that."""
CROWD = 8
CROWD_QUIET_SECONDS = 0.05
"""The same after a commit of a crowd: those it answered are about to send again."""


class WriteGate:
    """Who may write on SQLite: intake first, but a fold that has waited `FAIR_SECONDS` is not put off again.

    An open gate, that of PostgreSQL, keeps nobody out; a worker still gives way to the intake of its own process.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        self._is_open = is_open
        self._free = threading.Condition()
        self._held = False
        self._intake_waits = 0
        self._intake_left_at = 0.0
        self._quiet = QUIET_SECONDS

    @contextmanager
    def intake(self, count: int = 1) -> Iterator[None]:
        """Enter as soon as the present holder leaves, with so many deliveries."""
        with self._free:
            self._intake_waits += 1
            while self._held:
                self._free.wait()
            self._intake_waits -= not self._is_open
            self._held = not self._is_open
        try:
            yield
        finally:
            with self._free:
                self._intake_left_at = time.monotonic()
                self._intake_waits -= self._is_open
                self._quiet = CROWD_QUIET_SECONDS if count >= CROWD else QUIET_SECONDS
            self._leave()

    @contextmanager
    def fold(self) -> Iterator[None]:
        """Enter when nobody holds the gate and intake has paused, or when the wait has been long enough."""
        if self._is_open:
            yield
            return
        with self._free:
            self._wait_for_intake()
            self._held = True
        try:
            yield
        finally:
            self._leave()

    def give_way(self) -> None:
        """Wait as `fold` does, where that would let everybody in."""
        if self._is_open:
            with self._free:
                self._wait_for_intake()

    def _wait_for_intake(self) -> None:
        latest = time.monotonic() + FAIR_SECONDS
        while (wait := self._fold_waits(latest)) > 0:
            self._free.wait(wait)

    def intake_paused(self) -> float:
        """For how many seconds no intake has come through; 0 while some waits."""
        return 0.0 if self._intake_waits else time.monotonic() - self._intake_left_at

    def _fold_waits(self, latest: float) -> float:
        """Seconds after which a fold should look again; 0 when it may enter."""
        now = time.monotonic()
        if self._held:
            return FAIR_SECONDS
        if now >= latest:
            return 0.0
        if self._intake_waits:
            return latest - now
        return min(latest, self._intake_left_at + self._quiet) - now

    def _leave(self) -> None:
        with self._free:
            self._held = False
            self._free.notify_all()
