"""Listings and packages that leave the sale, and what becomes of the offers for them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.kernel.refusal import Kind, Refusal
from chassis.testing import ANONYMOUS, Identity, refused
from parley.offers.v1 import events_pb2, listing_pb2, offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from services.offers.app import retirement
from tests.component.offers.scene import (
    ACME,
    ACME_AGENT,
    ANA,
    HOUR,
    OPERATOR,
    OTHER,
    Scene,
    create,
    listing,
    money,
    package,
    terms,
)

LOGO = "sellers/acme/listings/logo"
BASIC, PLUS = f"{LOGO}/packages/basic", f"{LOGO}/packages/plus"
RETIRED = listing_pb2.Listing.STATE_RETIRED


async def two_packages(scene: Scene, *, published: bool = True) -> None:
    made = listing(published=published)
    made.packages.append(package("plus", 200))
    await scene.by(ACME).CreateListing(
        pb.CreateListingRequest(parent="sellers/acme", listing_id="logo", listing=made)
    )


async def retire(scene: Scene, who: Identity = ACME, **fields: Any) -> listing_pb2.Listing:
    answer = await scene.by(who).RetireListing(pb.RetireListingRequest(name=LOGO, **fields))
    found: listing_pb2.Listing = answer.listing
    return found


async def keep(scene: Scene, *packages: listing_pb2.Package) -> listing_pb2.Listing:
    """An update after which the listing sells only these."""
    changed = listing_pb2.Listing(name=LOGO, packages=packages)
    request = pb.UpdateListingRequest(listing=changed, update_mask=FieldMask(paths=["packages"]))
    found: listing_pb2.Listing = (await scene.by(ACME).UpdateListing(request)).listing
    return found


async def read(scene: Scene, name: str, who: Identity = ANA) -> offer_pb2.Offer:
    found: offer_pb2.Offer = (await scene.by(who).GetOffer(pb.GetOfferRequest(name=name))).offer
    return found


def what_was_agreed(offer: offer_pb2.Offer) -> tuple[offer_pb2.OfferRevision, int]:
    return offer.current_revision, offer.state


async def test_a_retired_listing_can_be_read_but_is_not_for_sale(scene: Scene) -> None:
    await two_packages(scene)
    scene.clock.advance(HOUR)
    gone = await retire(scene, ACME_AGENT, etag="v1")
    assert (gone.state, gone.published, gone.etag) == (RETIRED, False, "v2")
    assert gone.retire_time.ToDatetime() == gone.update_time.ToDatetime() > gone.create_time.ToDatetime()
    assert list(gone.allowed_actions) == []
    assert [(each.action, each.reason) for each in gone.unavailable_actions] == [
        (action, "TRANSITION_FORBIDDEN") for action in ("update", "retire", "publish", "unpublish")
    ]
    seen = (await scene.by(ANONYMOUS).GetListing(pb.GetListingRequest(name=LOGO))).listing
    assert (seen.state, [each.package_id for each in seen.packages]) == (RETIRED, ["basic", "plus"])
    everything = pb.ListListingsRequest(parent="sellers/acme")
    assert not (await scene.by(ANA).ListListings(everything)).listings
    assert [each.state for each in (await scene.by(ACME).ListListings(everything)).listings] == [RETIRED]
    everything.state = RETIRED
    assert len((await scene.by(ACME).ListListings(everything)).listings) == 1
    assert not (await scene.by(ANA).ListListings(everything)).listings
    _, retired = await scene.events(LOGO)
    assert isinstance(retired, events_pb2.ListingRetired)
    assert (retired.version, retired.listing.state, retired.listing.published) == (2, RETIRED, False)


async def test_what_was_never_shown_stays_unseen(scene: Scene) -> None:
    await two_packages(scene, published=False)
    await retire(scene)
    refusal = await refused(scene.by(ANA).GetListing(pb.GetListingRequest(name=LOGO)))
    assert refusal.kind is Kind.NOT_FOUND
    refusal = await refused(
        scene.by(ACME).CreateOffer(create(scene.origins.add(), terms=terms(package=BASIC)))
    )
    assert refusal.reason == "PACKAGE_RETIRED"


async def test_retiring_again_changes_nothing_and_nothing_is_edited_afterwards(scene: Scene) -> None:
    await two_packages(scene)
    first = await retire(scene)
    await scene.service.settle()
    before = await scene.written()
    scene.clock.advance(HOUR)
    assert await retire(scene) == first
    assert await retire(scene, etag="v2") == first
    for paths, fields in (
        (["title"], {"title": "New"}),
        (["published"], {"published": True}),
        (["title"], {}),
    ):
        request = pb.UpdateListingRequest(
            listing=listing_pb2.Listing(name=LOGO, **({"title": "Logo design"} | fields)),
            update_mask=FieldMask(paths=paths),
        )
        refusal = await refused(scene.by(ACME).UpdateListing(request))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
        assert refusal.metadata == {
            "resource": LOGO,
            "state": "RETIRED",
            "action": "update",
            "allowed_actions": "",
        }
    assert await scene.written() == before


@pytest.mark.parametrize(
    ("who", "fields", "reason"),
    [
        (ACME, {"etag": "v7"}, "ETAG_MISMATCH"),
        (ANA, {}, "NOT_FOUND"),
        (OTHER, {}, "NOT_FOUND"),
        (OPERATOR, {}, "NOT_FOUND"),
        (ANONYMOUS, {}, "UNAUTHENTICATED"),
    ],
)
async def test_retirements_that_are_refused_write_nothing(
    scene: Scene, who: Identity, fields: dict[str, str], reason: str
) -> None:
    await two_packages(scene)
    before = await scene.written()
    assert (await refused(retire(scene, who, **fields))).reason == reason
    assert await scene.written() == before


async def test_nobody_retires_what_is_not_there(scene: Scene) -> None:
    refusal = await refused(retire(scene))
    assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": LOGO})


async def test_a_package_that_an_update_leaves_out_is_retired(scene: Scene) -> None:
    await two_packages(scene)
    changed = await keep(scene, package("plus", 200))
    assert [each.package_id for each in changed.packages] == ["plus"]
    (gone,) = changed.retired_packages
    assert (gone.name, gone.price, gone.HasField("retire_time")) == (BASIC, money(100), True)
    scene.clock.advance(HOUR)
    changed = await keep(scene, package("third"))
    assert [each.package_id for each in changed.retired_packages] == ["plus", "basic"]
    await scene.service.settle()
    before = await scene.written()
    refusal = await refused(keep(scene, package("third"), package("basic")))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PACKAGE_RETIRED")
    assert refusal.metadata == {"package": BASIC}
    assert await scene.written() == before
    (*_, event) = await scene.events(LOGO)
    assert isinstance(event, events_pb2.ListingUpdated)
    assert [each.package_id for each in event.listing.retired_packages] == ["plus", "basic"]


async def test_prices_and_plans_of_retired_packages_are_not_searched(scene: Scene) -> None:
    await two_packages(scene)
    await keep(scene, package("plus", 200))
    cheap = pb.ListListingsRequest(parent="sellers/acme", max_price=money(100))
    assert not (await scene.by(ANA).ListListings(cheap)).listings


@pytest.mark.covers("G40")
@pytest.mark.parametrize("whole", [True, False])
async def test_an_open_offer_keeps_its_terms_and_both_sides_are_told(scene: Scene, whole: bool) -> None:
    await two_packages(scene)
    offer = await scene.offer(package=BASIC)
    other = await scene.offer(package=PLUS)
    free = await scene.offer()
    if whole:
        await retire(scene)
    else:
        await keep(scene, package("plus", 999))
    await scene.service.settle()
    (sent, told) = await scene.events(offer.name)
    assert isinstance(told, events_pb2.OfferPackageRetired)
    assert (told.offer.version, told.offer.package, told.offer.state) == (2, BASIC, offer.state)
    assert told.offer.total == sent.offer.total  # type: ignore[attr-defined]
    assert await scene.event_names(other.name) == ["OfferSent", *["OfferPackageRetired"] * whole]
    assert await scene.event_names(free.name) == ["OfferSent"]
    assert what_was_agreed(await read(scene, offer.name)) == what_was_agreed(offer)
    assert what_was_agreed(await read(scene, other.name)) == what_was_agreed(other)
    # What is agreed on can be negotiated further, and accepted.
    cheaper = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(90, package=BASIC))
    await scene.by(ANA).CounterOffer(cheaper)
    await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=terms(95, package=BASIC)))
    accepted = await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=3))
    assert accepted.offer.current_revision.total == money(95)
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=other.name, revision=1))


async def test_each_open_offer_is_told_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches and repeated retirements included; drafts, closed and overdue offers have nobody to tell."""
    monkeypatch.setattr(retirement, "BATCH_OFFERS", 2)
    await two_packages(scene)
    told = [(await scene.offer(package=each)).name for each in (*(BASIC, PLUS) * 3, BASIC)]
    draft = await scene.offer(package=BASIC, send=False)
    declined = await scene.offer(package=BASIC)
    await scene.by(ANA).DeclineOffer(pb.DeclineOfferRequest(name=declined.name))
    await keep(scene, package("plus", 200), package("extra"))
    await scene.service.settle()
    told += [(await scene.offer(package=f"{LOGO}/packages/extra")).name for _ in range(3)]
    await retire(scene)
    await scene.service.settle()
    for name in told:
        assert await scene.event_names(name) == ["OfferSent", "OfferPackageRetired"]
    assert await scene.event_names(draft.name) == []
    assert await scene.event_names(declined.name) == ["OfferSent", "OfferDeclined"]


