"""Who may call, what is refused, and which limits hold, through a real server on a loopback port."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from chassis import interceptors
from chassis.call import Call
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal
from tests.integration.chassis.probe import (
    SERVICE,
    ReadRequest,
    Thing,
    WriteRequest,
)
from tests.integration.chassis.stage import SECONDS, Stage, check, reason, refused

# ------------------------------------------------------------------------------------------ who may call


async def test_public_methods_answer_everybody_and_still_verify_a_token(stage: Stage) -> None:
    assert (await stage.stub.Look(ReadRequest(name="x"), timeout=SECONDS)).text == "x for "
    assert (await stage.stub.Look(ReadRequest(name="x"), **stage.buyer)).text == "x for users/ana"
    broken = {"metadata": (("authorization", "Bearer x.y.z"),), "timeout": SECONDS}
    assert await reason(stage.stub.Look(ReadRequest(), **broken)) == "UNAUTHENTICATED"


@pytest.mark.parametrize("method", ["Mine", "Make", "TeamRead", "PartyRead"])
async def test_everything_else_wants_to_know_who_calls(stage: Stage, method: str) -> None:
    request = WriteRequest() if method == "Make" else ReadRequest(name="sellers/acme", size=-1)
    code, info = await refused(getattr(stage.stub, method)(request, timeout=SECONDS))
    assert code is grpc.StatusCode.UNAUTHENTICATED
    assert dict(info.metadata) == {"problem": "missing"}
    assert info.domain == "parley"
    assert stage.probe.calls == []


async def test_a_method_without_a_rule_refuses_everybody(stage: Stage) -> None:
    for credentials in (stage.buyer, stage.owner, stage.as_("users/op", "operator"), {"timeout": SECONDS}):
        assert await reason(stage.stub.Undeclared(ReadRequest(), **credentials)) == "METHOD_NOT_AUTHORIZED"


async def test_self_methods_demand_one_of_the_roles(stage: Stage) -> None:
    assert (await stage.stub.Mine(ReadRequest(name="x"), **stage.buyer)).text == "x for users/ana"
    assert await reason(stage.stub.Mine(ReadRequest(), **stage.owner)) == "PERMISSION_DENIED"


async def test_team_methods_hide_the_seller_from_strangers(stage: Stage) -> None:
    request = ReadRequest(name="sellers/acme/listings/logo")
    assert (await stage.stub.TeamRead(request, **stage.owner)).text
    agent, stranger = stage.as_("users/joe", "seller:acme:agent"), stage.as_("users/zoe", "seller:zeta:owner")
    assert await reason(stage.stub.TeamRead(request, **agent)) == "PERMISSION_DENIED"
    assert await reason(stage.stub.TeamRead(request, **stranger)) == "NOT_FOUND"
    assert await reason(stage.stub.TeamRead(request, **stage.as_("users/op", "operator"))) == "NOT_FOUND"
    assert await reason(stage.stub.TeamRead(ReadRequest(name="x/acme"), **stage.owner)) == "VALIDATION_FAILED"
    nested = WriteRequest(thing=Thing(name="sellers/acme/listings/logo"))
    assert (await stage.stub.TeamWrite(nested, **stage.owner)).text
    assert await reason(stage.stub.TeamWrite(nested, **stranger)) == "NOT_FOUND"


async def test_party_methods_that_forget_to_decide_answer_nothing(stage: Stage) -> None:
    assert await reason(stage.stub.PartyRead(ReadRequest(name="x"), **stage.buyer)) == "INTERNAL"

    async def decides(call: Call, request: Any) -> str:
        return call.party(buyer="users/ana", seller="sellers/acme", name=request.name).value

    stage.probe.unary = decides
    assert (await stage.stub.PartyRead(ReadRequest(name="x"), **stage.buyer)).text == Actor.BUYER
    assert (await stage.stub.PartyRead(ReadRequest(name="x"), **stage.owner)).text == Actor.SELLER
    stranger = stage.as_("users/zoe", "buyer")
    assert await reason(stage.stub.PartyRead(ReadRequest(name="x"), **stranger)) == "NOT_FOUND"


# ------------------------------------------------------------------------------------------ what is refused


async def test_a_rule_is_asked_as_strictly_the_second_time(stage: Stage) -> None:
    for _ in range(2):
        assert (await stage.stub.Mine(ReadRequest(name="x" * 100), **stage.buyer)).text
        assert (
            await reason(stage.stub.Mine(ReadRequest(name="x" * 101), **stage.buyer)) == "VALIDATION_FAILED"
        )
    # What is remembered of one method says nothing about another one.
    assert (
        await reason(stage.stub.TeamRead(ReadRequest(name="x" * 100), **stage.owner)) == "VALIDATION_FAILED"
    )


async def test_broken_rules_of_fields_are_all_listed(stage: Stage) -> None:
    request = ReadRequest(name="x" * 101, size=-1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stage.stub.Mine(request, **stage.buyer)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    bad = error_details_pb2.BadRequest()
    assert status_pb2.Status.FromString(details).details[1].Unpack(bad)
    assert [(v.field, v.reason) for v in bad.field_violations] == [
        ("name", "VALIDATION_FAILED"),
        ("size", "VALIDATION_FAILED"),
    ]
    assert stage.probe.calls == []


async def test_a_request_that_is_no_message_is_refused_with_a_reason(stage: Stage) -> None:
    code, info = await refused(stage.stub.Mine(b"\xff\xff\xff", **stage.buyer))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    assert await reason(stage.stub.Mine(b"\xff\xff\xff", timeout=SECONDS)) == "UNAUTHENTICATED"


async def test_a_request_of_five_megabytes_is_refused_with_the_limit(stage: Stage) -> None:
    code, info = await refused(stage.stub.Mine(ReadRequest(name="x" * 5_000_000), **stage.buyer))
    assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE")
    assert dict(info.metadata) == {"limit_bytes": "4194304"}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stage.stub.Mine(ReadRequest(name="x" * 9_000_000), **stage.buyer)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_unknown_paths_and_unwritten_methods_are_unimplemented_with_a_reason(stage: Stage) -> None:
    nothing: Any = stage.channel.unary_unary(f"/{SERVICE}/Nothing")
    code, info = await refused(nothing(b"", timeout=SECONDS))
    assert (code, info.reason) == (grpc.StatusCode.UNIMPLEMENTED, "ROUTE_NOT_FOUND")
    assert info.metadata["path"] == f"/{SERVICE}/Nothing"
    assert (await refused(stage.stub.Missing(ReadRequest(), timeout=SECONDS)))[0] is code


async def test_a_refusal_keeps_its_reason_and_a_defect_keeps_its_text_to_itself(stage: Stage) -> None:
    async def refuses(call: Call, request: Any) -> str:
        raise Refusal(Kind.PRECONDITION, "OFFER_EXPIRED", "too late", metadata={"offer": request.name})

    stage.probe.unary = refuses
    code, info = await refused(stage.stub.Mine(ReadRequest(name="offers/1"), **stage.buyer))
    assert (code, info.reason, info.domain) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "OFFER_EXPIRED",
        "probe.parley",
    )

    async def fails(call: Call, request: Any) -> str:
        raise KeyError("SELECT secret")

    stage.probe.unary = fails
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stage.stub.Mine(ReadRequest(), **stage.buyer)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value.details()) + str(caught.value.trailing_metadata())

    async def breaks(call: Call, request: Any) -> str:
        raise ConnectionResetError

    stage.probe.unary = breaks
    assert await reason(stage.stub.Mine(ReadRequest(), **stage.buyer)) == "STORAGE_UNAVAILABLE"


# ------------------------------------------------------------------------------------------ limits


async def test_one_call_too_many_is_refused_at_once_and_told_when_to_return(stage: Stage) -> None:
    entered, leave = asyncio.Semaphore(0), asyncio.Event()

    async def waits(call: Call, request: Any) -> str:
        entered.release()
        await leave.wait()
        return "done"

    stage.probe.unary = waits
    waiting = [asyncio.ensure_future(stage.stub.Mine(ReadRequest(), **stage.buyer)) for _ in range(3)]
    for _ in waiting:
        await entered.acquire()
    code, info = await refused(stage.stub.Mine(ReadRequest(), **stage.buyer))
    assert (code, info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert info.metadata["limit"] == "concurrent_calls"
    assert (await check(stage, "live")).status == health_pb2.HealthCheckResponse.SERVING
    leave.set()
    assert [answer.text for answer in await asyncio.gather(*waiting)] == ["done"] * 3
    assert stage.chain.calls.open == 0


async def test_a_call_without_a_deadline_gets_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = interceptors.DEFAULT_DEADLINE_SECONDS
    monkeypatch.setattr(interceptors, "DEFAULT_DEADLINE_SECONDS", 0.1)
    ended: list[str] = []

    async def hangs(call: Call, request: Any) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(request.name)
        return "never"

    stage.probe.unary = hangs
    credentials = {"metadata": stage.buyer["metadata"]}
    async with asyncio.timeout(usual / 2):
        code, info = await refused(stage.stub.Mine(ReadRequest(name="x"), **credentials))
    assert (code, info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert ended == ["x"]


async def test_work_ends_when_the_deadline_of_the_caller_passes(stage: Stage) -> None:
    ended = asyncio.Event()

    async def hangs(call: Call, request: Any) -> str:
        assert call.deadline is not None
        assert 0 < call.deadline - asyncio.get_running_loop().time() <= 0.2
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    stage.probe.unary = hangs
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stage.stub.Mine(ReadRequest(), metadata=stage.buyer["metadata"], timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(ended.wait(), SECONDS)
    assert stage.chain.calls.open == 0
