"""Barograph's own metrics, in Prometheus' text format. No label ever holds a word of a payload."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from incidents.config import Config
from incidents.configured import owners
from incidents.feeds.health import feed_health
from incidents.proofs.repeats import REPEATED
from incidents.store import Store
from incidents.views import condition
from incidents.views.condition import Backlog
from incidents.views.source_view import FeedHealth, Spooled
from service import clock
from service.asking import read
from service.instruments import Instruments
from service.intake.spool import Spool
from service.keys import CONFIG, HUB, INSTRUMENTS, SPOOL, STORE, WORKER, WRITER
from service.outside.polling import POLLING
from service.outside.sending import SENDING
from service.readiness import READINESS, Check

ANSWER_SECONDS = 5.0
"""How long the database may take before the metrics that need it are left out."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the database told; nothing while it does not answer, for the rest must be seen just then."""

    feeds: Mapping[str, FeedHealth] = field(default_factory=dict)
    unread: Backlog | None = None
    rereading: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    last_received: Mapping[str, datetime] = field(default_factory=dict)
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)
    incidents: Mapping[str, int] = field(default_factory=dict)
    size: int | None = None


class _Now(Collector):
    """Metrics that were gathered for one answer."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = list(found)

    def collect(self) -> Iterable[Metric]:
        return self._found


async def metrics(request: web.Request) -> web.Response:
    """What stands now; the shell lets in whom the setting allows."""
    checks = await request.app[READINESS].checks()
    told = await _told(request)
    registry = CollectorRegistry()
    registry.register(_Now([*_of_process(request.app), *_of_checks(checks), *_of_record(told), *_of_feeds(told.feeds)]))
    ProcessCollector(registry=registry)
    instruments: Instruments = request.app[INSTRUMENTS]
    return web.Response(
        body=generate_latest(registry) + generate_latest(instruments.registry),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def _told(request: web.Request) -> Told:
    config = request.app[CONFIG].now
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await read(request, lambda connection: _ask(connection, config, request.app[STORE]))
    except (SQLAlchemyError, OSError, TimeoutError):
        return Told()


def _ask(connection: sa.Connection, config: Config, store: Store) -> Told:
    names = {source.name for source in config.sources}
    quarantined, refused = condition.quarantined(connection), condition.refused(connection)
    return Told(
        feeds=feed_health(connection, config, owners(connection), clock.now()),
        unread=condition.backlog(connection),
        rereading=condition.backlog(connection, again=True).count,
        # Of every source that is configured, 0 included: a series that appears with its first fault raises no alarm.
        quarantined={name: quarantined.get(name, 0) for name in names},
        last_received=condition.last_received(connection, names),
        refused={key: count for key, count in refused.items() if key[0] in names},
        incidents=condition.incidents_by_status(connection),
        size=_size(connection, store),
    )


def _size(connection: sa.Connection, store: Store) -> int | None:
    """Bytes of the database, its write-ahead log on SQLite included."""
    if not store.is_sqlite:
        return int(connection.execute(sa.select(sa.func.pg_database_size(sa.func.current_database()))).scalar_one())
    path = store.url.database or ""
    return sum(file.stat().st_size for file in (Path(path), Path(f"{path}-wal")) if file.exists())


def _gauge(name: str, doc: str, value: float) -> Metric:
    return GaugeMetricFamily(f"barograph_{name}", doc, value=value)


def _counter(name: str, doc: str, value: float) -> Metric:
    return CounterMetricFamily(f"barograph_{name}", doc, value=value)


def _by(kind: Any, name: str, doc: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:  # noqa: ANN401  # a family's class
    """A metric with labels; a key of `values` is a label's value or a tuple of them."""
    family: Metric = kind(f"barograph_{name}", doc, labels=labels)
    for key, value in values.items():
        family.add_metric(key if isinstance(key, tuple) else (key,), value)  # type: ignore[attr-defined]  # both kinds have it
    return family


def _of_process(app: web.Application) -> Iterator[Metric]:
    writer, worker, outcomes = app[WRITER], app[WORKER], app[POLLING].outcomes
    database = "sqlite" if app[STORE].is_sqlite else "postgresql"
    build = {(version("barograph"), database): 1.0}
    yield _by(GaugeMetricFamily, "build_info", "1, labelled with what runs", ("version", "database"), build)
    yield _gauge("deliveries_waiting", "Deliveries that wait to be written", writer.waiting)
    yield _gauge("deliveries_waiting_bytes", "Their size", writer.waiting_bytes)
    yield _counter("commits", "Group commits", writer.commits)
    yield _counter("deliveries_written", "Deliveries that were acknowledged", writer.written)
    yield _counter(
        "deliveries_turned_away", "Deliveries answered 503 for want of room or of a store", writer.turned_away
    )
    yield _counter("deliveries_read", "Deliveries read", worker.read)
    yield _gauge("streams_open", "Open event streams", app[HUB].subscribers)
    yield _gauge("writer_failing", "1 while deliveries cannot be written", writer.failing is not None)
    yield _gauge("worker_failing", "1 while deliveries cannot be read", worker.failing is not None)
    polled = {outcome: float(outcomes[outcome]) for outcome in ("answered", "unchanged", "failed")}
    yield _by(CounterMetricFamily, "polls", "Askings of feeds", ("outcome",), polled)
    sent = {outcome: float(app[SENDING].outcomes[outcome]) for outcome in ("sent", "failed")}
    yield _by(CounterMetricFamily, "notices", "Attempts to send notices", ("outcome",), sent)
    yield from _of_spool(app[SPOOL])


