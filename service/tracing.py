"""Tracing: spans of requests, batches and polls, sent by OTLP over HTTP where a setting says whereto.

The spans hold names of routes and sources, counts and outcomes; never a path, a query, a key or a word of a payload.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

from service import clock
from service.settings import SettingsError

if TYPE_CHECKING:
    from opentelemetry.trace import Span

TIMEOUT_SECONDS = 5.0
"""How long the collector may take; what it does not take in time is dropped, and nobody waits for it."""
MOST_WAITING = 2048
Value = str | int | float | bool


class Tracing(Protocol):
    """What makes spans; safe from every thread."""

    is_on: bool

    def span(
        self, name: str, *, headers: Mapping[str, str] | None = None, **attributes: Value
    ) -> AbstractContextManager[Noted]:
        """A span for the length of a block; `headers` may name its parent, as W3C's Trace Context has it."""

    def took(self, name: str, seconds: float, **attributes: Value) -> None:
        """A span that has just ended, for what is known to be worth one only afterwards."""

    def close(self) -> None:
        """Send what waits, or drop it."""


class Noted(Protocol):
    """A span under way."""

    def note(self, **attributes: Value) -> None:
        """Give it attributes."""


class _Nothing(AbstractContextManager["_Nothing"]):
    """No span."""

    def __exit__(self, *_: object) -> None:
        """Nothing ends."""

    def note(self, **attributes: Value) -> None:
        """Nobody is told."""


_NOTHING = _Nothing()


class Untraced:
    """What stands where nothing is traced; costs a call."""

    is_on = False

    def span(self, name: str, *, headers: Mapping[str, str] | None = None, **attributes: Value) -> _Nothing:  # noqa: ARG002
        """No span."""
        return _NOTHING

    def took(self, name: str, seconds: float, **attributes: Value) -> None:
        """No span."""

    def close(self) -> None:
        """Nothing waits."""


class _Noted:
    def __init__(self, span: Span) -> None:
        self._span = span

    def note(self, **attributes: Value) -> None:
        self._span.set_attributes(_named(attributes))


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {key.replace("__", "."): value for key, value in attributes.items()}


class Traced:
    """Spans by OpenTelemetry's SDK, which sends them on a thread of its own."""

    is_on = True

    def __init__(self, endpoint: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        about = {"service.name": "barograph", "service.version": version("barograph")}
        self._provider = TracerProvider(resource=Resource.create(about))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=TIMEOUT_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MOST_WAITING))
        self._tracer = self._provider.get_tracer("barograph")
        self._propagator = TraceContextTextMapPropagator()
        # It tells of a collector that is away with a trace a time; one line must do.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    @contextmanager
    def _span(self, name: str, headers: Mapping[str, str] | None, attributes: Mapping[str, Value]) -> Iterator[_Noted]:
        from opentelemetry.trace import SpanKind

        parent = self._propagator.extract({k.lower(): v for k, v in headers.items()}) if headers is not None else None
        kind = SpanKind.SERVER if headers is not None else SpanKind.INTERNAL
        # What is raised may hold a stranger's words: that it was raised is told, and nothing of it.
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=kind,
            attributes=_named(attributes),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            noted = _Noted(span)
            try:
                yield noted
            except BaseException as error:
                noted.note(error__type=type(error).__name__)
                raise

    def span(
        self, name: str, *, headers: Mapping[str, str] | None = None, **attributes: Value
    ) -> AbstractContextManager[Noted]:
        """A span for the length of a block. Two underscores in an attribute's name stand for a dot."""
        return self._span(name, headers, attributes)

    def took(self, name: str, seconds: float, **attributes: Value) -> None:
        """A span of so many seconds up to now."""
        ended = round(clock.now().timestamp() * 1e9)
        span = self._tracer.start_span(name, start_time=ended - round(seconds * 1e9), attributes=_named(attributes))
        span.end(ended)

    def close(self) -> None:
        """Send what waits, for some seconds at the most."""
        self._provider.shutdown()


def tracing_of(endpoint: str) -> Tracing:
    """What traces by the setting. Raises SettingsError where the extra is not installed."""
    if not endpoint:
        return Untraced()
    try:
        return Traced(endpoint)
    except ImportError:
        raise SettingsError("OTLP_ENDPOINT: OpenTelemetry is not installed; it comes with barograph[otel]") from None
