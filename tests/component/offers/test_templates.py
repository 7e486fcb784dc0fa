"""Templates of a seller's team, and offers that are made of them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.type.date_pb2 import Date

from chassis.testing import refused
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offer_settings_pb2 import CounterRule, OfferSettings
from parley.offers.v1.offer_template_pb2 import OfferTemplate
from tests.component.offers.scene import ACME, ACME_AGENT, ANA, OTHER, Scene, money, terms


async def template(scene: Scene, title: str = "Logo", **fields: Any) -> OfferTemplate:
    fields.setdefault("terms", terms(100, scope="Three drafts"))
    request = pb.CreateOfferTemplateRequest(
        parent="sellers/acme", offer_template=OfferTemplate(title=title, **fields)
    )
    made: pb.CreateOfferTemplateResponse = await scene.by(ACME_AGENT).CreateOfferTemplate(request)
    return made.offer_template


async def offered(scene: Scene, name: str, **fields: Any) -> offer_pb2.Offer:
    request = pb.CreateOfferRequest(
        order_request=scene.origins.add(), template=name, **{"send": True, **fields}
    )
    made: pb.CreateOfferResponse = await scene.by(ACME).CreateOffer(request)
    return made.offer


@pytest.mark.covers("X16")
async def test_an_offer_copies_a_template_and_its_counter_offers_are_answered(scene: Scene) -> None:
    settings = OfferSettings(
        name="sellers/acme/offerSettings",
        time_zone="Asia/Kathmandu",
        counter_rules=[CounterRule(auto_accept_percent=90, auto_decline_percent=70)],
    )
    await scene.by(ACME).UpdateOfferSettings(pb.UpdateOfferSettingsRequest(offer_settings=settings))
    made = await template(scene, note="Gladly", valid_days=1)
    assert (made.etag, list(made.allowed_actions)) == ("v1", ["update", "delete"])
    offer = await offered(scene, made.name)
    revision = offer.current_revision
    assert (offer.state, revision.note, revision.total) == (offer_pb2.Offer.STATE_OPEN, "Gladly", money(100))
    # It is the first of June there, too; tomorrow is the last day.
    assert revision.terms.expire_date == Date(year=2026, month=6, day=2)
    assert revision.terms.expire_time.ToJsonString() == "2026-06-02T18:15:00Z"
    assert revision.terms.scope == "Three drafts"
    for units, state in ((90, offer_pb2.Offer.STATE_ACCEPTED), (69, offer_pb2.Offer.STATE_DECLINED)):
        wanted = terms(units, scope="Three drafts")
        name = (await offered(scene, made.name)).name
        counter = pb.CounterOfferRequest(name=name, revision=1, terms=wanted)
        assert (await scene.by(ANA).CounterOffer(counter)).offer.state == state


@pytest.mark.covers("X16", "G40")
async def test_offers_stay_as_they_are_whatever_becomes_of_the_template(scene: Scene) -> None:
    made = await template(scene)
    offer = await offered(scene, made.name, note="For you")
    assert offer.current_revision.note == "For you"
    assert not offer.current_revision.terms.HasField("expire_time")
    cheaper = OfferTemplate(name=made.name, etag="v1", terms=terms(50))
    update = pb.UpdateOfferTemplateRequest(offer_template=cheaper)
    changed = (await scene.by(ACME).UpdateOfferTemplate(update)).offer_template
    assert (changed.etag, changed.title, changed.terms) == ("v2", "Logo", terms(50))
    cheaper.etag = "v2"
    same = pb.UpdateOfferTemplateRequest(offer_template=cheaper)
    assert (await scene.by(ACME).UpdateOfferTemplate(same)).offer_template.etag == "v2"
    stale = await refused(scene.by(ACME).UpdateOfferTemplate(update))
    assert stale.reason == "ETAG_MISMATCH"
    emptied = pb.UpdateOfferTemplateRequest(
        offer_template=OfferTemplate(name=made.name), update_mask=FieldMask(paths=["title"])
    )
    assert (await refused(scene.by(ACME).UpdateOfferTemplate(emptied))).reason == "VALIDATION_FAILED"
    deleting = pb.DeleteOfferTemplateRequest(name=made.name, etag="v1")
    assert (await refused(scene.by(ACME).DeleteOfferTemplate(deleting))).reason == "ETAG_MISMATCH"
    deleting.etag = "v2"
    await scene.by(ACME).DeleteOfferTemplate(deleting)
    asked = pb.GetOfferTemplateRequest(name=made.name)
    assert (await refused(scene.by(ACME).GetOfferTemplate(asked))).reason == "NOT_FOUND"
    seen = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert seen.current_revision == offer.current_revision


async def test_a_team_reads_its_own_templates_in_pages(scene: Scene) -> None:
    names = [(await template(scene, f"T{number}")).name for number in range(5)]
    found: list[str] = []
    request = pb.ListOfferTemplatesRequest(parent="sellers/acme", page_size=2)
    while True:
        page = await scene.by(ACME_AGENT).ListOfferTemplates(request)
        found += [one.name for one in page.offer_templates]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert found == names
    got = await scene.by(ACME).GetOfferTemplate(pb.GetOfferTemplateRequest(name=names[0]))
    assert got.offer_template.title == "T0"
    others = pb.ListOfferTemplatesRequest(parent="sellers/other")
    assert not (await scene.by(OTHER).ListOfferTemplates(others)).offer_templates
    # An offer to a request that was sent to acme is never made of what another seller keeps.
    foreign = pb.CreateOfferTemplateRequest(
        parent="sellers/other", offer_template=OfferTemplate(title="T", terms=terms())
    )
    name = (await scene.by(OTHER).CreateOfferTemplate(foreign)).offer_template.name
    making = pb.CreateOfferRequest(order_request=scene.origins.add(), template=name)
    assert (await refused(scene.by(ACME).CreateOffer(making))).metadata["resource"] == name


async def test_a_template_of_a_package_that_is_gone_makes_no_offer(scene: Scene) -> None:
    made = await template(scene, terms=terms(package="sellers/acme/listings/logo/packages/basic"))
    making = pb.CreateOfferRequest(order_request=scene.origins.add(), template=made.name)
    assert (await refused(scene.by(ACME).CreateOffer(making))).reason == "PACKAGE_UNKNOWN"
    await scene.listing("logo")
    assert (await scene.by(ACME).CreateOffer(making)).offer.state == offer_pb2.Offer.STATE_DRAFT


async def test_edits_and_removals_at_once_have_one_winner(scene: Scene) -> None:
    for number in range(6):
        name = (await template(scene)).name
        calls: list[Any] = [
            scene.by(ACME).UpdateOfferTemplate(
                pb.UpdateOfferTemplateRequest(
                    offer_template=OfferTemplate(name=name, etag="v1", title=f"T{turn}")
                )
            )
            for turn in range(3)
        ]
        calls.append(scene.by(ACME).DeleteOfferTemplate(pb.DeleteOfferTemplateRequest(name=name, etag="v1")))
        turn = number % len(calls)
        answers = await asyncio.gather(*calls[turn:], *calls[:turn], return_exceptions=True)
        refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert len(refusals) == 3
        assert {r.code() for r in refusals} <= {grpc.StatusCode.ABORTED, grpc.StatusCode.NOT_FOUND}
