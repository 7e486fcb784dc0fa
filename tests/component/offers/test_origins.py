"""What an offer answers: who may offer, when, and what happens when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from chassis import status
from chassis.client import PeerChannel
from chassis.db import ConstraintError
from chassis.kernel.refusal import Kind, Refusal, not_found
from chassis.testing import refused
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import gating_service_pb2, gating_service_pb2_grpc, order_request_pb2
from parley.messaging.v1 import conversation_pb2, messaging_service_pb2, messaging_service_pb2_grpc
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1 import order_pb2, orders_service_pb2, orders_service_pb2_grpc
from services.offers.adapters.origins import OriginPeers
from services.offers.app.ports import Origins
from services.offers.domain.origin import Origin
from tests.component.offers.scene import ACME, ANA, HOUR, OTHER, FakeOrigins, Scene, create, money

# ------------------------------------------------------------------------------------------- who and when


async def test_only_the_sellers_team_offers(scene: Scene) -> None:
    request = scene.origins.add()
    before = await scene.written()
    stranger = await refused(scene.by(OTHER).CreateOffer(create(request)))
    assert (stranger.reason, stranger.metadata) == ("NOT_FOUND", {"resource": request})
    # The buyer knows his own request, but an offer is not his to make.
    assert (await refused(scene.by(ANA).CreateOffer(create(request)))).reason == "PERMISSION_DENIED"
    missing = "orderRequests/0198a000-0000-7000-8000-00000000ffff"
    assert (await refused(scene.by(ACME).CreateOffer(create(missing)))).metadata == {"resource": missing}
    assert await scene.written() == before


@pytest.mark.parametrize(
    ("collection", "state", "fits"),
    [
        ("orderRequests", "DECLINED", True),
        ("orderRequests", "CONVERTED", True),
        ("orders", "CONFIRMED", True),
        ("orders", "PENDING", False),
        ("conversations", "CLOSED", True),
    ],
)
@pytest.mark.parametrize("send", [False, True])
async def test_what_has_ended_takes_no_offers(
    scene: Scene, collection: str, state: str, fits: bool, send: bool
) -> None:
    origin = scene.origins.add(collection, state=state, fits=fits)
    before = await scene.written()
    refusal = await refused(scene.by(ACME).CreateOffer(create(origin, send=send)))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "ORIGIN_CLOSED")
    assert refusal.metadata == {"origin": origin, "state": state}
    assert await scene.written() == before


async def test_sending_and_reviving_ask_again(scene: Scene) -> None:
    origin = scene.origins.add()
    draft = await scene.offer(origin, send=False)
    expired = await scene.offer(expires_in=HOUR)
    await scene.service.advance(HOUR)
    for name in (origin, expired.order_request):
        scene.origins.set_state(name, "WITHDRAWN")
    for call in (
        scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name)),
        scene.by(ACME).ReviveOffer(pb.ReviveOfferRequest(name=expired.name)),
    ):
        assert (await refused(call)).reason == "ORIGIN_CLOSED"


async def test_nothing_is_offered_while_the_owner_cannot_be_asked(scene: Scene) -> None:
    draft = await scene.offer(send=False)
    known = create(scene.origins.add(), send=True, request_id="k1")
    first = await scene.by(ACME).CreateOffer(known)
    scene.origins.break_down()
    before = await scene.written()
    for call in (
        scene.by(ACME).CreateOffer(create(draft.order_request)),
        scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name)),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
        assert refusal.retry_after_seconds
    assert await scene.written() == before
    # What was answered once is answered again, whoever is down.
    assert await scene.by(ACME).CreateOffer(known) == first


async def test_one_open_offer_for_each_origin(scene: Scene) -> None:
    origin = scene.origins.add()
    first = await scene.offer(origin)
    scene.origins.set_state(origin, "OFFERED")
    draft = await scene.offer(origin, send=False)
    before = await scene.written()
    for call in (
        scene.by(ACME).CreateOffer(create(origin, send=True)),
        scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name)),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.EXISTS, "OPEN_OFFER_EXISTS")
        assert refusal.metadata == {"origin": origin, "offer": first.name}
    assert await scene.written() == before
    await scene.by(ANA).DeclineOffer(pb.DeclineOfferRequest(name=first.name))
    sent = (await scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name))).offer
    assert sent.state == offer_pb2.Offer.STATE_OPEN
    # An ended offer cannot come back beside it.
    revive = pb.ReviveOfferRequest(name=first.name)
    assert (await refused(scene.by(ACME).ReviveOffer(revive))).reason == "TRANSITION_FORBIDDEN"


async def test_the_database_itself_refuses_a_second_open_offer(scene: Scene) -> None:
    origin = scene.origins.add()
    await scene.offer(origin)
    double = """INSERT INTO offer SELECT (jsonb_populate_record(o, '{"offer_id": "x"}')).* FROM offer AS o"""
    with pytest.raises(ConstraintError, match="uq_offer_open_origin"):
        async with scene.service.host.database.connection() as connection:
            await connection.execute(double)


async def test_an_overdue_offer_makes_room_before_the_sweeper_comes(scene: Scene) -> None:
    origin = scene.origins.add()
    overdue = await scene.offer(origin, expires_in=HOUR)
    await scene.service.host.background.stop("timers")
    scene.clock.advance(HOUR)
    await scene.offer(origin)
    assert await scene.event_names(overdue.name) == ["OfferSent", "OfferExpired"]


async def test_a_request_becomes_one_order_even_before_its_owner_knows(scene: Scene) -> None:
    offer = await scene.offer()
    draft = await scene.offer(offer.order_request, send=False)
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=1))
    refusal = await refused(scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name)))
    assert (refusal.reason, refusal.metadata["state"]) == ("ORIGIN_CLOSED", "CONVERTED")


# ------------------------------------------------------------------------------------------- when it ends


REQUEST_ENDS = [
    (gating_events.OrderRequestDeclined, order_request_pb2.OrderRequest.STATE_DECLINED),
    (gating_events.OrderRequestWithdrawn, order_request_pb2.OrderRequest.STATE_WITHDRAWN),
    (gating_events.OrderRequestClosed, order_request_pb2.OrderRequest.STATE_CLOSED),
]
ORDER_ENDS = [
    (orders_events.OrderDeclined, order_pb2.Order.STATE_DECLINED),
    (orders_events.OrderWithdrawn, order_pb2.Order.STATE_WITHDRAWN),
    (orders_events.OrderConfirmed, order_pb2.Order.STATE_CONFIRMED),
]


def request_event(kind: Any, name: str, state: Any) -> tuple[Any, Any]:
    facts = gating_events.OrderRequestFacts(name=name, version=2, state=state)
    return kind(order_request=facts), facts


def order_event(kind: Any, name: str, state: Any) -> tuple[Any, Any]:
    facts = orders_events.OrderFacts(name=name, version=2, state=state)
    return kind(order=facts), facts


@pytest.mark.parametrize(
    ("collection", "make", "kind", "state"),
    [
        *(("orderRequests", request_event, kind, state) for kind, state in REQUEST_ENDS),
        *(("orders", order_event, kind, state) for kind, state in ORDER_ENDS),
    ],
)
async def test_an_open_offer_ends_with_what_it_answers(
    scene: Scene, collection: str, make: Callable[..., tuple[Any, Any]], kind: Any, state: Any
) -> None:
    origin = scene.origins.add(collection)
    offer = await scene.offer(origin)
    draft = await scene.offer(origin, send=False)
    message, facts = make(kind, origin, state)
    for _ in range(2):
        await scene.tell(message, facts)
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferWithdrawn"]
    seen = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert (seen.state, seen.etag) == (offer_pb2.Offer.STATE_WITHDRAWN, "v2")
    # The owner, asked a moment before, may have said otherwise.
    for call in (
        scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name)),
        scene.by(ACME).CreateOffer(create(origin, send=True)),
    ):
        assert (await refused(call)).reason == "ORIGIN_CLOSED"


EXPIRED = (gating_events.OrderRequestExpired, order_request_pb2.OrderRequest.STATE_EXPIRED)


async def test_an_expired_request_takes_no_more_offers(scene: Scene) -> None:
    origin = scene.origins.add()
    draft = await scene.offer(origin, send=False)
    kind, state = EXPIRED
    await scene.tell(*request_event(kind, origin, state))
    # The owner, asked a moment before, may have said otherwise.
    for call in (
        scene.by(ACME).SendOffer(pb.SendOfferRequest(name=draft.name)),
        scene.by(ACME).CreateOffer(create(origin, send=True)),
    ):
        assert (await refused(call)).reason == "ORIGIN_CLOSED"


@pytest.mark.covers("G34")
async def test_an_offer_that_was_sent_in_time_outlives_the_deadline_of_its_request(scene: Scene) -> None:
    offer = await scene.offer()
    kind, state = EXPIRED
    for _ in range(2):
        await scene.tell(*request_event(kind, offer.order_request, state))
    assert await scene.event_names(offer.name) == ["OfferSent"]
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=1))
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferAccepted"]


async def test_an_accepted_offer_outlives_its_request(scene: Scene) -> None:
    offer = await scene.offer()
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=1))
    kind, state = REQUEST_ENDS[1]
    await scene.tell(*request_event(kind, offer.order_request, state))
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferAccepted"]


async def test_an_overdue_offer_expires_rather_than_being_withdrawn(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)
    await scene.service.host.background.stop("timers")
    scene.clock.advance(HOUR)
    kind, state = REQUEST_ENDS[1]
    await scene.tell(*request_event(kind, offer.order_request, state))
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferExpired"]


# ------------------------------------------------------------------------------------------- the port


REQUEST = "orderRequests/0198a000-0000-7000-8000-000000000001"
FREE = "orderRequests/0198a000-0000-7000-8000-000000000004"
ORDER = "orders/0198a000-0000-7000-8000-000000000002"
INQUIRY = "conversations/0198a000-0000-7000-8000-000000000003"
KNOWN = {
    REQUEST: Origin(REQUEST, "sellers/acme", "users/ana", "PENDING", currency="EUR"),
    FREE: Origin(FREE, "sellers/acme", "users/ana", "PENDING"),
    ORDER: Origin(ORDER, "sellers/acme", "users/ana", "PROCESSING", currency="JPY"),
    INQUIRY: Origin(INQUIRY, "sellers/acme", "users/ana", "OPEN"),
}


class Owners(
    gating_service_pb2_grpc.GatingServiceServicer,
    orders_service_pb2_grpc.OrdersServiceServicer,
    messaging_service_pb2_grpc.MessagingServiceServicer,
):
    """The three owners, as far as the port asks them."""

    async def GetOrderRequest(self, request: Any, context: Any) -> gating_service_pb2.GetOrderRequestResponse:
        origin = await self._known(request.name, context)
        found = order_request_pb2.OrderRequest(
            name=origin.name,
            seller=origin.seller,
            buyer=origin.buyer,
            state=order_request_pb2.OrderRequest.State.Value(f"STATE_{origin.state}"),
            package_snapshot=order_request_pb2.OrderRequest.PackageSnapshot(
                price=money(5 if origin.currency else 0)
            ),
        )
        return gating_service_pb2.GetOrderRequestResponse(order_request=found)

    async def GetOrder(self, request: Any, context: Any) -> orders_service_pb2.GetOrderResponse:
        origin = await self._known(request.name, context)
        found = order_pb2.Order(
            name=origin.name,
            seller=origin.seller,
            buyer=origin.buyer,
            state=order_pb2.Order.State.Value(f"STATE_{origin.state}"),
            intake=order_pb2.Order.INTAKE_BY_QUOTE,
            total=money(0, origin.currency),
        )
        return orders_service_pb2.GetOrderResponse(order=found)

    async def GetConversation(
        self, request: Any, context: Any
    ) -> messaging_service_pb2.GetConversationResponse:
        origin = await self._known(request.name, context)
        found = conversation_pb2.Conversation(
            name=origin.name,
            seller=origin.seller,
            buyer=origin.buyer,
            state=conversation_pb2.Conversation.State.Value(f"STATE_{origin.state}"),
        )
        return messaging_service_pb2.GetConversationResponse(conversation=found)

    async def _known(self, name: str, context: Any) -> Origin:
        if name in KNOWN:
            return KNOWN[name]
        failure = status.refused(not_found(name), "peer")
        return await context.abort(failure.code, failure.message, failure.trailing_metadata)  # type: ignore[no-any-return]


@asynccontextmanager
async def peers(address: str) -> AsyncIterator[Origins]:
    channels = {
        peer: PeerChannel(peer, address, token=lambda: "") for peer in ("gating", "orders", "messaging")
    }
    try:
        yield OriginPeers(**channels)
    finally:
        for channel in channels.values():
            await channel.close()


@asynccontextmanager
async def real() -> AsyncIterator[Origins]:
    server = grpc.aio.server()
    owners = Owners()  # type: ignore[abstract]
    gating_service_pb2_grpc.add_GatingServiceServicer_to_server(owners, server)
    orders_service_pb2_grpc.add_OrdersServiceServicer_to_server(owners, server)
    messaging_service_pb2_grpc.add_MessagingServiceServicer_to_server(owners, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with peers(f"127.0.0.1:{port}") as made:
            yield made
    finally:
        await server.stop(0)


@asynccontextmanager
async def fake() -> AsyncIterator[Origins]:
    made = FakeOrigins()
    made.known.update(KNOWN)
    yield made


@pytest.mark.parametrize("implementation", [real, fake])
async def test_both_implementations_of_the_port_answer_alike(implementation: Callable[[], Any]) -> None:
    async with implementation() as origins:
        for name, origin in KNOWN.items():
            assert await origins.find(name) == origin
            assert await origins.find(name[:-1] + "f") is None


@asynccontextmanager
async def nowhere() -> AsyncIterator[Origins]:
    async with peers("127.0.0.1:1") as made:
        yield made


@asynccontextmanager
async def broken() -> AsyncIterator[Origins]:
    made = FakeOrigins()
    made.break_down()
    yield made


@pytest.mark.parametrize("implementation", [nowhere, broken])
async def test_both_implementations_say_that_nobody_answers(implementation: Callable[[], Any]) -> None:
    async with implementation() as origins:
        with pytest.raises(Refusal) as refused_:
            await origins.find(REQUEST)
        assert refused_.value.reason == "PEER_UNAVAILABLE"
        assert refused_.value.metadata == {"peer": "gating"}
