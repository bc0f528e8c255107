"""Power cuts: what was acknowledged before a SIGKILL is there after it, once, and a rebuild gives the same state."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from contextlib import closing
from datetime import datetime
from typing import Self

import pytest

from incidents.rebuild import state_digest
from incidents.store import Store
from tests.conftest import StartBarograph
from tests.senders import CONFIG, KEY, ago, alert, message, walk
from tests.servers import Barograph

THREADS = 16


class Pouring:
    """Senders that post one alert each time and repeat it until it is acknowledged, as Alertmanager does."""

    def __init__(self, service: Barograph, starts_at: datetime) -> None:
        self.service, self.starts_at = service, starts_at
        self.receipts: list[str] = []
        """Of everything acknowledged."""
        self.names: list[str] = []
        """Of every alert that was acknowledged; each of them once."""
        self.repeated = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._pour, args=(n,)) for n in range(THREADS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _pour(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            with closing(http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=20)) as connection:
                try:
                    while not self._stop.is_set():
                        self._post(connection, f"alert-{number}-{count}")
                        count += 1
                except (OSError, http.client.HTTPException):
                    self.repeated += 1
                    time.sleep(0.02)

    def _post(self, connection: http.client.HTTPConnection, name: str) -> None:
        body = json.dumps(message(alert(name, self.starts_at)))
        connection.request("POST", "/in/am", body, {"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != 202:
            raise http.client.HTTPException(told)
        self.receipts.append(json.loads(told)["receipt"])
        self.names.append(name)


def cut_power(service: Barograph, *, kills: int, acknowledged: int) -> Pouring:
    """Kill the service at unforeseen moments while alerts pour in, then let them pour until enough is acknowledged."""
    chance = random.Random()
    with Pouring(service, ago(hours=1)) as pouring:
        for kill in range(kills):
            enough = acknowledged * kill // kills
            service.until(lambda enough=enough: len(pouring.receipts) > enough, 60)  # type: ignore[misc]  # bound at once
            time.sleep(chance.uniform(0.0, 0.3))
            service.kill9()
            service.start()
        service.until(lambda: len(pouring.receipts) >= acknowledged, 60)
    return pouring


def check(service: Barograph, pouring: Pouring) -> None:
    """Nothing acknowledged is lost, nothing is there twice, and the caches are what the logs say."""
    service.until(lambda: service.json("/api/v1/sources")["items"][0]["unread"] == 0, 60)
    stored = [item["receipt"] for item in walk(service, "/api/v1/deliveries", 500)]
    assert len(stored) == len(set(stored))
    assert set(pouring.receipts) <= set(stored)
    assert len(pouring.receipts) == len(set(pouring.receipts))
    quarantined = service.json("/api/v1/deliveries?state=quarantined")["items"]
    assert quarantined == []
    incidents = service.json("/api/v1/incidents")["items"]
    assert len(incidents) == 1, incidents
    alerts = [
        item["labels"]["alertname"] for item in walk(service, f"/api/v1/incidents/{incidents[0]['id']}/alerts", 500)
    ]
    assert len(alerts) == len(set(alerts))
    assert set(pouring.names) <= set(alerts)
    assert len(alerts) - len(pouring.names) <= THREADS, "alerts that nobody was told of, beyond those in flight"
    assert incidents[0]["alerts"] == len(alerts)
    assert service.terminate() == 0
    before = digest(service)
    done = service.cli("rebuild")
    assert done.returncode == 0, done.stderr
    assert digest(service) == before


def digest(service: Barograph) -> str:
    """Of both caches of a service that is not running."""
    url = service.env.get("BAROGRAPH_DATABASE_URL", f"sqlite:///{service.home / 'barograph.db'}")
    with closing(Store(url)) as store, store.reading() as connection:
        return state_digest(connection)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_power_cuts_on_sqlite(barograph: StartBarograph) -> None:
    service = barograph(CONFIG)
    pouring = cut_power(service, kills=20, acknowledged=5000)
    assert pouring.repeated >= 20
    check(service, pouring)


@pytest.mark.slow
def test_power_cuts_on_postgresql(barograph: StartBarograph, postgresql_url: str) -> None:
    service = barograph(CONFIG, database_url=postgresql_url)
    pouring = cut_power(service, kills=4, acknowledged=500)
    check(service, pouring)
