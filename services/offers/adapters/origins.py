"""Origins, read from the services that own them, in this service's own name."""

from __future__ import annotations

import grpc

from chassis.kernel.refusal import Kind, Refusal
from parley.gating.v1 import gating_service_pb2, gating_service_pb2_grpc
from parley.messaging.v1 import messaging_service_pb2, messaging_service_pb2_grpc
from parley.orders.v1 import orders_service_pb2, orders_service_pb2_grpc
from services.offers.domain.origin import Origin, OriginKind, kind_of
from services.offers.wire.origins import origin_of_conversation, origin_of_order, origin_of_request

# A name that its owner does not even take for one of its own names nothing either.
_NOTHING = frozenset({Kind.NOT_FOUND, Kind.INVALID})


class OriginPeers:
    """The port `Origins`, over gRPC."""

    def __init__(
        self, *, gating: grpc.aio.Channel, orders: grpc.aio.Channel, messaging: grpc.aio.Channel
    ) -> None:
        self._gating = gating_service_pb2_grpc.GatingServiceStub(gating)
        self._orders = orders_service_pb2_grpc.OrdersServiceStub(orders)
        self._messaging = messaging_service_pb2_grpc.MessagingServiceStub(messaging)

    async def find(self, name: str) -> Origin | None:
        """The origin of that name; Refusal UNAVAILABLE or DEADLINE when its owner does not answer."""
        try:
            return await self._fetch(name)
        except Refusal as refusal:
            if refusal.kind in _NOTHING:
                return None
            raise

    async def _fetch(self, name: str) -> Origin:
        match kind_of(name):
            case OriginKind.ORDER_REQUEST:
                asked = gating_service_pb2.GetOrderRequestRequest(name=name)
                return origin_of_request((await self._gating.GetOrderRequest(asked)).order_request)
            case OriginKind.ORDER:
                order = orders_service_pb2.GetOrderRequest(name=name)
                return origin_of_order((await self._orders.GetOrder(order)).order)
            case OriginKind.CONVERSATION:
                conversation = messaging_service_pb2.GetConversationRequest(name=name)
                found = await self._messaging.GetConversation(conversation)
                return origin_of_conversation(found.conversation)
