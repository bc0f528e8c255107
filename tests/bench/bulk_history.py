"""A history of any length: five days that the product has taken in, read and folded, said again through years.

A block is, for each site and day, an incident of alerts that say five things each, the last that they are over. A copy
of it has days, fingerprints, bodies and hashes of its own, so that its rows are those which intake would have written
(`tests/test_bulk_history.py`): what is rebuilt from its logs is what stands in its caches.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import sqlalchemy as sa

from incidents import deliveries, instants, stamp_counts
from incidents.adapters import adapters
from incidents.config import Config, config_of
from incidents.deliveries import Arrival
from incidents.ingest import Ingest
from incidents.receipts import DeliveryIds
from incidents.settling import settle_due
from incidents.store import Store
from tests.bench import bulk_writing, payloads
from tests.bench.block import MARK, Block
from tests.databases import migrate

SITES, DAYS, ALERTS, SAYINGS = 20, 5, 100, 5
TOGETHER = 10
"""Alerts in a delivery."""
YEARS = timedelta(days=3 * 365)
"""Through which the copies are spread, unless there are too many."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How much one block has."""

    sites: int = SITES
    days: int = DAYS
    alerts: int = ALERTS
    """Of one incident."""

    @property
    def events(self) -> int:
        """Of one block."""
        return self.sites * self.days * self.alerts * SAYINGS


WHOLE = Shape()
IN_BLOCK = WHOLE.events
CONFIG = "\n".join(
    (
        payloads.CONFIG,
        *(
            f'[[sites]]\nname = "s{n:02}"\ntitle = "Site {n}"\nlatitude = {30 + n}\nlongitude = {-120 + 3 * n}\n'
            f'timezone = "UTC"\nmatch = [{{ label = "datacenter", value = "s{n:02}*" }}]\n'
            for n in range(SITES)
        ),
    )
)
"""The benchmark's own site and source, and those of the history."""


def fill(store: Store, events: int, until: datetime, shape: Shape = WHOLE) -> int:
    """Store at least this many events in an empty store, the newest a day before `until`; how many they are."""
    with store.reading() as connection:
        assert connection.execute(sa.select(deliveries.DELIVERY.c.id).limit(1)).first() is None, "the store is empty"
    copies = times(events, shape)
    block, counts = _block(until.replace(hour=0, minute=0, second=0, microsecond=0), shape)
    since = until + timedelta(days=copies[0][1] - shape.days)
    with bulk_writing.writing(store, since, until) as write:
        for place, (mark, days) in enumerate(copies):
            for table, rows in block.copy(place, mark, days):
                write(table, block.columns(table), rows)
    with store.writing() as connection:
        stamp_counts.add(connection, {key: (a * len(copies), b * len(copies)) for key, (a, b) in counts.items()})
    return len(copies) * shape.events


def stored_bytes(store: Store) -> int:
    """How much room the database takes on the disk."""
    if store.is_sqlite:
        return Path(str(store.url.database)).stat().st_size
    with store.reading() as connection:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


@lru_cache(maxsize=1)
def _block(until: datetime, shape: Shape) -> tuple[Block, stamp_counts.Counts]:
    """The block, and what is counted of its deliveries; the next history of the same day is a copy of the same."""
    with TemporaryDirectory(prefix="barograph-block-") as folder:
        migrate(url := f"sqlite:///{folder}/block.db")
        with closing(Store(url)) as scratch:
            take_in(scratch, until, shape, MARK, 0)
            with scratch.reading() as connection:
                block = Block(connection, payloads.SOURCE, until.date() - timedelta(days=shape.days), shape.days)
                return block, stamp_counts.stored(connection, sa.true())


def times(events: int, shape: Shape = WHOLE) -> list[tuple[str, int]]:
    """The mark of each copy, and how many days later than the block it is; the oldest first, none later than it."""
    copies = max(1, -(-events // shape.events))
    step = max(shape.days, YEARS.days // copies)
    return [(f"{number:06x}", -step * number) for number in reversed(range(copies))]


def take_in(store: Store, until: datetime, shape: Shape, mark: str, days: int) -> None:
    """Take in, read and fold what alerts of this mark say of the days of a block, so many days later."""
    asked, ids, ingest = config(), DeliveryIds(), Ingest(store, adapters())
    midnight = until.replace(hour=10, minute=0, second=0, microsecond=0)
    for day in range(shape.days):
        begins = midnight - timedelta(days=shape.days - day) + timedelta(days=days)
        with store.intake() as connection:
            deliveries.append(connection, list(_arrivals(ids, begins, shape, mark, day)))
        while ingest.work(asked, begins, most_statements=20_000, most_bytes=1 << 26):
            pass
        settle_due(store, asked, begins + timedelta(hours=12))


def config() -> Config:
    """The configuration without the key, which only a service needs."""
    return config_of(tomllib.loads(CONFIG.replace(f'key = "{payloads.KEY}"\n', "")), adapters())


def _arrivals(ids: DeliveryIds, begins: datetime, shape: Shape, mark: str, day: int) -> Iterator[Arrival]:
    """What Alertmanager says of one day: all alerts of each site, in other words each time, then that they end."""
    for saying, site, first in product(range(SAYINGS), range(shape.sites), range(0, shape.alerts, TOGETHER)):
        at = begins + timedelta(minutes=10 * saying, seconds=site)
        ends_at = instants.text(at) if saying == SAYINGS - 1 else "0001-01-01T00:00:00Z"
        body = orjson.dumps({
            "version": "4", "groupKey": f"s{site}", "status": "firing", "receiver": "r", "groupLabels": {},
            "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
            "alerts": [
                _alert(f"{mark}{site:02x}{day:02x}{n:06x}", site, day, n, saying, begins, ends_at)
                for n in range(first, min(first + TOGETHER, shape.alerts))
            ],
        })  # fmt: skip
        yield Arrival(ids.next(at), payloads.SOURCE, at, {"content-type": "application/json"}, body)


def _alert(
    fingerprint: str, site: int, day: int, number: int, saying: int, begins: datetime, ends_at: str
) -> dict[str, object]:
    labels = {
        "alertname": ("DiskLatencyHigh", "HostUnreachable", "PacketLoss")[number % 3],
        "severity": ("critical", "warning", "error")[number % 3],
        "datacenter": f"s{site:02}",
        "instance": f"host-{day}-{number}.s{site:02}.example:9100",
    }
    return {
        "status": "resolved" if saying == SAYINGS - 1 else "firing",
        "labels": labels,
        "annotations": {"summary": f"The write latency of {number} is {200 + saying * 7} ms"},
        "startsAt": instants.text(begins - timedelta(seconds=number)),
        "endsAt": ends_at,
        "generatorURL": "",
        "fingerprint": fingerprint,
    }
