"""The standby: a copy of PostgreSQL that pages, exports and streams read from, while it answers and keeps up.

Once a second its place in the log is held against the database's own. How far it is behind is told on pages and in
`/readyz`; while it does not answer, or lags too far, everything is read from the database itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from incidents.privacy import Asker
from incidents.store import Store, is_away, is_too_long
from service import clock

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
MOST_LAG = 30.0
"""Seconds behind from which on it is not read: a page of half a minute ago misleads more than a slow one costs."""
TOLD_LAG = 2.0
"""Seconds behind from which on pages say so; a look each second tells no less."""
_SAMPLES = 600
"""Places in the log that are remembered, one a second."""
_HERE = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
_THERE = "SELECT pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')"


class Standby:
    """Reads of one process. `reading` is for any thread; a thread of its own looks how far the standby is."""

    def __init__(self, store: Store, standby: Store) -> None:
        self._store, self._standby = store, standby
        self._places: deque[tuple[float, datetime, int]] = deque(maxlen=_SAMPLES)
        """Where the database was, with when we knew, by both clocks."""
        self.lag: float | None = None
        """Seconds; None while the standby does not answer, or cannot be told."""
        self.shows: datetime | None = None
        """What was committed up to then is there."""
        self.away: str | None = "it was not asked yet"
        self.is_alone = False
        """Whether the database itself did not answer when it was last asked."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    def start(self) -> None:
        """Look once, then again and again."""
        self.look()
        self._thread.start()

    def close(self) -> None:
        """End, and give back its connections."""
        self._stop.set()
        self._thread.join()
        self._standby.close()

    @property
    def is_read(self) -> bool:
        """Whether reads go to it now."""
        return self.away is None and (self.is_alone or (self.lag is not None and self.lag <= MOST_LAG))

    def has(self, at: datetime) -> bool:
        """Whether what was committed by this instant is read from it."""
        return self.is_read and (self.is_alone or (self.shows is not None and self.shows >= at))

    @contextmanager
    def reading(self, asker: Asker | None = None) -> Iterator[sa.Connection]:
        """A read transaction on the standby, or on the database itself where it is not to be read; see `Store`."""
        with (self._standby if self.is_read else self._store).reading(asker) as connection:
            yield connection

    def gave_up(self, error: Exception) -> bool:
        """Whether a read failed for the standby's sake: then it is not asked again before it answers a look."""
        if not is_away(error) or is_too_long(error) or not self.is_read:
            return False
        self._told(type(error).__name__)
        return True

    def words(self) -> str:
        """What a page says of it; "" while it keeps up."""
        if self.away is not None:
            return "The standby does not answer: this was read from the database itself."
        if self.is_alone:
            return "The database does not answer: this is what its standby knows."
        if self.lag is None or self.lag > MOST_LAG:
            return "The standby is too far behind: this was read from the database itself."
        return f"Read from a standby that is {self.lag:.0f} s behind." if self.lag >= TOLD_LAG else ""

    # --- looking ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Hold both places against each other; a job boundary, for pages must go on whatever is away."""
        self._note_place()
        try:
            with self._standby.reading() as connection:
                there = connection.execute(sa.text(_THERE)).scalar()
        except (SQLAlchemyError, OSError) as error:
            self._told(type(error).__name__)
            return
        if there is None:
            self._told("it is no standby")
            return
        self._told(None)
        reached = next((place for place in reversed(self._places) if place[2] <= int(there)), None)
        if reached is None:
            self.lag = self.shows = None
        else:
            self.lag, self.shows = round(time.monotonic() - reached[0], 3), reached[1]

    def _note_place(self) -> None:
        try:
            began, at = time.monotonic(), clock.now()
            with self._store.reading() as connection:
                here = connection.execute(sa.text(_HERE)).scalar()
        except (SQLAlchemyError, OSError):
            self.is_alone = True
            return
        self.is_alone = False
        self._places.append((began, at, int(here or 0)))

    def _told(self, away: str | None) -> None:
        if away is not None and self.away != away:
            log.warning("the standby is not read: %s", away)
        if away is None and self.away is not None:
            log.info("the standby is read")
        self.away = away
        if away is not None:
            self.lag = self.shows = None
