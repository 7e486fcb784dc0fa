"""A collector of spans: what an OpenTelemetry exporter speaks to, in the test process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)


@dataclass
class Collector(TraceServiceServicer):
    """Keeps everything that is exported to `endpoint`."""

    endpoint: str = ""
    received: list[ExportTraceServiceRequest] = field(default_factory=list)

    def Export(self, request: ExportTraceServiceRequest, _context: Any) -> ExportTraceServiceResponse:
        self.received.append(request)
        return ExportTraceServiceResponse()

    @property
    def services(self) -> set[str]:
        """Who sent spans."""
        return {
            attribute.value.string_value
            for request in self.received
            for each in request.resource_spans
            for attribute in each.resource.attributes
            if attribute.key == "service.name"
        }

    @property
    def spans(self) -> dict[str, Any]:
        """The last span of each name."""
        return {
            span.name: span
            for request in self.received
            for each in request.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        }

    @property
    def wire(self) -> bytes:
        """Everything that was sent."""
        return b"".join(request.SerializeToString() for request in self.received)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens. It has threads of its own: exporters wait for it while the loop stands."""
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        collector = Collector()
        add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
        collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield collector
        finally:
            server.stop(None).wait()
