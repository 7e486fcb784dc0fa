"""The orders service, asked with the identity of this service."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from parley.orders.v1 import erasure_pb2
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from services.messaging.app.erasures import Hold


class OrdersClient:
    """Implements `app.erasures.Holds`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = OrdersServiceStub(channel)

    async def of_person(self, user: str) -> Sequence[Hold]:
        """What of a person is still open."""
        asked = erasure_pb2.ListErasureHoldsRequest(parent=user)
        answer = await self._stub.ListErasureHolds(asked)
        reason = erasure_pb2.ErasureHold.Reason.Name
        return [Hold(reason(each.reason).removeprefix("REASON_"), each.resource) for each in answer.holds]
