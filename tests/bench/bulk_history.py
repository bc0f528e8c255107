"""A history of any length: fifty thousand events that the product has read and folded, copied back through years.

The first block is 100 incidents at 20 sites over five days, each of 100 alerts that said five things, the last that
they were over. A copy is the same rows with other names, earlier by days, written by the database from its own. Its
keys are not the hashes of what they name, so a rebuild is not for it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import product

import orjson

from incidents import deliveries, instants
from incidents.adapters import adapters
from incidents.config import config_of
from incidents.deliveries import Arrival
from incidents.ingest import Ingest
from incidents.receipts import ID_SHIFT, DeliveryIds
from incidents.settling import settle_due
from incidents.store import Store
from incidents.tables import METADATA, Instant
from tests.bench import payloads

SITES, DAYS, ALERTS, SAYINGS = 20, 5, 100, 5
TOGETHER = 10
"""Alerts in a delivery."""
IN_BLOCK = SITES * DAYS * ALERTS * SAYINGS
"""Events of one block."""
YEARS = timedelta(days=3 * 365)
"""Through which the copies are spread."""
_MIX = 2_654_435_761
"""Spreads the numbers of the copies over the first 32 bits of their names."""
_MICROSECOND = timedelta(microseconds=1)
MOST_ENTRIES = 1_000_000
"""More than the first block has: how far apart the entries of two copies stand."""
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


def fill(store: Store, events: int, until: datetime) -> None:
    """Store at least this many events, the newest a day before `until`."""
    _first_block(store, until)
    copies = -(-events // IN_BLOCK) - 1
    step = max(timedelta(days=DAYS), YEARS // max(1, copies))
    copy(store, copies, step)
    told = f"UPDATE stamp_count SET deliveries = deliveries * {copies + 1}, losses = losses * {copies + 1}"
    _each(store, [told, "ANALYZE"])


def copy(store: Store, copies: int, step: timedelta, words: Mapping[str, Mapping[str, str]] | None = None) -> None:
    """Write all that is stored so many times more, each time earlier by a step and under other names.

    `words` are texts that each copy has with its number behind them, by table and column: a host, a word of a note.
    """
    _each(store, [f"CREATE TABLE block_{table} AS SELECT * FROM {table}" for table in NAMES])
    for number in range(1, copies + 1):
        _each(store, _copies(number, step // _MICROSECOND * number, words or {}))
    _each(store, [f"DROP TABLE block_{table}" for table in NAMES])


def _each(store: Store, statements: Iterable[str]) -> None:
    with store.writing() as connection:
        if store.is_sqlite:
            connection.exec_driver_sql("PRAGMA cache_size=-400000")
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint=100000")
        for statement in statements:
            connection.exec_driver_sql(statement)


def _first_block(store: Store, until: datetime) -> None:
    config, ids = config_of(tomllib.loads(_without_key(CONFIG)), adapters()), DeliveryIds()
    ingest = Ingest(store, adapters())
    for day in range(DAYS):
        begins = until.replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - day)
        with store.intake() as connection:
            deliveries.append(connection, list(_arrivals(ids, begins, day)))
        while ingest.work(config, begins, most_statements=20_000, most_bytes=1 << 26):
            pass
        settle_due(store, config, begins + timedelta(hours=12))


def _without_key(text: str) -> str:
    return text.replace(f'key = "{payloads.KEY}"\n', "")


def _arrivals(ids: DeliveryIds, begins: datetime, day: int) -> Iterator[Arrival]:
    """What Alertmanager says of one day: all alerts of each site, in other words each time, then that they end."""
    for site in range(SITES):
        for saying, first in product(range(SAYINGS), range(0, ALERTS, TOGETHER)):
            at = begins + timedelta(minutes=10 * saying, seconds=site)
            ends_at = instants.text(at) if saying == SAYINGS - 1 else "0001-01-01T00:00:00Z"
            body = orjson.dumps({
                "version": "4", "groupKey": f"s{site}", "status": "firing", "receiver": "r", "groupLabels": {},
                "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
                "alerts": [_alert(site, day, n, saying, begins, ends_at) for n in range(first, first + TOGETHER)],
            })  # fmt: skip
            yield Arrival(ids.next(at), payloads.SOURCE, at, {"content-type": "application/json"}, body)


def _alert(site: int, day: int, number: int, saying: int, begins: datetime, ends_at: str) -> dict[str, object]:
    starts_at = instants.text(begins - timedelta(seconds=number))
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
        "startsAt": starts_at,
        "endsAt": ends_at,
        "generatorURL": "",
        "fingerprint": f"{site:04x}{day:04x}{number:08x}",
    }


def _copies(number: int, back: int, words: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The statements that write the first block once more, under other names, this many microseconds earlier."""
    mark = f"{number * _MIX % 2**32:08x}"
    ways = {
        "same": "{0}",
        "earlier": f"{{0}} - {back}",
        "named": f"'{mark}' || substr({{0}}, 9)",
        "placed": f"{{0}} - {back << ID_SHIFT}",
        "copied": f"{{0}} || '~{number}'",
        "moved": f"{{0}} + {number * MOST_ENTRIES}",
    }
    for table, changed in NAMES.items():
        columns = [column for column in METADATA.tables[table].columns if (table, column.name) != ("event", "id")]
        told = words.get(table, {})
        how = [
            f"replace({column.name}, '{told[column.name]}', '{told[column.name]}{number}.')"
            if column.name in told
            else ways[changed.get(column.name, "earlier" if isinstance(column.type, Instant) else "same")].format(
                column.name
            )
            for column in columns
        ]
        names = ", ".join(column.name for column in columns)
        yield f"INSERT INTO {table} ({names}) SELECT {', '.join(how)} FROM block_{table}"  # names of ours


_OF_INCIDENT = {"incident_id": "copied", "occurrence_id": "named"}
NAMES: dict[str, dict[str, str]] = {
    "delivery": {"id": "placed"},
    "stamp": {"delivery_id": "placed"},
    "event": {"subject": "named", "delivery_id": "placed"},
    "occurrence": {"id": "named", "subject": "named"},
    "incident": {"id": "copied"},
    "entry": {"id": "moved", "incident_id": "copied", "decision": "copied", "supersedes": "moved"},
    "member": {**_OF_INCIDENT, "entry_id": "moved"},
    "member_count": {**_OF_INCIDENT, "minute": "earlier"},
    "alert_group": {**_OF_INCIDENT, "starts_at": "earlier", "ends_at": "earlier"},
}
"""The tables that hold a history, and what becomes of the names in it."""
