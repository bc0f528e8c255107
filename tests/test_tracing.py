"""Traces reach a collector by OTLP: under the caller's trace, with routes and counts, without a word of a payload."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.settings import SettingsError, read
from service.tracing import Untraced, tracing_of
from tests import hostile
from tests.conftest import StartBarograph
from tests.listening import listening
from tests.senders import CONFIG, KEY, ago, alert, message
from tests.servers import ADMIN_TOKEN, free_port

SKY = """
[[sources]]
name = "sky"
adapter = "generic_feed"
url = "{url}/feed?token=private"
every = "1s"
"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01"}


@dataclass(slots=True)
class Collector:
    """What was sent to it."""

    url: str
    spans: list[Any] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def named(self, name: str) -> list[Any]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.raw.append(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                told.spans += [span for scope in resource.scope_spans for span in scope.spans]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with listening(Handler) as port:
        told = Collector(f"http://127.0.0.1:{port}")
        yield told


def test_requests_commits_folds_and_polls_are_traced_and_no_payload_is(barograph: StartBarograph) -> None:
    with collector() as told, hostile.feed() as feed:
        feed.document = [{"key": "k", "status": "firing", "title": "private words"}]
        source = SKY.format(url=feed.url)
        settings = {"OTLP_ENDPOINT": told.url, "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8"}
        service = barograph(CONFIG + source, settings=settings)
        service.send("am", message(alert("private-words", ago(minutes=5))), KEY, headers=CALLER)
        assert service.get("/incidents?q=private+words", headers=CALLER).status == 200
        assert service.get("/api/v1/incidents/private-words").status == 404
        service.until(lambda: feed.heard)
        service.until(lambda: service.json("/api/v1/incidents")["items"])
        assert service.terminate() == 0
    (posted,) = told.named("POST /in/{source}")
    (looked,) = told.named("GET /incidents")
    for span in (posted, looked):
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(posted)["http.response.status_code"] == 202
    (missed,) = told.named("GET /api/v1/incidents/{incident}")
    assert missed.trace_id.hex() != TRACE
    assert attributes(missed) == {
        "http.request.method": "GET",
        "http.route": "/api/v1/incidents/{incident}",
        "http.response.status_code": 404,
    }
    assert sum(attributes(span)["barograph.deliveries"] for span in told.named("commit")) >= 2
    assert sum(attributes(span)["barograph.statements"] for span in told.named("fold")) >= 2
    assert {attributes(span)["barograph.source"] for span in told.named("poll")} == {"sky"}
    everything = b"".join(told.raw)
    for secret in (b"private", KEY.encode(), ADMIN_TOKEN.encode()):
        assert secret not in everything


def test_a_collector_that_is_away_holds_nothing_up(barograph: StartBarograph) -> None:
    service = barograph(CONFIG, settings={"OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    assert service.read(service.send("am", message(alert("a", ago(minutes=5))), KEY))["state"] == "read"
    assert service.terminate(20) == 0
    assert "Traceback" not in service.log


def test_nothing_is_traced_unless_somebody_says_whereto() -> None:
    assert isinstance(tracing_of(read({}, {}).otlp_endpoint), Untraced)
    with pytest.raises(SettingsError, match="OTLP_ENDPOINT"):
        read({}, {"BAROGRAPH_OTLP_ENDPOINT": "collector:4318"})