def _of_spool(spool: Spool | None) -> Iterator[Metric]:
    held = spool.depth() if spool else Spooled()
    age = (clock.now() - held.since).total_seconds() if held.since else 0
    yield _gauge("spool_deliveries", "Acknowledged deliveries that wait for the database", held.deliveries)
    yield _gauge("spool_bytes", "Their size", held.bytes)
    yield _gauge("spool_age_seconds", "How long ago the oldest of them was received", age)
    yield _gauge("spool_aside", "Acknowledged deliveries that the database does not take", held.aside)


def _of_checks(checks: list[Check]) -> Iterator[Metric]:
    failing = {check.name: float(check.reason is not None) for check in checks}
    yield _gauge("ready", "1 while /readyz says ready", not any(failing.values()))
    warned = {check.name: float(check.warning is not None) for check in checks}
    yield _by(GaugeMetricFamily, "check_failing", "1 while a check of /readyz fails", ("check",), failing)
    yield _by(GaugeMetricFamily, "check_warning", "1 while a check of /readyz warns", ("check",), warned)
    for check in checks:
        if check.name == "database" and "seconds" in check.told:
            yield _gauge("database_answer_seconds", "How long the database took to answer", check.told["seconds"])
        if check.name == "standby":
            yield _gauge("standby_is_read", "1 while pages are read from the standby", float(check.told["is_read"]))
            if (lag := check.told["lag_seconds"]) is not None:
                yield _gauge("standby_lag_seconds", "How far the standby is behind the database", lag)
        if check.name == "disk" and "free_bytes" in check.told:
            yield _gauge("disk_free_bytes", "Free bytes of the disk that holds the record", check.told["free_bytes"])
            yield _gauge("disk_size_bytes", "Bytes of that disk", check.told["size_bytes"])


def _of_record(told: Told) -> Iterator[Metric]:
    if told.unread is None:
        return
    yield _gauge("deliveries_unread", "Deliveries that wait to be read", told.unread.count)
    age = told.unread.age_seconds(clock.now())
    yield _gauge("oldest_unread_age_seconds", "How long the oldest of them has waited", age)
    yield _gauge("deliveries_rereading", "Deliveries that wait to be read again by a better adapter", told.rereading)
    if told.size is not None:
        yield _gauge("database_size_bytes", "Bytes of the database", told.size)
    doc = "Deliveries that could not be read"
    yield _by(GaugeMetricFamily, "deliveries_quarantined", doc, ("source",), told.quarantined)
    heard = {source: at.timestamp() for source, at in told.last_received.items()}
    doc = "When a source was last heard, in seconds since 1970"
    yield _by(GaugeMetricFamily, "source_last_delivery_timestamp_seconds", doc, ("source",), heard)
    refused = {key: float(count) for key, count in told.refused.items() if key[1] != REPEATED}
    doc = "Requests turned away at a source's door, as far back as days are kept"
    yield _by(CounterMetricFamily, "requests_refused", doc, ("source", "reason"), refused)
    by_status = {status: float(told.incidents.get(status, 0)) for status in STATUSES}
    yield _by(GaugeMetricFamily, "incidents", "Incidents in each status", ("status",), by_status)


STATUSES = ("open", "acknowledged", "mitigated", "resolved")


def _of_feeds(feeds: Mapping[str, FeedHealth]) -> Iterator[Metric]:
    """Gauges of feeds; their one label is the name that the operator gave the source."""
    now = clock.now()
    stale = {name: float(feed.stale_since is not None) for name, feed in feeds.items()}
    doc = "1 while what a feed last said may be out of date"
    yield _by(GaugeMetricFamily, "feed_stale", doc, ("source",), stale)
    cut = {name: float(feed.circuit != "closed") for name, feed in feeds.items()}
    doc = "1 while a feed has failed so often that it is asked only once in a while"
    yield _by(GaugeMetricFamily, "feed_circuit_open", doc, ("source",), cut)
    failing = {name: float(feed.failing) for name, feed in feeds.items()}
    doc = "Documents of a feed that did not answer last time"
    yield _by(GaugeMetricFamily, "feed_failing_requests", doc, ("source",), failing)
    ages = {name: (now - feed.answered_at).total_seconds() for name, feed in feeds.items() if feed.answered_at}
    yield _by(GaugeMetricFamily, "feed_answer_age_seconds", "How long ago a feed last answered", ("source",), ages)
    waiting = {name: float(feed.waiting + feed.given_up) for name, feed in feeds.items()}
    doc = "Documents that a feed's index points to and that are not read, given up ones included"
    yield _by(GaugeMetricFamily, "feed_documents_waiting", doc, ("source",), waiting)
