from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from chassis import telemetry
from chassis.telemetry import Scope, TracingUnavailable

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    telemetry.stop_recording()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_what_where_for_whom_and_in_which_trace(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("offers", "info")
    with telemetry.working("orders-on-offers", TRACEPARENT):
        telemetry.logger("inbox").info("event_taken_in", version=3)
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "event_taken_in",
        "version": 3,
        "origin": "inbox",
        "level": "info",
        "service": "offers",
        "operation": "orders-on-offers",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
    }


def test_levels_below_the_configured_one_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("offers", "warning")
    telemetry.logger("x").info("quiet")
    telemetry.logger("x").warning("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]
    with pytest.raises(ValueError, match="chatty"):
        telemetry.configure_logging("offers", "chatty")


def test_libraries_speak_json_too_from_warning_up(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("offers", "debug")
    logging.getLogger("some.library").info("SELECT 1")
    logging.getLogger("some.library").warning("lost %s", "something")
    (line,) = lines(capsys)
    assert (line["event"], line["logger"], line["level"]) == ("lost something", "some.library", "warning")


def test_a_stack_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logging("offers")
    telemetry.logger("x").error("fault", exc_info=KeyError("k"))
    (line,) = lines(capsys)
    assert "KeyError: 'k'" in line["exception"]


@pytest.mark.parametrize(
    "text", ["", "nonsense", TRACEPARENT.upper(), "00-" + "0" * 32 + "-" + "1" * 16 + "-01"]
)
def test_a_malformed_trace_context_is_replaced_once(text: str) -> None:
    scope = Scope("x", text)
    assert scope.traceparent == scope.traceparent
    assert scope.traceparent != text
    assert len(scope.trace_id) == 32


def test_work_inside_of_work_continues_its_trace_and_deadline() -> None:
    assert telemetry.current_traceparent() == ""
    with telemetry.working("outer", TRACEPARENT) as outer:
        outer.deadline = 5.0
        with telemetry.working("inner") as inner:
            assert (inner.traceparent, inner.deadline) == (TRACEPARENT, 5.0)
        assert telemetry.current_scope() is outer
    assert telemetry.current_scope() is None


def test_spans_hang_below_each_other_once_tracing_is_on() -> None:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    telemetry.record_spans("offers", SimpleSpanProcessor(exporter))
    assert telemetry.tracing_enabled()
    sent = ""

    def work() -> None:
        nonlocal sent
        with telemetry.working("/svc/Outer", TRACEPARENT, kind="server") as outer:
            assert outer.trace_id == TRACEPARENT[3:35]
            with telemetry.working("inner", kind="client") as inner:
                sent = inner.traceparent
                raise KeyError("users/ana")

    with pytest.raises(KeyError):
        work()
    inner_span, outer_span = exporter.get_finished_spans()
    assert (inner_span.name, outer_span.name) == ("inner", "svc/Outer")
    inner_own, outer_own = inner_span.get_span_context(), outer_span.get_span_context()
    assert inner_span.parent is not None
    assert outer_span.parent is not None
    assert inner_own is not None
    assert outer_own is not None
    assert inner_span.parent.span_id == outer_own.span_id
    assert f"{outer_span.parent.span_id:016x}" == TRACEPARENT[36:52]
    assert f"{inner_own.span_id:016x}" == sent[36:52]
    assert inner_span.status.description == "KeyError"


def test_tracing_stays_off_without_an_endpoint_and_says_what_it_misses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    telemetry.configure_tracing("offers", "")
    assert not telemetry.tracing_enabled()

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(TracingUnavailable, match="otlp-proto-grpc is not installed"):
        telemetry.configure_tracing("offers", "http://127.0.0.1:4317")
