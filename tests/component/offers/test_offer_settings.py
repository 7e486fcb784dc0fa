"""Settings of a seller for his offers, and counter-offers that they answer."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.testing import refused
from chassis.wire import timestamp
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offer_settings_pb2 import AutomaticAnswer, CounterRule, OfferSettings
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import ACME, ACME_AGENT, ANA, HOUR, NOW, OPERATOR, Scene, terms

NAME = "sellers/acme/offerSettings"
ACCEPTED, DECLINED, OPEN = (
    offer_pb2.Offer.STATE_ACCEPTED,
    offer_pb2.Offer.STATE_DECLINED,
    offer_pb2.Offer.STATE_OPEN,
)


async def save(scene: Scene, *paths: str, **fields: Any) -> OfferSettings:
    request = pb.UpdateOfferSettingsRequest(offer_settings=OfferSettings(name=NAME, **fields))
    if paths:
        request.update_mask.CopyFrom(FieldMask(paths=paths))
    saved: pb.UpdateOfferSettingsResponse = await scene.by(ACME).UpdateOfferSettings(request)
    return saved.offer_settings


async def read(scene: Scene, who: Any = ACME) -> OfferSettings:
    found = await scene.by(who).GetOfferSettings(pb.GetOfferSettingsRequest(name=NAME))
    settings: OfferSettings = found.offer_settings
    return settings


async def thresholds(scene: Scene, accept: int, decline: int, package: str = "") -> OfferSettings:
    rule = CounterRule(package=package, auto_accept_percent=accept, auto_decline_percent=decline)
    return await save(scene, counter_rules=[rule])


async def counter(scene: Scene, name: str, units: int, *, revision: int = 1, **fields: Any) -> Any:
    fields.setdefault("terms", terms(units))
    request = pb.CounterOfferRequest(name=name, revision=revision, **fields)
    return (await scene.by(ANA).CounterOffer(request)).offer


async def test_settings_are_saved_in_versions_by_the_owner(scene: Scene) -> None:
    assert (await read(scene)).etag == "v0"
    saved = await thresholds(scene, 90, 70)
    assert (saved.etag, saved.create_time, list(saved.allowed_actions)) == ("v1", timestamp(NOW), ["update"])
    scene.clock.advance(HOUR)
    zoned = await save(scene, time_zone="Europe/Berlin", etag="v1")
    assert (zoned.etag, zoned.time_zone, len(zoned.counter_rules)) == ("v2", "Europe/Berlin", 1)
    assert (await save(scene, time_zone="Europe/Berlin")).etag == "v2"
    cleared = await save(scene, "counter_rules")
    assert (cleared.etag, cleared.time_zone, len(cleared.counter_rules)) == ("v3", "Europe/Berlin", 0)
    agent = await read(scene, ACME_AGENT)
    assert [(a.action, a.reason) for a in agent.unavailable_actions] == [("update", "PERMISSION_DENIED")]
    assert (await read(scene, OPERATOR)).time_zone == "Europe/Berlin"
    assert await scene.events() == []


async def test_of_many_saves_at_once_each_is_a_version(scene: Scene) -> None:
    zones = ["UTC", "Europe/Berlin", "America/Lima", "Asia/Tokyo"]
    saved = await asyncio.gather(*(save(scene, time_zone=zone) for zone in zones))
    assert sorted(settings.etag for settings in saved) == ["v1", "v2", "v3", "v4"]

    others = ["Africa/Cairo", "America/Havana", "Asia/Kathmandu"]
    answers = await asyncio.gather(
        *(save(scene, time_zone=zone, etag="v4") for zone in others), return_exceptions=True
    )
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert [refusal.code() for refusal in refusals] == [grpc.StatusCode.ABORTED] * 2


@pytest.mark.covers("G38")
async def test_a_date_without_a_zone_is_read_where_the_seller_is(scene: Scene) -> None:
    await save(scene, time_zone="Asia/Kathmandu")
    offer = await scene.offer(expire_date=Date(year=2026, month=6, day=2))
    found = offer.current_revision.terms
    assert (found.expire_time.ToJsonString(), found.expire_time_zone) == (
        "2026-06-02T18:15:00Z",
        "Asia/Kathmandu",
    )
    await save(scene, time_zone="America/Lima")
    seen = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert seen.current_revision == offer.current_revision


@pytest.mark.parametrize(
    ("units", "state"),
    [(100, ACCEPTED), (90, ACCEPTED), (89, OPEN), (70, OPEN), (69, DECLINED), (1, DECLINED)],
)
async def test_counter_offers_are_answered_by_their_price(scene: Scene, units: int, state: Any) -> None:
    await thresholds(scene, 90, 70)
    offer = await scene.offer(amount=100)
    answered = await counter(scene, offer.name, units, note="Less?")
    assert answered.state == state
    assert answered.current_revision.author == offer_pb2.OfferRevision.AUTHOR_BUYER
    names = {ACCEPTED: ["OfferAccepted"], OPEN: [], DECLINED: ["OfferDeclined"]}[state]
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferCountered", *names]
    if state == OPEN:
        assert not answered.HasField("automatic_answer")
        return
    # The buyer learns that a rule decided, the team learns which.
    assert (answered.automatic_answer.revision, answered.automatic_answer.percent) == (2, 0)
    team = (await scene.by(ACME_AGENT).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert team.automatic_answer == AutomaticAnswer(
        verdict=AutomaticAnswer.VERDICT_ACCEPTED if state == ACCEPTED else AutomaticAnswer.VERDICT_DECLINED,
        revision=2,
        answer_time=timestamp(NOW),
        settings_version=1,
        percent=90 if state == ACCEPTED else 70,
    )
    told: Any = (await scene.events(offer.name))[-1]
    assert (told.offer.automatic, told.offer.version, told.offer.revision) == (True, 3, 2)
    if state == ACCEPTED:
        assert told.offer.order == answered.acceptance.order == offer.name.replace("offers/", "orders/")
        assert told.offer.total.units == units
    else:
        assert (answered.decline_reason, answered.close_time) == ("The price is too low.", timestamp(NOW))


async def test_whatever_is_no_mere_question_of_price_waits_for_the_seller(scene: Scene) -> None:
    await thresholds(scene, 1, 0)
    for changes in ({"scope": "And a card"}, {"delivery_days": 2}, {"start_time": timestamp(NOW + HOUR)}):
        offer = await scene.offer()
        answered = await counter(scene, offer.name, 0, terms=terms(100, **changes))
        assert answered.state == OPEN
    back = await scene.offer()
    await counter(scene, back.name, 0, terms=terms(90, scope="And a card"))
    own = pb.CounterOfferRequest(name=back.name, revision=2, terms=terms(95, scope="And a card"))
    # The seller's own counter-offers are not answered by his rules.
    assert (await scene.by(ACME).CounterOffer(own)).offer.state == OPEN
    again = await counter(scene, back.name, 0, terms=terms(93, scope="And a card"), revision=3)
    assert (again.state, again.acceptance.revision) == (ACCEPTED, 4)


async def test_a_rule_is_for_a_package_that_there_is_and_outlives_it(scene: Scene) -> None:
    logo = (await scene.listing()).name
    basic = f"{logo}/packages/basic"
    await thresholds(scene, 90, 0, package=basic)
    offer = await scene.offer(package=basic)
    await scene.by(ACME).RetireListing(pb.RetireListingRequest(name=logo))
    # What was named before hinders no other change, and still answers for what is open.
    assert (await thresholds(scene, 80, 0, package=basic)).etag == "v2"
    assert (await counter(scene, offer.name, 0, terms=terms(80, package=basic))).state == ACCEPTED


async def test_online_a_counter_offer_is_accepted_with_a_means_of_payment(scene: Scene) -> None:
    await thresholds(scene, 90, 0)
    online: dict[str, Any] = {"payment_method": commerce_pb2.PAYMENT_METHOD_ONLINE}
    home = commerce_pb2.Address(
        recipient="Ana", address_lines=["1 Way"], locality="Graz", region_code="AT", postal_code="8010"
    )
    waiting = await scene.offer(**online)
    assert (await counter(scene, waiting.name, 0, terms=terms(95, **online))).state == OPEN
    paid = await scene.offer(**online)
    done = await counter(
        scene, paid.name, 0, terms=terms(95, **online), payment_token="tok_1", billing_address=home
    )
    assert (done.state, done.acceptance.billing_address) == (ACCEPTED, home)
    told: Any = (await scene.events(paid.name))[-1]
    assert (told.payment_token, told.has_addresses) == ("tok_1", True)


async def test_a_quote_is_agreed_automatically_too(scene: Scene) -> None:
    await thresholds(scene, 90, 0)
    order = scene.origins.add("orders")
    offer = await scene.offer(order)
    assert (await counter(scene, offer.name, 95)).acceptance.order == order


async def test_an_automatic_answer_is_given_once_whoever_races(scene: Scene) -> None:
    await thresholds(scene, 90, 0)
    for number in range(10):
        name = (await scene.offer(expires_in=HOUR)).name
        request = pb.CounterOfferRequest(name=name, revision=1, terms=terms(95), request_id=f"key-{number}")
        calls = [
            scene.by(ANA).CounterOffer(request),
            scene.by(ANA).CounterOffer(request),
            scene.by(ANA).CounterOffer(pb.CounterOfferRequest(name=name, revision=1, terms=terms(96))),
            scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=name, revision=1)),
            scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=name, etag="v1")),
        ]
        turn = number % len(calls)
        await asyncio.gather(*calls[turn:], *calls[:turn], return_exceptions=True)
        names = await scene.event_names(name)
        assert names.count("OfferAccepted") + names.count("OfferWithdrawn") == 1
        assert names in (
            ["OfferSent", "OfferCountered", "OfferAccepted"],
            ["OfferSent", "OfferAccepted"],
            ["OfferSent", "OfferWithdrawn"],
        )


async def test_the_rules_of_the_moment_decide(scene: Scene) -> None:
    await thresholds(scene, 90, 0)
    offer = await scene.offer()
    await save(scene, "counter_rules")
    assert (await counter(scene, offer.name, 95)).state == OPEN
    await thresholds(scene, 90, 0)
    # Rules answer when a counter-offer is made, never afterwards.
    refusal = await refused(scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=2)))
    assert refusal.reason == "NOT_YOUR_TURN"
