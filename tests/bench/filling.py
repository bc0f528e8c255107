"""Fills a store with one incident of any number of alerts, as if each had been delivered, read and folded.

Rows of deliveries, stamps, events, alerts and groups go into the product's own tables in bulk, made from alerts that
the product itself has folded, one on and one ended for each name. Entries, members and the incident come from the
product's code, batch by batch as the worker would write them. A rebuild from the logs leaves the caches as they are.
Only the bodies are missing: a delivery of a hundred alerts holds two bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from incidents import deliveries, fold, instants, records
from incidents.bulk import insert_many
from incidents.deliveries import DELIVERY, STAMP
from incidents.entries import OCCURRENCE, Changes, Draft, name_base
from incidents.grouping import GROUP, STILL_ON
from incidents.lanes import lane_of
from incidents.model import Event, Occurrence, Said, Severity
from incidents.receipts import DeliveryIds
from incidents.rules import MEMBER_ACTOR
from incidents.statements import EVENT
from incidents.store import Store
from incidents.tables import micros
from tests.bench import copying

SOURCE, ADAPTER, SITE = "am", "alertmanager@1", "smf"
SPAN = timedelta(hours=6)
"""From the start of the first alert to that of the last."""
LASTS = timedelta(minutes=12)
IN_ONE_DELIVERY = 100
BATCH = 10_000
TOGETHER = 100
"""Incidents of one transaction, where there are many."""
BLOCK = 100
"""Incidents that are copied together, where there are many."""
_WORDS = {"entry": {"params": "rack"}, "occurrence": {"rest": "host-"}, "event": {"statement": "host-"}}
"""Words that no two copies share."""
ON_IN = 5
"""One alert in so many is still on."""
RUN = 40
"""Alerts of one name that follow each other."""
NAMES = (
    ("DiskLatencyHigh", Severity.WARNING),
    ("HostUnreachable", Severity.ERROR),
    ("CheckoutErrorRateHigh", Severity.CRITICAL),
    ("ChillerTripped", Severity.ERROR),
    ("PacketLoss", Severity.WARNING),
)
_MARK = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class _Form:
    """One alert as the product stores it, to be written again under other keys."""

    seen: Occurrence
    row: dict[str, Any]
    statement: str
    lane: str


@dataclass(slots=True)
class _Batch:
    alerts: list[Occurrence]
    deliveries: list[dict[str, Any]]
    stamps: list[dict[str, Any]]
    events: list[dict[str, Any]]
    occurrences: list[dict[str, Any]]
    groups: list[dict[str, Any]]


def fill(store: Store, alerts: int, since: datetime) -> str:
    """Store an incident of this many alerts that began from `since` on, on SQLite; its id."""
    with store.writing() as connection:
        incident = _open(store, connection, since)
    for batch in _batches(alerts, since):
        with _filling(store) as connection:
            _write(store, connection, incident, batch)
    return incident


def fill_many(store: Store, incidents: int, alerts: int, since: datetime, over: timedelta) -> list[str]:
    """Store so many incidents of so many alerts each, begun evenly over a time, on SQLite; their ids, oldest first.

    Each has a note with a word that many share and one that no other has; all but the last hundredth are resolved.
    Most are copies of a block, written by the database from its own rows: by the product's code each takes 20 ms.
    """
    copies, apart = max(0, int(incidents * 0.99) // BLOCK - 1), over / incidents
    block = range(copies * BLOCK, min(incidents, (copies + 1) * BLOCK))

    def fill_each(numbers: range) -> list[str]:
        return _fill_each(store, numbers, alerts, since, apart, int(incidents * 0.99))

    names = fill_each(block)
    if copies:
        copying.copy(store, copies, apart * BLOCK, _WORDS)
    older = [f"{name}~{number}" for number in range(copies, 0, -1) for name in names]
    return [*older, *names, *fill_each(range(block.stop, incidents))]


def _fill_each(  # what the incidents of one history are made of
    store: Store, numbers: range, alerts: int, since: datetime, apart: timedelta, over_before: int
) -> list[str]:
    names = []
    for part in (numbers[at : at + TOGETHER] for at in range(0, len(numbers), TOGETHER)):
        with _filling(store) as connection:
            for number in part:
                begins = since + apart * number
                name = _open(store, connection, begins)
                for batch in _batches(alerts, begins, first=number * alerts, span=apart / 2, is_on=False):
                    _write(store, connection, name, batch)
                _tell(store, connection, name, number, begins, is_over=number < over_before)
                names.append(name)
    return names


@contextmanager
def _filling(store: Store) -> Iterator[sa.Connection]:
    """A write transaction in which pages of an index are kept: ids are hashes, so every one of them is hot."""
    with store.writing() as connection:
        connection.exec_driver_sql("PRAGMA cache_size=-400000")
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint=100000")
        yield connection


def rare(number: int) -> str:
    """The word that the note of one incident alone has, if it is none of those that were copied."""
    return f"rack{number:06d}x"


def _tell(  # what one note is made of
    store: Store, connection: sa.Connection, incident: str, number: int, at: datetime, *, is_over: bool
) -> None:
    part = ("pump", "fan", "feed", "valve")[number % 4]
    at += LASTS
    changes = Changes(store, connection, at)
    changes.append(Draft(incident, "note", {"text": f"The {part} of {rare(number)} was looked at"}, "user:ana", at))
    if is_over:
        changes.append(Draft(incident, "status_changed", {"status": "resolved"}, "user:ana", at))
    changes.settle()


def _write(store: Store, connection: sa.Connection, incident: str, batch: _Batch) -> None:
    for table, rows in (
        (DELIVERY, batch.deliveries),
        (STAMP, batch.stamps),
        (EVENT, batch.events),
        (OCCURRENCE, batch.occurrences),
        (GROUP, batch.groups),
    ):
        insert_many(connection, table, rows)
    changes = Changes(store, connection, batch.alerts[-1].starts_at)
    changes.join(incident, batch.alerts, MEMBER_ACTOR)
    changes.settle()


def _open(store: Store, connection: sa.Connection, since: datetime) -> str:
    form = _form(*NAMES[0], since, is_on=True)
    params = {
        "title": f"Sacramento: {form.seen.title}",
        "severity": form.seen.severity.value,
        "group": f"site:{SITE}",
        "sites": [SITE],
        "rule": "burst@1",
        "reason": "5 alerts within 10 min",
        "alert": fold.subject_id(SOURCE, _mark(0)),
    }
    changes = Changes(store, connection, since)
    incident = changes.open(Draft("", "opened", params, "rule:burst@1", since), name_base(since, "", [SITE]))
    changes.settle()
    assert incident
    return incident


def _batches(
    alerts: int, since: datetime, *, first: int = 0, span: timedelta = SPAN, is_on: bool = True
) -> Iterator[_Batch]:
    """Alerts numbered from `first` on; with `is_on` one in `ON_IN` is still on."""
    forms = [[_form(name, severity, since, is_on=on) for on in (False, True)] for name, severity in NAMES]
    ids, step = DeliveryIds(), span / alerts
    for begun in range(0, alerts, BATCH):
        batch = _Batch([], [], [], [], [], [])
        for number in range(begun, min(alerts, begun + BATCH)):
            starts_at = since + number * step
            if number % IN_ONE_DELIVERY == 0:
                count = min(IN_ONE_DELIVERY, alerts - number)
                received_at = starts_at + count * step
                _deliver(batch, ids.next(received_at), received_at, count)
            form = forms[number // RUN % len(forms)][is_on and number % ON_IN == 0]
            _add(batch, form, first + number, starts_at)
        yield batch


def _deliver(batch: _Batch, ident: int, at: datetime, events: int) -> None:
    arrival = deliveries.Arrival(ident, SOURCE, at, {"content-type": "application/json"}, b"{}")
    batch.deliveries.append({
        "id": ident, "source": SOURCE, "received_at": at, "headers": arrival.headers, "encoding": "",
        "body": arrival.body, "size": len(arrival.body), "sha256": hashlib.sha256(arrival.body).hexdigest(),
        "refused": None,
    })  # fmt: skip
    batch.stamps.append({
        "delivery_id": ident, "source": SOURCE, "state": "read", "reason": None, "adapter": "alertmanager",
        "adapter_version": 1, "stamped_at": at, "events": events, "readings": 0, "losses": 0, "loss_reason": None,
        "test": False,
    })  # fmt: skip


def _add(batch: _Batch, form: _Form, number: int, starts_at: datetime) -> None:
    received_at = batch.deliveries[-1]["received_at"]
    mark = _mark(number)
    name = fold.subject_id(SOURCE, mark)
    digest = hashlib.sha256(mark.encode()).hexdigest()
    ends_at = None if form.seen.ends_at is None else starts_at + LASTS
    said = {"starts_at": starts_at, "ends_at": ends_at, "said_at": received_at, "recorded_at": received_at}
    batch.alerts.append(
        replace(
            form.seen,
            id=name,
            subject=name,
            key=mark,
            starts_at=starts_at,
            ends_at=ends_at,
            said_at=received_at,
            recorded_at=received_at,
        )
    )
    labels = {**form.row["rest"]["labels"], "instance": f"host-{mark}"}
    rest = {**form.row["rest"], "labels": labels, "digest": digest, "first_said_at": instants.text(received_at)}
    batch.occurrences.append({**form.row, "id": name, "subject": name, "key": mark, **said, "rest": rest})
    text = form.statement.replace(_MARK, mark).replace('"starts_at":""', f'"starts_at":"{instants.text(starts_at)}"')
    ended = f'"ends_at":"{instants.text(ends_at)}"' if ends_at else ""
    batch.events.append({
        "subject": name, "digest": digest, "source": SOURCE, "said_at": received_at, "recorded_at": received_at,
        "delivery_id": batch.deliveries[-1]["id"], "adapter": ADAPTER, "statement": text.replace('"ends_at":""', ended),
    })  # fmt: skip
    batch.groups.append({
        "group_key": f"site:{SITE}", "occurrence_id": name, "starts_at": micros(starts_at),
        "ends_at": STILL_ON if ends_at is None else micros(ends_at), "severity": form.row["severity"],
        "lane": form.lane,
    })  # fmt: skip


def _form(name: str, severity: Severity, at: datetime, *, is_on: bool) -> _Form:
    """One alert of a name: as folded, as its row, and as the text of its statement with its instants left open."""
    labels = {
        "alertname": name, "severity": severity.value, "datacenter": "smf1", "cluster": "main-1", "service": "osd",
        "team": "storage", "instance": f"host-{_MARK}",
    }  # fmt: skip
    event = Event(
        _MARK, "alert", f"{name}, far above its bound for ten minutes", severity, starts_at=at,
        ends_at=None if is_on else at, final=True, labels=labels, group="{}/{}:{}",
        url="http://prometheus.example:9090/graph?g0.expr=up",
    )  # fmt: skip
    seen = fold.occurrence([Said(event, "", SOURCE, at, at)])
    moment = instants.text(at)
    statement = records.statement_text(event, at).replace(f'"{moment}"', '""')
    return _Form(seen, records.occurrence_row(seen, lane_of(seen)), statement, lane_of(seen))


def _mark(number: int) -> str:
    return f"{number:016x}"
