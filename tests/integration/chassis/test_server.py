"""Replays, streams, health, logs and metrics, through a real server on a loopback port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis import telemetry
from chassis.call import Call
from chassis.idempotency import Replay
from chassis.kernel.refusal import not_found
from chassis.metrics import CALL_SECONDS
from chassis.server import AddressTaken, Health, make_server
from tests.integration.chassis.probe import (
    SERVICE,
    Answer,
    ReadRequest,
    WriteRequest,
)
from tests.integration.chassis.stage import SECONDS, Stage, check, reason

# ------------------------------------------------------------------------------------------ idempotency


async def test_the_key_is_the_caller_the_method_the_id_and_a_fingerprint_of_the_rest(stage: Stage) -> None:
    for name, request_id in (("a", "1"), ("a", "2"), ("b", "1"), ("a", "")):
        await stage.stub.Make(WriteRequest(name=name, request_id=request_id), **stage.buyer)
    first, second, other, without = (call.idempotency for call in stage.probe.calls)
    assert without is None
    assert first is not None
    assert second is not None
    assert other is not None
    assert (first.principal, first.method, first.key) == ("users/ana", f"/{SERVICE}/Make", "1")
    assert first.fingerprint == second.fingerprint != other.fingerprint
    await stage.stub.Mine(ReadRequest(name="a"), **stage.buyer)
    assert stage.probe.calls[-1].idempotency is None


async def test_a_replay_is_the_stored_answer_even_where_nothing_was_decided(stage: Stage) -> None:
    async def replays(call: Call, request: Any) -> str:
        raise Replay(Answer(text="first answer").SerializeToString())

    stage.probe.unary = replays
    request = WriteRequest(request_id="1")
    assert (await stage.stub.PartyWrite(request, **stage.buyer)).text == "first answer"


# ------------------------------------------------------------------------------------------ at once


async def test_what_is_at_hand_is_answered_under_the_same_rules_as_what_is_not(stage: Stage) -> None:
    async def asked(call: Call, request: Any) -> str:
        call.scoped()
        return f"{request.name} was looked up"

    def at_once(call: Call, request: Any) -> str | None:
        if request.name == "secret":
            raise not_found(request.name)
        if request.name != "undecided":
            call.scoped()
        return None if request.name == "rare" else f"{request.name} for {call.principal}"

    stage.probe.unary, stage.probe.at_once = asked, at_once
    for metadata in (stage.buyer, {"metadata": stage.buyer["metadata"]}):
        assert (await stage.stub.Quick(ReadRequest(name="x"), **metadata)).text == "x for users/ana"
        assert (await stage.stub.Quick(ReadRequest(name="rare"), **metadata)).text == "rare was looked up"
    assert [call.method for call in stage.probe.calls] == [f"/{SERVICE}/Quick"] * 2
    assert await reason(stage.stub.Quick(ReadRequest(name="secret"), **stage.buyer)) == "NOT_FOUND"
    assert await reason(stage.stub.Quick(ReadRequest(name="undecided"), **stage.buyer)) == "INTERNAL"
    assert await reason(stage.stub.Quick(ReadRequest(name="x"), timeout=SECONDS)) == "UNAUTHENTICATED"
    assert await reason(stage.stub.Quick(ReadRequest(size=-1), **stage.buyer)) == "VALIDATION_FAILED"


# ------------------------------------------------------------------------------------------ streams


async def test_a_stream_is_closed_when_its_client_leaves(stage: Stage) -> None:
    closed = asyncio.Event()

    async def watch(call: Call, request: Any) -> AsyncIterator[str]:
        call.party(buyer="users/ana", seller="", name=request.name)
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            closed.set()

    stage.probe.stream = watch
    call = stage.stub.Watch(ReadRequest(name="x"), metadata=stage.buyer["metadata"])
    assert (await call.read()).text == "first"
    assert stage.chain.streams.open == 1
    call.cancel()
    await asyncio.wait_for(closed.wait(), SECONDS)
    assert stage.chain.streams.open == 0


async def test_a_stream_that_did_not_decide_sends_nothing(stage: Stage) -> None:
    assert (
        await reason(anext(aiter(stage.stub.Watch(ReadRequest(name="x", size=2), **stage.buyer))))
        == "INTERNAL"
    )


async def test_a_stream_ends_in_a_refusal_like_any_call(stage: Stage) -> None:
    async def watch(call: Call, request: Any) -> AsyncIterator[str]:
        call.scoped()
        yield "first"
        raise not_found(request.name)

    stage.probe.stream = watch
    stream = aiter(stage.stub.Watch(ReadRequest(name="x"), **stage.buyer))
    assert (await anext(stream)).text == "first"
    assert await reason(anext(stream)) == "NOT_FOUND"


async def test_an_upload_is_checked_before_its_first_message_and_with_each(stage: Stage) -> None:
    def parts(*names: str) -> Any:
        return iter([ReadRequest(name=name) for name in names])

    assert (await stage.stub.Upload(parts("a", "b"), **stage.buyer)).text == "a+b for users/ana"
    assert await reason(stage.stub.Upload(parts(), timeout=SECONDS)) == "UNAUTHENTICATED"
    assert await reason(stage.stub.Upload(parts(), **stage.owner)) == "PERMISSION_DENIED"
    assert await reason(stage.stub.Upload(parts("a", "b" * 101), **stage.buyer)) == "VALIDATION_FAILED"
    assert (await stage.stub.TeamUpload(parts("sellers/acme"), **stage.owner)).text
    assert await reason(stage.stub.TeamUpload(parts("sellers/acme"), **stage.buyer)) == "NOT_FOUND"
    assert await reason(stage.stub.TeamUpload(parts(), **stage.owner)) == "INTERNAL"


async def test_an_upload_has_the_time_that_a_slow_line_needs(stage: Stage) -> None:
    left: list[float] = []

    async def measured(call: Call, request: Any) -> str:
        assert call.deadline is not None
        left.append(call.deadline - asyncio.get_running_loop().time())
        return "x"

    stage.probe.unary = measured
    await stage.stub.Upload(iter([ReadRequest(name="a")]), metadata=stage.buyer["metadata"])
    await stage.stub.Upload(iter([ReadRequest(name="a")]), metadata=stage.buyer["metadata"], timeout=9_000)
    assert all(290 < seconds <= 300 for seconds in left)
    assert len(left) == 2


# ------------------------------------------------------------------------------------------ around the calls


async def test_health_tells_live_from_ready(stage: Stage) -> None:
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert await stage.health.refresh() == ""
    for name in ("", "ready", "live", SERVICE):
        assert (await check(stage, name)).status == serving
    stage.problems["database"] = "cannot be reached"
    assert await stage.health.refresh() == "database: cannot be reached"
    for name, expected in (
        ("", not_serving),
        ("ready", not_serving),
        (SERVICE, not_serving),
        ("live", serving),
    ):
        assert (await check(stage, name)).status == expected
    stage.problems["database"] = ""
    await stage.health.drain()
    assert await stage.health.refresh() == "shutting down"
    assert (await check(stage, "")).status == not_serving


async def test_reflection_lists_the_services(stage: Stage) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(stage.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    async for answer in stub.ServerReflectionInfo(asked, timeout=SECONDS):
        names = {service.name for service in answer.list_services_response.service}
        assert names == {SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}


async def test_a_taken_port_is_a_clear_error(stage: Stage) -> None:
    with pytest.raises(AddressTaken, match="cannot be listened on"):
        make_server(stage.chain, stage.server.address, stage.probe.register, Health("probe", {}))


async def test_the_trace_of_the_caller_goes_on(stage: Stage) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    credentials = stage.buyer
    credentials["metadata"] = (*credentials["metadata"], ("traceparent", traceparent))
    seen: list[str] = []

    async def looks(call: Call, request: Any) -> str:
        seen.append(telemetry.current_traceparent())
        return ""

    stage.probe.unary = looks
    await stage.stub.Mine(ReadRequest(), **credentials)
    await stage.stub.Mine(ReadRequest(), **stage.buyer)
    assert seen[0] == traceparent
    assert seen[1] != traceparent
    assert len(seen[1]) == len(traceparent)


async def test_writes_and_failures_are_logged_reads_are_not(
    stage: Stage, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    telemetry.configure_logging("probe", "info")
    request.addfinalizer(structlog.reset_defaults)
    await stage.stub.Mine(ReadRequest(name="quiet"), **stage.buyer)
    await stage.stub.Make(WriteRequest(name="told", request_id="1"), **stage.buyer)
    await reason(stage.stub.Mine(ReadRequest(size=-1), **stage.buyer))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert [(line["operation"], line["code"], line["reason"]) for line in calls] == [
        (f"/{SERVICE}/Make", "OK", ""),
        (f"/{SERVICE}/Mine", "INVALID_ARGUMENT", "VALIDATION_FAILED"),
    ]
    assert {(line["caller"], line["service"], len(line["trace_id"])) for line in calls} == {
        ("users/ana", "probe", 32)
    }


async def test_calls_are_measured_by_method_and_code(stage: Stage) -> None:
    def count(code: str) -> float:
        samples = [sample for metric in CALL_SECONDS.collect() for sample in metric.samples]
        labels = {"method": f"{SERVICE}/Mine", "code": code}
        return sum(s.value for s in samples if s.name.endswith("_count") and s.labels == labels)

    before = count("OK"), count("NOT_FOUND")
    await stage.stub.Mine(ReadRequest(), **stage.buyer)

    async def refuses(call: Call, request: Any) -> str:
        raise not_found("x")

    stage.probe.unary = refuses
    await reason(stage.stub.Mine(ReadRequest(), **stage.buyer))
    assert (count("OK") - before[0], count("NOT_FOUND") - before[1]) == (1, 1)
