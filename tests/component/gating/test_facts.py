"""What is remembered for the figures: in the transaction of each command, and of what others tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chassis.testing.service import refused
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.messaging.v1 import events_pb2 as messaging_events
from parley.messaging.v1.conversation_pb2 import SIDE_BUYER, SIDE_SELLER
from parley.messaging.v1.timeline_pb2 import Message as ChatMessage
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import BUYER, LISTING, OWNER, PACKAGE, SELLER, World
from tests.component.gating.moves import answer, ask, decline, withdraw


async def kinds(world: World, about: str) -> list[str]:
    statement = "SELECT kind FROM metric_fact WHERE about = :about ORDER BY version"
    return [row.kind for row in await world.rows(statement, about=about)]


async def life(world: World, table: str, name: str) -> Any:
    (row,) = await world.rows(f"SELECT * FROM {table} WHERE name = :name", name=name)
    return row


async def tell_message(world: World, conversation: str, subject: str = "", **fields: Any) -> None:
    """Somebody wrote in a conversation."""
    version = fields.pop("version")
    facts = messaging_events.ConversationFacts(
        name=conversation, version=version, subject=subject, seller=SELLER, buyer=BUYER
    )
    sent = messaging_events.MessageSent(
        conversation=facts, **{"side": SIDE_SELLER, "kind": ChatMessage.KIND_PUBLIC, **fields}
    )
    await world.publish(sent, aggregate=conversation, version=version)


async def tell_inquiry(world: World, conversation: str, subject: str = "") -> None:
    """A conversation began."""
    facts = messaging_events.ConversationFacts(
        name=conversation, version=1, subject=subject, seller=SELLER, buyer=BUYER
    )
    started = messaging_events.ConversationStarted(conversation=facts)
    await world.publish(started, aggregate=conversation, version=1)


async def test_every_move_of_a_request_is_kept_with_its_rule(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    submitted = world.clock.now()
    world.clock.advance(timedelta(hours=1))
    await ask(world, created.name)
    asked = world.clock.now()
    world.clock.advance(timedelta(hours=1))
    await answer(world, created.name)
    await decline(world, created.name)
    assert await kinds(world, created.name) == [
        "request_submitted",
        "request_information_asked",
        "request_information_answered",
        "request_declined",
    ]
    row = await life(world, "metric_request", created.name)
    assert (row.seller, row.listing, row.buyer) == (SELLER, LISTING, BUYER)
    assert (row.gate_reason, row.settings_version) == ("ALWAYS", 1)
    assert (row.submit_time, row.response_time) == (submitted, asked)
    assert (row.decline_time, row.offer_time) == (world.clock.now(), None)


async def test_a_refused_command_leaves_no_fact(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    assert (await refused(withdraw(world, created.name, etag="v7"))).reason == "ETAG_MISMATCH"
    assert await kinds(world, created.name) == ["request_submitted"]


async def test_declarations_are_kept(world: World) -> None:
    await world.close_gate()
    end = timestamp(world.clock.now() + timedelta(days=2))
    request = pb.SetAvailabilityRequest(name=SELLER, available=False, end_time=end, messages_closed=True)
    await world.stub(OWNER).SetAvailability(request)
    assert await kinds(world, SELLER) == ["availability_set"]
    assert await kinds(world, f"{SELLER}/orderSettings") == ["settings_saved"]
    (row,) = await world.rows("SELECT detail FROM metric_fact WHERE kind = 'availability_set'")
    assert row.detail == {
        "available": False,
        "messages_closed": True,
        "end_time": (world.clock.now() + timedelta(days=2)).isoformat(),
    }


async def test_an_offers_own_time_is_that_of_the_response(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    world.clock.advance(timedelta(hours=2))
    await world.tell_offer(offers_events.OfferSent, request=created.name, settle=False)
    offered = world.clock.now()
    world.clock.advance(timedelta(hours=9))
    await world.service.settle()
    row = await life(world, "metric_request", created.name)
    assert row.response_time == offered
    await world.tell_offer(
        offers_events.OfferAccepted, request=created.name, version=3, state=Offer.STATE_ACCEPTED
    )
    row = await life(world, "metric_request", created.name)
    assert row.convert_time == world.clock.now()
    assert (row.offer, row.order_name) == (f"offers/{row.offer[7:]}", f"orders/{row.offer[7:]}")


async def test_orders_are_kept_in_whatever_order_their_events_come(world: World) -> None:
    placed = world.clock.now()
    confirmed = placed + timedelta(hours=3)
    facts: dict[str, Any] = {"name": "orders/7", "seller": SELLER, "buyer": BUYER, "package": PACKAGE}
    late = orders_events.OrderPlaced(
        order=orders_events.OrderFacts(version=1, state=Order.STATE_PENDING, **facts)
    )
    early = orders_events.OrderConfirmed(
        order=orders_events.OrderFacts(
            version=2, state=Order.STATE_CONFIRMED, confirm_time=timestamp(confirmed), **facts
        )
    )
    world.clock.set(confirmed)
    for _ in range(2):
        await world.publish(early, aggregate="orders/7", version=2)
    await world.service.settle()
    world.clock.set(placed)
    await world.publish(late, aggregate="orders/7", version=1)
    await world.service.settle()
    assert await kinds(world, "orders/7") == ["order_placed", "order_confirmed"]
    row = await life(world, "metric_order", "orders/7")
    assert (row.place_time, row.confirm_time, row.listing) == (placed, confirmed, LISTING)
    assert (await world.rows("SELECT name FROM confirmed_order"))[0].name == "orders/7"


async def test_only_the_sellers_public_words_answer(world: World) -> None:
    """Internal notes, the buyer's own words and talk about orders leave no answer."""
    inquiry = "conversations/01900000-0000-7000-8000-000000000001"
    await tell_inquiry(world, inquiry)
    await tell_inquiry(world, "conversations/01900000-0000-7000-8000-000000000002", subject="orders/7")
    started = world.clock.now()
    world.clock.advance(timedelta(hours=1))
    await tell_message(world, inquiry, version=2, side=SIDE_BUYER)
    await tell_message(world, inquiry, version=3, kind=ChatMessage.KIND_INTERNAL_NOTE)
    await tell_message(world, inquiry, version=4, subject="orders/7")
    # Neither does what he writes by mail, be it a yes or a no.
    await tell_message(world, inquiry, version=5, channel=ChatMessage.CHANNEL_EMAIL)
    await world.service.settle()
    row = await life(world, "metric_request", inquiry)
    assert (row.submit_time, row.response_time) == (started, None)
    await tell_message(world, inquiry, version=6)
    await world.service.settle()
    row = await life(world, "metric_request", inquiry)
    assert row.response_time == world.clock.now()
    assert len(await world.rows("SELECT 1 FROM metric_request")) == 1
