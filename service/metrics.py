"""Barograph's own metrics, in Prometheus' text format. No label ever holds a word of a payload."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import sqlalchemy as sa
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from incidents.configured import owners
from incidents.feeds.health import feed_health
from incidents.views.source_view import FeedHealth
from service import clock
from service.asking import read
from service.keys import CONFIG, HUB, WORKER, WRITER
from service.polling import POLLING

ANSWER_SECONDS = 5.0
"""How long the database may take before the metrics that need it are left out."""


async def metrics(request: web.Request) -> web.Response:
    """What stands now; the shell lets in whom the setting allows."""
    writer, worker, hub = request.app[WRITER], request.app[WORKER], request.app[HUB]
    registry = CollectorRegistry()
    for name, doc, value in (
        ("barograph_deliveries_waiting", "Deliveries that wait to be written", writer.waiting),
        ("barograph_deliveries_waiting_bytes", "Their size", writer.waiting_bytes),
        ("barograph_commits_total", "Group commits since the start", writer.commits),
        ("barograph_deliveries_read_total", "Deliveries read since the start", worker.read),
        ("barograph_streams_open", "Open event streams", hub.subscribers),
        ("barograph_writer_failing", "1 while deliveries cannot be written", int(writer.failing is not None)),
        ("barograph_worker_failing", "1 while deliveries cannot be read", int(worker.failing is not None)),
    ):
        Gauge(name, doc, registry=registry).set(value)
    polls = Gauge("barograph_polls_total", "Askings of feeds since the start", ["outcome"], registry=registry)
    for outcome in ("answered", "unchanged", "failed"):
        polls.labels(outcome).set(request.app[POLLING].outcomes[outcome])
    _add_feeds(registry, await _feeds(request))
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )


async def _feeds(request: web.Request) -> Mapping[str, FeedHealth]:
    """The health of each feed; none while the database does not answer, for the rest must be seen just then."""
    config = request.app[CONFIG].now

    def query(connection: sa.Connection) -> Mapping[str, FeedHealth]:
        return feed_health(connection, config, owners(connection), clock.now())

    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await read(request, query)
    except (SQLAlchemyError, OSError, TimeoutError):
        return {}


def _add_feeds(registry: CollectorRegistry, feeds: Mapping[str, FeedHealth]) -> None:
    """Gauges of feeds; their one label is the name that the operator gave the source."""
    now = clock.now()
    gauges = {
        name: Gauge(f"barograph_feed_{name}", doc, ["source"], registry=registry)
        for name, doc in (
            ("stale", "1 while what a feed last said may be out of date"),
            ("circuit_open", "1 while a feed has failed so often that it is asked only once in a while"),
            ("failing_requests", "Documents of a feed that did not answer last time"),
            (
                "documents_waiting",
                "Documents that a feed's index points to and that are not read, given up ones included",
            ),
            ("answer_age_seconds", "How long ago a feed last answered"),
        )
    }
    for source, feed in feeds.items():
        gauges["stale"].labels(source).set(int(feed.stale_since is not None))
        gauges["circuit_open"].labels(source).set(int(feed.circuit != "closed"))
        gauges["failing_requests"].labels(source).set(feed.failing)
        gauges["documents_waiting"].labels(source).set(feed.waiting + feed.given_up)
        if feed.answered_at is not None:
            gauges["answer_age_seconds"].labels(source).set((now - feed.answered_at).total_seconds())
