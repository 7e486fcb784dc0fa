"""Many orders of one package share a question to the gate, and none gets an answer older than itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from chassis.client import PeerChannel
from chassis.kernel.refusal import Kind, Refusal
from parley.gating.v1 import gate_decision_pb2, gating_service_pb2, gating_service_pb2_grpc
from services.orders.adapters.gating_client import GatingClient

Decision = gate_decision_pb2.GateDecision
PACKAGE = "sellers/acme/listings/logo/packages/basic"


class Gate(gating_service_pb2_grpc.GatingServiceServicer):
    """Answers when it is told to, with a version that counts the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.arrived = asyncio.Semaphore(0)
        self.let_go = asyncio.Semaphore(0)
        self.reason = Decision.REASON_SWITCHED_OFF
        self.broken = False

    async def EvaluateGate(self, request: Any, context: Any) -> Any:
        self.asked.append(request.buyer)
        number = len(self.asked)
        self.arrived.release()
        await self.let_go.acquire()
        if self.broken:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "slow")
        return gating_service_pb2.EvaluateGateResponse(
            decision=Decision(
                package=request.package,
                buyer=request.buyer,
                outcome=Decision.OUTCOME_ALLOWED,
                reason=self.reason,
                settings_version=number,
            )
        )


@pytest.fixture
async def gate() -> AsyncIterator[tuple[Gate, GatingClient]]:
    servicer, server = Gate(), grpc.aio.server()  # type: ignore[abstract]
    gating_service_pb2_grpc.add_GatingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = PeerChannel("gating", f"127.0.0.1:{port}", token=lambda: "")
    yield servicer, GatingClient(channel)
    await channel.close()
    await server.stop(None)


def asking(client: GatingClient, *buyers: str) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(client.evaluate(PACKAGE, buyer)) for buyer in buyers]


async def test_those_who_come_while_the_gate_is_asked_share_the_next_question(
    gate: tuple[Gate, GatingClient],
) -> None:
    servicer, client = gate
    async with asyncio.timeout(20):
        first = asking(client, "users/a")
        await servicer.arrived.acquire()
        later = asking(client, "users/b", "users/c", "users/d")
        await asyncio.sleep(0)
        servicer.let_go.release()
        servicer.let_go.release()
        found = [await task for task in (*first, *later)]
    # Nobody is answered by a question that was asked before he came.
    assert [decision.settings_version for decision in found] == [1, 2, 2, 2]
    assert [decision.buyer for decision in found] == ["users/a", "users/b", "users/c", "users/d"]
    assert servicer.asked == ["users/a", "users/b"]


async def test_what_depends_on_the_buyer_is_asked_for_each(gate: tuple[Gate, GatingClient]) -> None:
    servicer, client = gate
    servicer.reason = Decision.REASON_RETURNING_BUYER
    for _ in range(4):
        servicer.let_go.release()
    async with asyncio.timeout(20):
        found = await asyncio.gather(*asking(client, "users/a", "users/b", "users/c"))
    assert [decision.buyer for decision in found] == ["users/a", "users/b", "users/c"]
    assert sorted(servicer.asked) == ["users/a", "users/b", "users/c"]


async def test_one_who_leaves_leaves_the_others_waiting_undisturbed(gate: tuple[Gate, GatingClient]) -> None:
    servicer, client = gate
    async with asyncio.timeout(20):
        (gone,) = asking(client, "users/a")
        await servicer.arrived.acquire()
        (stays,) = asking(client, "users/b")
        await asyncio.sleep(0)
        gone.cancel()
        servicer.let_go.release()
        servicer.let_go.release()
        assert (await stays).settings_version == 2
    assert gone.cancelled()


async def test_a_failed_question_is_repeated_by_everybody_for_himself(
    gate: tuple[Gate, GatingClient],
) -> None:
    servicer, client = gate
    servicer.broken = True
    for _ in range(8):
        servicer.let_go.release()
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*asking(client, "users/a", "users/b"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Refusal, Refusal]
    assert {answer.kind for answer in answers if isinstance(answer, Refusal)} == {Kind.UNAVAILABLE}
    # Nothing is left behind that would keep later orders waiting.
    servicer.broken = False
    servicer.let_go.release()
    assert (await client.evaluate(PACKAGE, "users/c")).buyer == "users/c"


async def test_every_reason_for_everybody_is_one_of_the_contract() -> None:
    from services.orders.domain.gate import FOR_EVERYBODY

    assert {f"REASON_{name}" for name in FOR_EVERYBODY} <= set(Decision.Reason.keys())
