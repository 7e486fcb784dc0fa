"""The gating service, asked with the identity of this service."""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import replace

import grpc

from chassis.client import in_time
from chassis.kernel.refusal import Refusal
from parley.gating.v1 import gating_service_pb2, gating_service_pb2_grpc
from services.orders.domain.gate import GateDecision
from services.orders.wire.values import gate_decision


class GatingClient:
    """Implements the ports `Gate` and `Zones`.

    While the gate is being asked about a package, whoever else orders it waits for the *next* question, and
    all who wait share its answer where it speaks of every buyer. So each decision is taken after its order
    arrived, and a package that sells fast costs one question for each trip to the gate, not for each order.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = gating_service_pb2_grpc.GatingServiceStub(channel)
        self._asking: dict[str, _Question | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def evaluate(self, package: str, buyer: str) -> GateDecision:
        """The decision of this moment. A gate that is too slow is a gate that is away."""
        if package not in self._asking:
            question = _Question(package, buyer)
            self._asking[package] = None
            self._ask_in_background(question)
        else:
            waiting = self._asking[package]
            question = waiting or _Question(package, buyer)
            self._asking[package] = question
        shared = await asyncio.shield(question.answer)
        if shared is None or not (shared.buyer == buyer or shared.is_for_everybody):
            return await self._ask(package, buyer)
        return replace(shared, buyer=buyer)

    async def zone(self, seller: str) -> str:
        """The time zone of a seller's order settings."""
        request = gating_service_pb2.GetOrderSettingsRequest(name=f"{seller}/orderSettings")
        response = await in_time("gating", self._stub.GetOrderSettings(request))
        return response.order_settings.time_zone

    def _ask_in_background(self, question: _Question) -> None:
        # Not part of the first asker's call: when he leaves, the others still wait.
        task = asyncio.create_task(self._ask_for_all(question), context=question.context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_for_all(self, question: _Question) -> None:
        answer: GateDecision | None = None
        try:
            answer = await self._ask(question.package, question.buyer)
        except Refusal:
            # It may be due to the first asker's deadline alone: everybody asks for himself, and is told why.
            answer = None
        finally:
            waiting = self._asking.pop(question.package)
            if waiting is not None:
                self._asking[question.package] = None
                self._ask_in_background(waiting)
            if not question.answer.done():
                question.answer.set_result(answer)

    async def _ask(self, package: str, buyer: str) -> GateDecision:
        request = gating_service_pb2.EvaluateGateRequest(package=package, buyer=buyer)
        response = await in_time("gating", self._stub.EvaluateGate(request))
        return gate_decision(response.decision)


class _Question:
    """One question to the gate and those who wait for its answer; None where there was none."""

    __slots__ = ("answer", "buyer", "context", "package")

    def __init__(self, package: str, buyer: str) -> None:
        self.package = package
        self.buyer = buyer
        self.context = contextvars.copy_context()
        self.answer: asyncio.Future[GateDecision | None] = asyncio.get_running_loop().create_future()
