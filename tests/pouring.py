"""Senders that post one alert after the other, to whichever process takes it, and keep count of what they were told."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Collection, Sequence
from contextlib import closing
from typing import Self

import psycopg
import sqlalchemy as sa

from incidents import configured
from incidents.deliveries import DELIVERY
from incidents.entries import OCCURRENCE
from incidents.rebuild import rebuild, state_digest
from incidents.receipts import receipt_of
from incidents.store import Store
from service import clock
from tests.senders import KEY, ago, alert, message
from tests.servers import Barograph, Server


class Pouring:
    """Posts from so many threads while the block lasts; what is not taken is posted again, to the next process."""

    def __init__(self, services: Sequence[Server], threads: int = 4, pause: float = 0.01) -> None:
        self.services, self.starts_at, self._pause = list(services), ago(minutes=10), pause
        self.receipts: dict[str, str] = {}
        """The alert of each receipt."""
        self.others: list[int] = []
        """Statuses that were no 202."""
        self.broken = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._pour, args=(n,)) for n in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def until(self, more: int) -> None:
        """Wait until so many more were acknowledged."""
        wanted = len(self.receipts) + more
        self.services[0].until(lambda: len(self.receipts) >= wanted, 60)

    def _pour(self, number: int) -> None:
        turn = done = 0
        while not self._stop.is_set():
            if self._post(self.services[(number + turn) % len(self.services)], f"a{number}-{done}"):
                done += 1
                self._stop.wait(self._pause)
            else:
                turn += 1
                self._stop.wait(0.03)

    def _post(self, service: Server, name: str) -> bool:
        body = json.dumps(message(alert(name, self.starts_at)))
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)) as connection:
                connection.request("POST", "/in/am", body, {"Authorization": f"Bearer {KEY}"})
                answer = connection.getresponse()
                told = answer.read()
        except (OSError, http.client.HTTPException):
            self.broken += 1
            return False
        if answer.status != 202:
            self.others.append(answer.status)
            return False
        self.receipts[json.loads(told)["receipt"]] = name
        return True

    def check(self, url: str, service: Barograph, seconds: float = 60.0, *, told: Collection[int] = (503,)) -> None:
        """Nothing acknowledged is lost or doubled, nothing refused but as `told`, and a rebuild changes nothing."""
        assert set(self.others) <= set(told)
        service.until(lambda: service.json("/api/v1/sources")["items"][0]["unread"] == 0, seconds)
        with closing(Store(url)) as store:
            with store.reading() as connection:
                stored = [receipt_of(name) for name in connection.execute(sa.select(DELIVERY.c.id)).scalars()]
                titles = list(connection.execute(sa.select(OCCURRENCE.c.title)).scalars())
                before = state_digest(connection)
            assert set(self.receipts) <= set(stored)
            assert len(titles) == len(set(titles))
            assert {f"{name} is on" for name in self.receipts.values()} <= set(titles)
            assert service.json("/api/v1/deliveries?state=quarantined")["items"] == []
            with store.reading() as connection:
                config = configured.load(connection)
            rebuild(store, config, clock.now())
            with store.reading() as connection:
                assert state_digest(connection) == before


def rename(url: str, table: str, column: str, to: str) -> None:
    """What a newer version's migration may do to a column."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO {to}")  # type: ignore[arg-type]  # names of the test
