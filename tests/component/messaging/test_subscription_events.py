"""What happens to a subscription stands in the conversation of its order, each event once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from google.type.money_pb2 import Money

from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.orders.v1 import subscription_events_pb2 as events
from parley.type.v1.commerce_pb2 import Plan
from services.messaging.wire.subscriptions import SUBSCRIPTION_EVENTS
from tests.component.messaging.conftest import ANA, OF_ORDER, OFFER, OTTO, Scene

MINUTE = timedelta(minutes=1)
SUBSCRIPTION = f"subscriptions/{OFFER}"
BUYER, SELLER, SYSTEM = 1, 2, 3


def facts(version: int) -> events.SubscriptionFacts:
    price = Money(currency_code="EUR", units=30)
    return events.SubscriptionFacts(
        name=SUBSCRIPTION,
        version=version,
        order=f"orders/{OFFER}",
        seller="sellers/acme",
        buyer="users/ana",
        plan=Plan(price=price),
    )


async def tell(scene: Scene, *messages: Any) -> None:
    for version, message in enumerate(messages, 1):
        message.subscription.CopyFrom(facts(version))
        time = scene.clock.now() + MINUTE * version
        await scene.others.publish(message, aggregate=SUBSCRIPTION, version=version, time=time)
    await scene.service.settle()


@pytest.mark.covers("V24")
async def test_every_event_of_a_subscription_stands_in_the_conversation_of_its_order(scene: Scene) -> None:
    messages = [kind() for kind in SUBSCRIPTION_EVENTS]
    for message in messages:
        if "actor" in message.DESCRIPTOR.fields_by_name:
            message.actor = events.SUBSCRIPTION_ACTOR_BUYER
        if "amount" in message.DESCRIPTOR.fields_by_name:
            message.amount.CopyFrom(Money(currency_code="EUR", units=7))
    await tell(scene, *messages)
    for who in (ANA, OTTO):
        told = await scene.timeline(who, OF_ORDER)
        assert len(set(told)) == len(SUBSCRIPTION_EVENTS)
        assert all(word.startswith("SUBSCRIPTION_") for word in told)
    listed = await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=OF_ORDER))
    for message, entry in zip(messages, listed.entries, strict=True):
        assert entry.event.resource == SUBSCRIPTION
        fields = message.DESCRIPTOR.fields_by_name
        assert entry.event.amount.units == (7 if "amount" in fields else 30)
        if "actor" in fields:
            assert entry.event.side == BUYER


@pytest.mark.parametrize(
    ("message", "side"),
    [
        (events.SubscriptionCancellationRevoked(actor=events.SUBSCRIPTION_ACTOR_SELLER), SELLER),
        (events.SubscriptionPaymentMeansChanged(actor=events.SUBSCRIPTION_ACTOR_BUYER), BUYER),
        (events.SubscriptionPaymentUnmarked(amount=Money(currency_code="EUR", units=7)), SELLER),
        (events.SubscriptionRefunded(amount=Money(currency_code="EUR", units=7)), SYSTEM),
    ],
)
async def test_the_side_that_did_it_is_named(scene: Scene, message: Any, side: int) -> None:
    await tell(scene, message)
    (entry,) = (await scene.of(OTTO).ListTimeline(pb.ListTimelineRequest(parent=OF_ORDER))).entries
    assert entry.event.side == side
    assert entry.event.HasField("amount")
