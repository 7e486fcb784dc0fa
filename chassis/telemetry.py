"""What a process tells about itself while it works: JSON log lines and W3C trace context, with OTLP on
demand.

Every unit of work (a call, a delivered event, a timer) runs inside a `Scope`. Log lines take trace id,
operation and caller from it, and everything that leaves the process takes its `traceparent`. Span objects
exist only after `configure_tracing`; without it the context is passed on untouched, which costs one
attribute.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import re
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextvars import ContextVar
from random import SystemRandom
from types import TracebackType
from typing import Any, TextIO


@contextlib.contextmanager
def _hidden(module: str) -> Iterator[None]:
    present = module in sys.modules
    if not present:
        sys.modules[module] = None  # type: ignore[assignment]
    yield
    if not present:
        del sys.modules[module]


# structlog loads rich for its console where rich is installed: 5 MB in every process that nobody would use.
with _hidden("rich"):
    import structlog

TRACEPARENT = "traceparent"
LOG_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

FLUSH_SECONDS = 2.0
"""How long the end of a process waits for the collector of its spans."""

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_random = SystemRandom()


class Scope:
    """The unit of work that runs now. `deadline` is on the event loop's clock, in seconds; None:
    unlimited.
    """

    __slots__ = ("_traceparent", "deadline", "operation")

    def __init__(self, operation: str, traceparent: str = "", deadline: float | None = None) -> None:
        self.operation = operation
        self.deadline = deadline
        self._traceparent = traceparent

    @property
    def traceparent(self) -> str:
        """The W3C trace context of this work; made up on first use where none (or a malformed one) came
        in.
        """
        if not _TRACEPARENT.fullmatch(self._traceparent):
            self._traceparent = new_traceparent()
        return self._traceparent

    @traceparent.setter
    def traceparent(self, value: str) -> None:
        self._traceparent = value

    @property
    def trace_id(self) -> str:
        """The 32 hexadecimal digits that join logs, traces and events of one cause."""
        return self.traceparent[3:35]

    @property
    def principal(self) -> str:
        """The id of the caller, empty where nobody called."""
        return ""


_scope: ContextVar[Scope | None] = ContextVar("parley_scope", default=None)


current_scope = _scope.get
"""The scope that the running task works in, if any."""

enter = _scope.set
"""Makes a scope current for the rest of the running task; for tasks that serve exactly one unit of work."""


def current_traceparent() -> str:
    """What to send along with anything that leaves the process; empty outside of a unit of work."""
    scope = _scope.get()
    return "" if scope is None else scope.traceparent


def new_traceparent() -> str:
    """A fresh, sampled trace context."""
    return f"00-{_random.getrandbits(128) or 1:032x}-{_random.getrandbits(64) or 1:016x}-01"


@contextlib.contextmanager
def working(operation: str, traceparent: str = "", *, kind: str = "internal") -> Iterator[Scope]:
    """Run a unit of work that nobody called (an event, a timer) or a part of one (a peer call).

    `traceparent` continues a trace that came from elsewhere; without it the current scope is continued.
    """
    outer = _scope.get()
    parent = traceparent or ("" if outer is None else outer.traceparent)
    scope = Scope(operation, parent, None if outer is None else outer.deadline)
    token = _scope.set(scope)
    try:
        with span(scope, kind):
            yield scope
    finally:
        _scope.reset(token)


# -------------------------------------------------------------------------------- logging


def logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry `name` as their origin: `log.info("relay_started", rows=3)`."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger(origin=name)
    return bound


def _add_scope(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    scope = _scope.get()
    if scope is not None:
        event.setdefault("trace_id", scope.trace_id)
        event.setdefault("operation", scope.operation)
        if scope.principal:
            event.setdefault("caller", scope.principal)
    return event


def configure_logging(service: str, level: str = "info", *, stream: TextIO | None = None) -> None:
    """Send the log of this process to `stream` (standard output), one JSON object a line, libraries' lines
    included.

    ValueError for a level that is not in LOG_LEVELS.
    """
    if level not in LOG_LEVELS:
        raise ValueError(f"log level {level!r} is not one of {', '.join(LOG_LEVELS)}")

    def add_service(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        _add_scope,
        add_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(LOG_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    # Libraries speak at warning: their info lines repeat what ours say, and some print statements' arguments.
    logging.basicConfig(level=max(LOG_LEVELS[level], logging.WARNING), handlers=[handler], force=True)


# -------------------------------------------------------------------------------- tracing


class _NoSpan:
    """Stands in for a span while tracing is off."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        return None


