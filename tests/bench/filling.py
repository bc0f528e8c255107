"""Fills a store with one incident of any number of alerts, as if each had been delivered, read and folded.

Rows of deliveries, stamps, events, alerts and groups go into the product's own tables in bulk, made from alerts that
the product itself has folded, one on and one ended for each name. Entries, members and the incident come from the
product's code, batch by batch as the worker would write them. A rebuild from the logs leaves the caches as they are.
Only the bodies are missing: a delivery of a hundred alerts holds two bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

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

SOURCE, ADAPTER, SITE = "am", "alertmanager@1", "smf"
SPAN = timedelta(hours=6)
"""From the start of the first alert to that of the last."""
LASTS = timedelta(minutes=12)
IN_ONE_DELIVERY = 100
BATCH = 10_000
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
    incident = _open(store, since)
    for batch in _batches(alerts, since):
        with store.writing() as connection:
            # Ids are hashes, so every page of an index is hot: keep them, and write them back now and then only.
            connection.exec_driver_sql("PRAGMA cache_size=-400000")
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint=100000")
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
    return incident


def _open(store: Store, since: datetime) -> str:
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
    with store.writing() as connection:
        changes = Changes(store, connection, since)
        incident = changes.open(Draft("", "opened", params, "rule:burst@1", since), name_base(since, "", [SITE]))
        changes.settle()
    assert incident
    return incident


def _batches(alerts: int, since: datetime) -> Iterator[_Batch]:
    forms = [[_form(name, severity, since, is_on=is_on) for is_on in (False, True)] for name, severity in NAMES]
    ids, step = DeliveryIds(), SPAN / alerts
    for first in range(0, alerts, BATCH):
        batch = _Batch([], [], [], [], [], [])
        for number in range(first, min(alerts, first + BATCH)):
            starts_at = since + number * step
            if number % IN_ONE_DELIVERY == 0:
                count = min(IN_ONE_DELIVERY, alerts - number)
                received_at = starts_at + count * step
                _deliver(batch, ids.next(received_at), received_at, count)
            _add(batch, forms[number // RUN % len(forms)][number % ON_IN == 0], number, starts_at)
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
