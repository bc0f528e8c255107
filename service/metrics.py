"""Barograph's own metrics, in Prometheus' text format. No label ever holds a word of a payload."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from service.keys import HUB, WORKER, WRITER


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
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )
