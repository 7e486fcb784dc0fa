"""The timeline: what the other services report stands beside the messages, once and in the order of time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from google.type.money_pb2 import Money

from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, running
from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import conversation_pb2, timeline_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1 import fulfilment_pb2
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import (
    ANA,
    OF_ORDER,
    OF_REQUEST,
    OFFER,
    OTTO,
    REQUEST,
    Scene,
    offer_facts,
    request_facts,
)

MINUTE = timedelta(minutes=1)


async def negotiate(scene: Scene, *, shuffled: bool = False, copies: int = 1) -> None:
    """Submit, send, counter, accept, place, pay: as facts of the other services."""
    countered = offer_facts(2, author=offer_pb2.OfferRevision.AUTHOR_BUYER)
    order = orders_events.OrderFacts(
        name=f"orders/{OFFER}",
        version=1,
        seller="sellers/acme",
        buyer="users/ana",
        order_request=f"orderRequests/{REQUEST}",
        offer=f"offers/{OFFER}",
    )
    order.total.CopyFrom(Money(currency_code="EUR", units=120))
    paid = orders_events.OrderFacts()
    paid.CopyFrom(order)
    paid.version = 2
    start = scene.clock.now()
    story = [
        (gating_events.OrderRequestSubmitted(order_request=request_facts(1)), f"orderRequests/{REQUEST}", 1),
        (offers_events.OfferSent(offer=offer_facts(1)), f"offers/{OFFER}", 1),
        (offers_events.OfferCountered(offer=countered), f"offers/{OFFER}", 2),
        (offers_events.OfferAccepted(offer=offer_facts(3, accepted=True)), f"offers/{OFFER}", 3),
        (orders_events.OrderPlaced(order=order), order.name, 1),
        (orders_events.OrderPaid(order=paid), order.name, 2),
    ]
    told = list(enumerate(story))
    for number, (message, aggregate, version) in reversed(told) if shuffled else told:
        time = start + MINUTE * number
        record = await scene.others.publish(message, aggregate=aggregate, version=version, time=time)
        for _ in range(copies - 1):
            await scene.others.again(record, as_new_message=True)
    await scene.service.settle()


@pytest.mark.covers("V24")
@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("shuffled", [False, True])
async def test_events_stand_in_both_timelines_once(scene: Scene, shuffled: bool, copies: int) -> None:
    await negotiate(scene, shuffled=shuffled, copies=copies)
    for who in (ANA, OTTO):
        assert await scene.timeline(who, OF_REQUEST) == [
            "REQUEST_SUBMITTED",
            "OFFER_SENT",
            "OFFER_COUNTERED",
            "OFFER_ACCEPTED",
        ]
        assert await scene.timeline(who, OF_ORDER) == ["OFFER_ACCEPTED", "ORDER_PLACED", "ORDER_PAID"]
    order = await scene.of(ANA).GetConversation(pb.GetConversationRequest(name=OF_ORDER))
    assert order.conversation.subject == f"orders/{OFFER}"
    assert order.conversation.origin == OF_REQUEST


@pytest.mark.covers("V24")
async def test_messages_and_events_are_one_timeline(scene: Scene) -> None:
    await negotiate(scene)
    scene.clock.advance(MINUTE * 2 + MINUTE / 2)
    await scene.say(ANA, OF_REQUEST, "Is that your last word?")
    assert await scene.timeline(ANA, OF_REQUEST) == [
        "REQUEST_SUBMITTED",
        "OFFER_SENT",
        "OFFER_COUNTERED",
        "Is that your last word?",
        "OFFER_ACCEPTED",
    ]
    entries = (await scene.of(OTTO).ListTimeline(pb.ListTimelineRequest(parent=OF_REQUEST))).entries
    countered = entries[2].event
    assert (countered.resource, countered.revision, countered.amount.units) == (f"offers/{OFFER}", 2, 120)
    sides = [entry.event.side for entry in entries if entry.HasField("event")]
    assert sides == [1, 2, 1, 1]


async def test_a_reminder_stands_there_for_the_team_alone(scene: Scene) -> None:
    await negotiate(scene)
    request = pb.GetConversationRequest(name=OF_REQUEST)
    seen = (await scene.of(ANA).GetConversation(request)).conversation
    scene.clock.advance(MINUTE * 60)
    reminded = gating_events.OrderRequestReminded(
        order_request=request_facts(2), reminder=1, elapsed_percent=50
    )
    name, now = f"orderRequests/{REQUEST}", scene.clock.now()
    await scene.others.publish(reminded, aggregate=name, version=2, time=now)
    await scene.service.settle()
    for_team = await scene.timeline(OTTO, OF_REQUEST)
    assert for_team[-1] == "REQUEST_REMINDED"
    assert await scene.timeline(ANA, OF_REQUEST) == for_team[:-1]
    assert (await scene.of(ANA).GetConversation(request)).conversation == seen
    await scene.say(OTTO, OF_REQUEST, "Soon.")
    last = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=OF_REQUEST))).entries[-2]
    watch = pb.WatchConversationRequest(name=OF_REQUEST, after_entry=last.name)
    watched = scene.of(ANA).WatchConversation(watch)
    # What the three producers told came in any order, so that some of it may stand after that entry.
    while (entry := (await watched.read()).entry).message.text != "Soon.":
        assert entry.event.type != timeline_pb2.TimelineEvent.TYPE_REQUEST_REMINDED
    watched.cancel()


async def test_a_charge_that_is_tried_again_or_given_up_stands_there_for_both(scene: Scene) -> None:
    facts = orders_events.OrderFacts(
        name=f"orders/{OFFER}", seller="sellers/acme", buyer="users/ana", total=Money(currency_code="EUR")
    )
    story = [orders_events.OrderPaymentRetried(order=facts), orders_events.OrderPaymentVoided(order=facts)]
    for version, message in enumerate(story, 1):
        time = scene.clock.now() + MINUTE * version
        await scene.others.publish(message, aggregate=facts.name, version=version, time=time)
    await scene.service.settle()
    for who in (ANA, OTTO):
        assert await scene.timeline(who, OF_ORDER) == ["ORDER_PAYMENT_RETRIED", "ORDER_PAYMENT_VOIDED"]


async def test_the_work_on_an_order_stands_there_with_who_caused_it(scene: Scene) -> None:
    parties = fulfilment_pb2.Cancellation
    story: list[Any] = [
        orders_events.OrderStarted(automatic=True),
        orders_events.OrderStarted(),
        orders_events.OrderDelivered(delivery_number=1),
        orders_events.OrderChangesRequested(delivery_number=1),
        orders_events.OrderCompleted(),
        orders_events.OrderCompleted(automatic=True),
        orders_events.OrderCancelled(cancelled_by=parties.PARTY_BUYER),
        orders_events.OrderCancelled(cancelled_by=parties.PARTY_SELLER),
        orders_events.OrderCancelled(cancelled_by=parties.PARTY_OPERATOR),
    ]
    for version, message in enumerate(story, 1):
        facts = orders_events.OrderFacts(
            name=f"orders/{OFFER}", version=version, seller="sellers/acme", buyer="users/ana"
        )
        facts.total.CopyFrom(Money(currency_code="EUR", units=120))
        message.order.CopyFrom(facts)
        time = scene.clock.now() + MINUTE * version
        await scene.others.publish(message, aggregate=facts.name, version=version, time=time)
    await scene.service.settle()
    entries = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=OF_ORDER))).entries
    types = timeline_pb2.TimelineEvent.Type
    sides = conversation_pb2.Side
    assert [
        (
            types.Name(entry.event.type).removeprefix("TYPE_ORDER_"),
            sides.Name(entry.event.side).removeprefix("SIDE_"),
        )
        for entry in entries
    ] == [
        ("STARTED", "SYSTEM"),
        ("STARTED", "SELLER"),
        ("DELIVERED", "SELLER"),
        ("CHANGES_REQUESTED", "BUYER"),
        ("COMPLETED", "BUYER"),
        ("COMPLETED", "SYSTEM"),
        ("CANCELLED", "BUYER"),
        ("CANCELLED", "SELLER"),
        ("CANCELLED", "SYSTEM"),
    ]


async def test_an_offer_to_an_inquiry_stands_in_its_timeline(scene: Scene) -> None:
    inquiry = (await scene.inquiry()).conversation.name
    facts = offer_facts(1, order_request="", conversation=inquiry)
    time = scene.clock.now() + MINUTE
    await scene.others.publish(
        offers_events.OfferSent(offer=facts), aggregate=facts.name, version=1, time=time
    )
    await scene.service.settle()
    assert (await scene.timeline(ANA, inquiry))[-1] == "OFFER_SENT"


@pytest.mark.covers("G40")
async def test_both_sides_are_told_that_the_package_of_an_open_offer_was_retired(scene: Scene) -> None:
    facts = offer_facts(1)
    for version, event in ((1, offers_events.OfferSent), (2, offers_events.OfferPackageRetired)):
        facts.version = version
        scene.clock.advance(MINUTE)
        await scene.others.publish(
            event(offer=facts), aggregate=facts.name, version=version, time=scene.clock.now()
        )
    await scene.service.settle()
    for who in (ANA, OTTO):
        assert await scene.timeline(who, OF_REQUEST) == ["OFFER_SENT", "OFFER_PACKAGE_RETIRED"]


async def test_a_watcher_sees_what_is_added_and_can_resume(scene: Scene) -> None:
    begun = await scene.inquiry()
    name = begun.conversation.name
    watch = scene.of(ANA).WatchConversation(pb.WatchConversationRequest(name=name))
    await watch.initial_metadata()
    async with asyncio.timeout(20):
        await scene.say(OTTO, name, "One")
        first = (await watch.read()).entry
        assert first.message.text == "One"
        await scene.say(OTTO, name, "A note", kind=2)
        await scene.say(OTTO, name, "Two")
        assert (await watch.read()).entry.message.text == "Two"
    watch.cancel()

    resumed = scene.of(ANA).WatchConversation(pb.WatchConversationRequest(name=name, after_entry=first.name))
    async with asyncio.timeout(20):
        assert (await resumed.read()).entry.message.text == "Two"
    resumed.cancel()


async def test_a_watcher_on_another_replica_is_told(
    scene: Scene, backends: Backends, clock: ManualClock
) -> None:
    name = (await scene.inquiry()).conversation.name
    dsn = scene.service.host.config.dsn.reveal()
    async with running(DEFINITION, backends, clock=clock, dsn=dsn) as replica, asyncio.timeout(20):
        await replica.host.bus.wait_connected(10)
        stub: Any = MessagingServiceStub(replica.channel(ANA))
        watch = stub.WatchConversation(pb.WatchConversationRequest(name=name))
        await watch.initial_metadata()
        await scene.say(OTTO, name, "Across")
        assert (await watch.read()).entry.message.text == "Across"
        watch.cancel()
