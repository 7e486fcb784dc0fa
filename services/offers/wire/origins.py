"""Order requests, orders and conversations of other services, as far as an offer needs to know them."""

from __future__ import annotations

from parley.gating.v1 import order_request_pb2
from parley.messaging.v1 import conversation_pb2
from parley.orders.v1 import order_pb2
from services.offers.domain.origin import Origin

_PREFIX = "STATE_"


def origin_of_request(request: order_request_pb2.OrderRequest) -> Origin:
    """An order request. The price of its package has a currency; a free one leaves open what others cost."""
    state = order_request_pb2.OrderRequest.State.Name(request.state)
    price = request.package_snapshot.price
    return Origin(
        request.name,
        request.seller,
        request.buyer,
        state.removeprefix(_PREFIX),
        currency=price.currency_code if price.units or price.nanos else "",
    )


def origin_of_order(order: order_pb2.Order) -> Origin:
    """An order; only one that was placed for a quote takes offers, and in its own currency."""
    state = order_pb2.Order.State.Name(order.state)
    by_quote = order.intake == order_pb2.Order.INTAKE_BY_QUOTE
    return Origin(
        order.name,
        order.seller,
        order.buyer,
        state.removeprefix(_PREFIX),
        fits=by_quote,
        currency=order.total.currency_code,
    )


def origin_of_conversation(conversation: conversation_pb2.Conversation) -> Origin:
    """A conversation; only an inquiry takes offers: a request or an order takes them by its own name."""
    state = conversation_pb2.Conversation.State.Name(conversation.state)
    is_inquiry = not conversation.subject
    return Origin(
        conversation.name,
        conversation.seller,
        conversation.buyer,
        state.removeprefix(_PREFIX),
        fits=is_inquiry,
    )
