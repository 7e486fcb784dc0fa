"""An observer learns whether contact was made and a sale closed, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.type.money_pb2 import Money

from chassis.testing import Identity, observer, operator, refused, service
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import conversation_pb2, outcome_pb2, timeline_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.orders.v1 import events_pb2 as orders_events
from tests.component.messaging.conftest import ANA, BEN, OFFER, OTTO, RIVAL, Scene

BOSCH, OTHER = observer("bosch"), observer("hilti")
MINUTE = timedelta(minutes=1)


async def observed(scene: Scene) -> str:
    """An inquiry with an observer; its name."""
    asked = pb.CreateInquiryRequest(
        seller="sellers/acme",
        title="canary-title",
        summary="canary-summary",
        text="canary-text",
        marketplace="craftfair",
        observer="observers/bosch",
    )
    name = str((await scene.of(ANA).CreateInquiry(asked)).conversation.name)
    await scene.service.settle()
    return name


async def outcome(scene: Scene, name: str, who: Identity = BOSCH) -> outcome_pb2.Outcome:
    request = outcome_pb2.GetOutcomeRequest(name=f"{name}/outcome")
    answer: outcome_pb2.GetOutcomeResponse = await scene.of(who).GetOutcome(request)
    return answer.outcome


async def sell(scene: Scene, inquiry: str) -> None:
    """An order that came from the inquiry is confirmed, and delivered later."""
    facts = orders_events.OrderFacts(
        name=f"orders/{OFFER}",
        version=1,
        seller="sellers/acme",
        buyer="users/ana",
        origin_conversation=inquiry,
        total=Money(currency_code="EUR", units=120),
    )
    await scene.others.publish(
        orders_events.OrderPlaced(order=facts), aggregate=facts.name, version=1, time=scene.clock.now()
    )
    await scene.service.settle()
    assert not (await outcome(scene, inquiry)).sale_closed
    facts.confirm_time.FromDatetime(scene.clock.now().replace(tzinfo=None))
    for version, event in enumerate((orders_events.OrderConfirmed, orders_events.OrderDelivered), 2):
        scene.clock.advance(MINUTE)
        facts.version = version
        time = scene.clock.now()
        await scene.others.publish(event(order=facts), aggregate=facts.name, version=version, time=time)
    await scene.service.settle()


@pytest.mark.covers("V29", "V30", "V31")
async def test_an_observer_sees_contact_and_sale_and_never_the_conversation(scene: Scene) -> None:
    name = await observed(scene)
    await scene.inquiry(by=BEN)
    found = await outcome(scene, name)
    assert (found.seller, found.marketplace, found.contact_made) == ("sellers/acme", "craftfair", False)
    # Neither a note nor the buyer's own words are contact.
    await scene.say(OTTO, name, "canary-note", kind=timeline_pb2.Message.KIND_INTERNAL_NOTE)
    await scene.say(ANA, name, "canary-more")
    await scene.service.settle()
    assert not (await outcome(scene, name)).contact_made
    scene.clock.advance(MINUTE)
    contacted = scene.clock.now()
    await scene.say(OTTO, name, "canary-answer")
    scene.clock.advance(MINUTE)
    await scene.say(OTTO, name, "canary-again")
    await scene.service.settle()
    found = await outcome(scene, name)
    assert (found.contact_made, found.sale_closed) == (True, False)
    assert found.contact_time.ToDatetime(contacted.tzinfo) == contacted
    sold = scene.clock.now()
    await sell(scene, name)
    found = await outcome(scene, name)
    assert found.sale_closed
    assert found.sale_time.ToDatetime(sold.tzinfo) == sold
    listed = await scene.of(BOSCH).ListOutcomes(outcome_pb2.ListOutcomesRequest(parent="observers/bosch"))
    assert list(listed.outcomes) == [found]
    for answer in (found, listed):
        assert "canary" not in str(answer)
        assert "ana" not in str(answer)

    stub = scene.of(BOSCH)
    for call in (
        stub.GetConversation(pb.GetConversationRequest(name=name)),
        stub.ListTimeline(pb.ListTimelineRequest(parent=name)),
        stub.WatchConversation(pb.WatchConversationRequest(name=name)).read(),
        stub.SendMessage(pb.SendMessageRequest(parent=name, text="Hello")),
        stub.CloseConversation(methods.CloseConversationRequest(name=name)),
        stub.ArchiveConversation(methods.ArchiveConversationRequest(name=name)),
    ):
        assert (await refused(call)).reason == "NOT_FOUND"
    assert (
        await refused(stub.ListConversations(pb.ListConversationsRequest()))
    ).reason == "PERMISSION_DENIED"


@pytest.mark.covers("V31")
async def test_nobody_but_its_observer_gets_an_outcome(scene: Scene) -> None:
    name, unobserved = await observed(scene), (await scene.inquiry()).conversation.name
    await scene.service.settle()
    for who in (ANA, OTTO, BEN, RIVAL, OTHER, operator(), service("orders")):
        request = outcome_pb2.GetOutcomeRequest(name=f"{name}/outcome")
        assert (await refused(scene.of(who).GetOutcome(request))).reason == "NOT_FOUND"
    request = outcome_pb2.GetOutcomeRequest(name=f"{unobserved}/outcome")
    assert (await refused(scene.of(BOSCH).GetOutcome(request))).reason == "NOT_FOUND"
    listing = outcome_pb2.ListOutcomesRequest(parent="observers/bosch")
    assert (await refused(scene.of(OTHER).ListOutcomes(listing))).reason == "NOT_FOUND"
    assert (await refused(scene.of(ANA).ListOutcomes(listing))).reason == "PERMISSION_DENIED"


@pytest.mark.covers("V29")
async def test_declining_is_contact_and_pages_neither_repeat_nor_skip(scene: Scene) -> None:
    names = []
    for _ in range(5):
        scene.clock.advance(MINUTE)
        names.append(await observed(scene))
    reason = conversation_pb2.Conversation.DECLINE_REASON_BUDGET
    await scene.of(OTTO).DeclineInquiry(methods.DeclineInquiryRequest(name=names[0], reason=reason))
    await scene.service.settle()
    assert (await outcome(scene, names[0])).contact_made
    found: list[str] = []
    token = ""
    while True:
        page = await scene.of(BOSCH).ListOutcomes(
            outcome_pb2.ListOutcomesRequest(parent="observers/bosch", page_size=2, page_token=token)
        )
        found += [one.name.removesuffix("/outcome") for one in page.outcomes]
        token = page.next_page_token
        if not token:
            break
    assert found == names[::-1]
