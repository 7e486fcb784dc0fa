"""Calls to a peer: identity, trace, deadline, repetition, and what its failures become."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from chassis import client, status, telemetry
from chassis.client import PeerChannel, PeerMisuse
from chassis.kernel.refusal import Kind, Refusal, not_found, precondition
from chassis.telemetry import Scope
from tests.integration.chassis.probe import SERVICE, Answer, ProbeStub, ReadRequest, WriteRequest

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Peer:
    """Another service, which answers from a list of failures before it succeeds."""

    stub: Any
    channel: PeerChannel
    failures: list[status.Failure | grpc.StatusCode] = field(default_factory=list)
    attempts: list[tuple[dict[str, Any], float]] = field(default_factory=list)
    hang: bool = False

    async def answer(self, _request: bytes, context: Any) -> bytes:
        metadata = {key: value for key, value in context.invocation_metadata() if not key.startswith("user-")}
        self.attempts.append((metadata, context.time_remaining()))
        if self.hang:
            await asyncio.Event().wait()
        if self.failures:
            await self._fail(self.failures.pop(0), context)
        return bytes(Answer(text="done").SerializeToString())

    async def _fail(self, failure: status.Failure | grpc.StatusCode, context: Any) -> None:
        if isinstance(failure, status.Failure):
            await context.abort(failure.code, failure.message, failure.trailing_metadata)
        await context.abort(failure, "bare")


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.001)
    server = grpc.aio.server()
    channel: PeerChannel | None = None

    async def answer(request: bytes, context: Any) -> bytes:
        return await stage.answer(request, context)

    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    handlers = {"Look": handler, "Make": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = PeerChannel("offers", f"127.0.0.1:{port}", token=lambda: "t0ken", jitter=random.Random(1))
    stage = Peer(ProbeStub(channel), channel)
    yield stage
    await channel.close()
    await server.stop(0)


async def test_a_call_carries_identity_trace_and_the_default_deadline(peer: Peer) -> None:
    with telemetry.working("x", TRACEPARENT):
        assert (await peer.stub.Look(ReadRequest())).text == "done"
    metadata, remaining = peer.attempts[0]
    assert metadata == {"authorization": "Bearer t0ken", "traceparent": TRACEPARENT}
    # The wire rounds a deadline up by as much as one hundredth.
    assert 1.0 < remaining <= client.CALL_SECONDS * 1.01


async def test_a_call_never_outlives_the_one_it_serves(peer: Peer) -> None:
    now = asyncio.get_running_loop().time()
    with telemetry.working("x") as scope:
        scope.deadline = now + 0.5
        await peer.stub.Look(ReadRequest())
        assert peer.attempts[0][1] <= 0.5
        scope.deadline = now
        with pytest.raises(Refusal) as caught:
            await peer.stub.Look(ReadRequest())
    assert caught.value.kind is Kind.DEADLINE
    assert len(peer.attempts) == 1


async def test_reading_is_repeated_while_the_peer_stops_or_is_away(peer: Peer) -> None:
    peer.failures = [grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE]
    assert (await peer.stub.Look(ReadRequest())).text == "done"
    assert len(peer.attempts) == 4


async def test_after_the_last_attempt_the_peer_is_unavailable(peer: Peer) -> None:
    peer.failures = [grpc.StatusCode.UNAVAILABLE] * 9
    with pytest.raises(Refusal) as caught:
        await peer.stub.Look(ReadRequest())
    assert (caught.value.kind, caught.value.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
    assert caught.value.metadata == {"peer": "offers"}
    assert caught.value.retry_after_seconds == 1.0
    assert len(peer.attempts) == client.ATTEMPTS


async def test_writing_is_never_repeated(peer: Peer) -> None:
    peer.failures = [grpc.StatusCode.UNAVAILABLE]
    with pytest.raises(Refusal, match="offers cannot answer now"):
        await peer.stub.Make(WriteRequest(request_id="1"))
    assert len(peer.attempts) == 1


async def test_nothing_else_is_repeated(peer: Peer) -> None:
    peer.failures = [grpc.StatusCode.INTERNAL]
    with pytest.raises(Refusal, match="offers cannot answer now"):
        await peer.stub.Look(ReadRequest())
    assert len(peer.attempts) == 1


@pytest.mark.parametrize(
    "refusal", [not_found("offers/1"), precondition("OFFER_EXPIRED", "late", offer="offers/1")]
)
async def test_what_the_peer_refused_about_the_request_is_passed_on(peer: Peer, refusal: Refusal) -> None:
    peer.failures = [status.refused(refusal, "offers")]
    with pytest.raises(Refusal) as caught:
        await peer.stub.Look(ReadRequest())
    passed = caught.value
    assert (passed.kind, passed.reason, passed.metadata) == (refusal.kind, refusal.reason, refusal.metadata)
    domain = status.domain_of(refusal.reason, "offers")
    assert getattr(passed, "domain", "") == domain


@pytest.mark.parametrize("kind", [Kind.UNAUTHENTICATED, Kind.DENIED])
async def test_a_peer_that_refuses_us_is_our_own_defect(peer: Peer, kind: Kind) -> None:
    peer.failures = [status.refused(Refusal(kind, "PERMISSION_DENIED", "no"), "offers")]
    with pytest.raises(PeerMisuse, match="offers refused"):
        await peer.stub.Look(ReadRequest())


async def test_a_slow_peer_is_a_deadline_and_an_absent_one_is_unavailable(peer: Peer) -> None:
    peer.hang = True
    with pytest.raises(Refusal) as caught:
        await peer.stub.Look(ReadRequest(), timeout=0.02)
    assert (caught.value.kind, caught.value.metadata) == (Kind.DEADLINE, {"peer": "offers"})
    async with PeerChannel("orders", "127.0.0.1:1", token=lambda: "") as absent:
        with pytest.raises(Refusal) as caught:
            await ProbeStub(absent).Look(ReadRequest())
    assert caught.value.reason == "PEER_UNAVAILABLE"


async def test_a_peer_streams_nothing_upwards(peer: Peer) -> None:
    with pytest.raises(NotImplementedError):
        peer.stub.Upload(iter([]))


def test_only_methods_without_a_request_id_are_reads() -> None:
    assert not client.is_mutating(f"/{SERVICE}/Look")
    assert client.is_mutating(f"/{SERVICE}/Make")
    assert client.is_mutating("/parley.unknown.v1.Service/Get")


def test_outside_of_any_work_there_is_no_trace_to_send() -> None:
    channel = PeerChannel("offers", "127.0.0.1:1", token=lambda: "", wrap=object())  # type: ignore[arg-type]
    assert channel.metadata() == ()
    assert Scope("x").deadline is None