async def test_an_offer_whose_time_ran_out_is_not_told(scene: Scene) -> None:
    await two_packages(scene)
    offer = await scene.offer(package=BASIC, expires_in=HOUR)
    scene.clock.advance(HOUR)
    await retire(scene)
    await scene.service.settle()
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferExpired"]


@pytest.mark.parametrize("whole", [True, False])
async def test_nothing_new_is_offered_of_a_retired_package(scene: Scene, whole: bool) -> None:
    await two_packages(scene)
    draft = await scene.offer(package=BASIC, send=False)
    expired = await scene.offer(package=BASIC, expires_in=HOUR)
    open_ = await scene.offer()
    scene.clock.advance(HOUR)
    await scene.service.settle()
    if whole:
        await retire(scene)
    else:
        await keep(scene, package("plus", 200))
    await scene.service.settle()
    before = await scene.written()
    by_acme, by_ana, wanted = scene.by(ACME), scene.by(ANA), terms(package=BASIC)
    for call in (
        by_acme.CreateOffer(create(scene.origins.add(), terms=wanted)),
        by_acme.CreateOffer(create(scene.origins.add(), terms=wanted, send=True)),
        by_acme.SendOffer(pb.SendOfferRequest(name=draft.name)),
        by_acme.ReviveOffer(pb.ReviveOfferRequest(name=expired.name)),
        by_acme.ReviseOffer(pb.ReviseOfferRequest(name=open_.name, terms=wanted)),
        by_ana.CounterOffer(pb.CounterOfferRequest(name=open_.name, revision=1, terms=wanted)),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PACKAGE_RETIRED")
        assert refusal.metadata == {"package": BASIC}
    assert await scene.written() == before


async def test_an_offer_that_races_its_package_is_refused_or_told(scene: Scene) -> None:
    """Whoever comes first: an offer that exists knows of the retirement, another does not come to be."""
    await two_packages(scene)
    calls = [
        scene.by(ACME).CreateOffer(create(scene.origins.add(), terms=terms(package=BASIC), send=True))
        for _ in range(8)
    ]
    calls.insert(4, scene.by(ACME).RetireListing(pb.RetireListingRequest(name=LOGO)))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    await scene.service.settle()
    for answer in answers:
        if isinstance(answer, pb.CreateOfferResponse):
            assert await scene.event_names(answer.offer.name) == ["OfferSent", "OfferPackageRetired"]
        elif not isinstance(answer, pb.RetireListingResponse):
            refusal = await refused(_again(answer))
            assert refusal.reason == "PACKAGE_RETIRED"


async def _again(error: BaseException) -> None:
    raise error


async def test_of_many_edits_of_one_version_one_wins(scene: Scene) -> None:
    await two_packages(scene)
    edits = [
        scene.by(ACME).UpdateListing(
            pb.UpdateListingRequest(
                listing=listing_pb2.Listing(name=LOGO, etag="v1", title=f"Title {number}"),
                update_mask=FieldMask(paths=["title"]),
            )
        )
        for number in range(4)
    ]
    answers = await asyncio.gather(*edits, retire(scene, etag="v1"), return_exceptions=True)
    losers = [await refused(_again(each)) for each in answers if isinstance(each, BaseException)]
    assert [each.reason for each in losers] == ["ETAG_MISMATCH"] * 4
    assert len(await scene.events(LOGO)) == 2


async def test_of_many_retirements_one_happens(scene: Scene) -> None:
    await two_packages(scene)
    answers = await asyncio.gather(*(retire(scene) for _ in range(5)))
    assert {each.etag for each in answers} == {"v2"}
    assert await scene.event_names(LOGO) == ["ListingCreated", "ListingRetired"]


async def test_a_repeated_retirement_gets_its_first_answer(scene: Scene) -> None:
    await two_packages(scene)
    first = await retire(scene, request_id="one")
    scene.clock.advance(timedelta(days=1))
    assert await retire(scene, request_id="one") == first
    refusal: Refusal = await refused(retire(scene, request_id="one", etag="v1"))
    assert refusal.reason == "REQUEST_ID_REUSED"
