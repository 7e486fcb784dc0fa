"""The gating service, asked with the identity of this service."""

from __future__ import annotations

import grpc

from chassis.kernel.refusal import Kind, Refusal, unavailable
from parley.gating.v1 import gating_service_pb2, gating_service_pb2_grpc
from services.orders.domain.gate import GateDecision
from services.orders.wire.values import gate_decision


class GatingClient:
    """Implements the port `Gate`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = gating_service_pb2_grpc.GatingServiceStub(channel)

    async def evaluate(self, package: str, buyer: str) -> GateDecision:
        """The decision of this moment. A gate that is too slow is a gate that is away."""
        request = gating_service_pb2.EvaluateGateRequest(package=package, buyer=buyer)
        try:
            response = await self._stub.EvaluateGate(request)
        except Refusal as refusal:
            if refusal.kind is Kind.DEADLINE:
                raise unavailable(
                    "PEER_UNAVAILABLE", "gating did not answer in time", peer="gating"
                ) from refusal
            raise
        return gate_decision(response.decision)