class TracingUnavailable(Exception):
    """Tracing was asked for, but what it needs is not installed."""


class _Tracing:
    """What `record_spans` set up; None while tracing is off."""

    tracer: Any = None
    provider: Any = None


_NO_SPAN = _NoSpan()


def tracing_enabled() -> bool:
    """Whether spans are recorded."""
    return _Tracing.tracer is not None


def configure_tracing(service: str, endpoint: str) -> None:
    """Record spans and send them to an OTLP collector (gRPC); an empty `endpoint` leaves tracing off.

    TracingUnavailable where the exporter is not installed.
    """
    if not endpoint:
        return
    try:
        exporter: Any = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
    except ImportError as error:
        raise TracingUnavailable(
            "PARLEY_OTLP_ENDPOINT is set, but opentelemetry-exporter-otlp-proto-grpc is not installed"
        ) from error
    insecure = not endpoint.startswith("https:")
    record_spans(
        service, export.BatchSpanProcessor(exporter.OTLPSpanExporter(endpoint=endpoint, insecure=insecure))
    )


def record_spans(service: str, processor: Any) -> None:
    """Record spans into any OpenTelemetry span processor (the SDK must be installed)."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({"service.name": f"parley-{service}"}))
    provider.add_span_processor(processor)
    _Tracing.tracer, _Tracing.provider = provider.get_tracer("parley"), provider


def stop_recording() -> None:
    """Drop the tracer, for the end of a process or a test; spans that were finished are flushed first, where
    the collector takes them within FLUSH_SECONDS.
    """
    provider, _Tracing.tracer, _Tracing.provider = _Tracing.provider, None, None
    if provider is not None:
        # It would wait half a minute for a collector that is away, and takes no limit.
        flushing = threading.Thread(target=provider.shutdown, name="spans", daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)


def span(scope: Scope, kind: str) -> contextlib.AbstractContextManager[None]:
    """A span named after the scope's operation (`kind`: server, client, producer, consumer, internal)."""
    return _NO_SPAN if _Tracing.tracer is None else _recorded(scope, kind)


def begin_span(scope: Scope, kind: str) -> RecordedSpan | None:
    """The same for whoever ends it himself; None while tracing is off."""
    return None if _Tracing.tracer is None else RecordedSpan(scope, kind)


class RecordedSpan:
    """A span from now on until its `end`.

    The scope's trace context becomes the span's, so that whatever leaves the process hangs below it.
    """

    def __init__(self, scope: Scope, kind: str) -> None:
        from opentelemetry import trace

        version, trace_id, span_id, flags = scope.traceparent.split("-")
        parent = trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16))
        )
        self._span = _Tracing.tracer.start_span(
            scope.operation.removeprefix("/"),
            context=trace.set_span_in_context(trace.NonRecordingSpan(parent)),
            kind=trace.SpanKind[kind.upper()],
        )
        own = self._span.get_span_context()
        scope.traceparent = f"{version}-{own.trace_id:032x}-{own.span_id:016x}-{int(own.trace_flags):02x}"

    def end(self, error: BaseException | None = None) -> None:
        """It is over, by `error` if anything went wrong."""
        from opentelemetry import trace

        if error is not None:
            # The class only: messages of exceptions may hold personal data.
            self._span.set_status(trace.Status(trace.StatusCode.ERROR, type(error).__name__))
        self._span.end()


@contextlib.contextmanager
def _recorded(scope: Scope, kind: str) -> Iterator[None]:
    recorded = RecordedSpan(scope, kind)
    try:
        yield
    except BaseException as error:
        recorded.end(error)
        raise
    recorded.end()
