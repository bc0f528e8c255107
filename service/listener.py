"""The listener: on PostgreSQL, one connection that hears when any process has committed a change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import psycopg
import sqlalchemy as sa

from incidents.pulses import CHANNEL

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
"""How often it looks whether it is to end."""
RETRY_SECONDS = 2.0


class Listener:
    """Calls `on_news`, on a thread of its own, for each notification, and when it has (again) begun to listen.

    Notifications carry nothing and may be lost with the connection: whoever hears one reads on from its own cursor.
    """

    def __init__(self, url: sa.URL, on_news: Callable[[], None]) -> None:
        self._url, self._on_news = url.set(drivername="postgresql"), on_news
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End within a turn."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except (psycopg.Error, OSError) as error:
                log.warning("changes of other processes are not heard: %s", str(error).partition("\n")[0])
                self._stop.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        address = self._url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            self._on_news()
            while not self._stop.is_set():
                for _ in connection.notifies(timeout=TURN_SECONDS, stop_after=1):
                    self._on_news()
