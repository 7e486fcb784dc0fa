"""Listings through the API."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, refused
from chassis.wire import timestamp
from parley.offers.v1 import events_pb2, listing_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import (
    ACME,
    ACME_AGENT,
    ANA,
    HOUR,
    NOW,
    OPERATOR,
    ORDERS,
    OTHER,
    Scene,
    create,
    listing,
    money,
    package,
    plan,
    terms,
)

LOGO = "sellers/acme/listings/logo"


def update(paths: list[str], **fields: Any) -> pb.UpdateListingRequest:
    etag = fields.pop("etag", "")
    return pb.UpdateListingRequest(
        listing=listing_pb2.Listing(name=LOGO, etag=etag, **fields), update_mask=FieldMask(paths=paths)
    )


async def test_everybody_reads_what_is_published(scene: Scene) -> None:
    await scene.listing("logo")
    for who in (ANONYMOUS, ANA, OTHER, ACME, OPERATOR, ORDERS):
        found = (await scene.by(who).GetListing(pb.GetListingRequest(name=LOGO))).listing
        assert (found.name, found.title, found.etag) == (LOGO, "Logo design", "v1")
        assert found.packages[0].name == f"{LOGO}/packages/basic"
        assert list(found.allowed_actions) == (["update", "retire", "unpublish"] if who is ACME else [])
    (event,) = await scene.events(LOGO)
    assert isinstance(event, events_pb2.ListingCreated)
    assert (event.version, event.listing.packages[0].price) == (1, money(100))
    assert not event.listing.allowed_actions


async def test_what_is_not_published_is_for_the_team_the_operator_and_the_services(scene: Scene) -> None:
    await scene.listing("logo", published=False)
    await scene.listing("poster")
    get, listed = pb.GetListingRequest(name=LOGO), pb.ListListingsRequest(parent="sellers/acme")
    for who, seen in ((ANONYMOUS, 1), (ANA, 1), (OTHER, 1), (ACME_AGENT, 2), (OPERATOR, 2), (ORDERS, 2)):
        assert len((await scene.by(who).ListListings(listed)).listings) == seen
        if seen == 2:
            assert (await scene.by(who).GetListing(get)).listing.name == LOGO
        else:
            refusal = await refused(scene.by(who).GetListing(get))
            assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": LOGO})


async def test_listings_come_in_pages_by_name(scene: Scene) -> None:
    for listing_id in ("c", "a", "d", "b", "e"):
        await scene.listing(listing_id)
    request = pb.ListListingsRequest(parent="sellers/acme", page_size=2)
    found: list[str] = []
    for _ in range(3):
        page = await scene.by(ANONYMOUS).ListListings(request)
        found += [each.name.rpartition("/")[2] for each in page.listings]
        request.page_token = page.next_page_token
    assert found == ["a", "b", "c", "d", "e"]
    assert request.page_token == ""
    assert not (
        await scene.by(ANONYMOUS).ListListings(pb.ListListingsRequest(parent="sellers/none"))
    ).listings


async def test_an_id_is_made_where_none_is_chosen(scene: Scene) -> None:
    request = pb.CreateListingRequest(parent="sellers/acme", listing=listing())
    made = (await scene.by(ACME).CreateListing(request)).listing
    assert (
        await scene.by(ANA).GetListing(pb.GetListingRequest(name=made.name))
    ).listing == listing_without_actions(made)


def listing_without_actions(made: listing_pb2.Listing) -> listing_pb2.Listing:
    plain = listing_pb2.Listing()
    plain.CopyFrom(made)
    plain.ClearField("allowed_actions")
    plain.ClearField("unavailable_actions")
    return plain


async def test_an_update_changes_what_the_mask_names(scene: Scene) -> None:
    await scene.listing("logo")
    trial = plan(trial_days=14, period_count=12, anchor_day=31)
    monthly = package("monthly", units=0)
    monthly.plan.CopyFrom(trial)
    changed = (
        await scene.by(ACME_AGENT).UpdateListing(
            update(["packages", "description"], title="ignored", description="More", packages=[monthly])
        )
    ).listing
    assert (changed.title, changed.description, changed.etag) == ("Logo design", "More", "v2")
    assert [(p.package_id, p.price, p.plan) for p in changed.packages] == [("monthly", money(0), trial)]
    populated = (await scene.by(ACME).UpdateListing(update([], title="Logos"))).listing
    assert (populated.title, populated.description, populated.published) == ("Logos", "More", True)
    hidden = (await scene.by(ACME).UpdateListing(update(["published"], etag="v3"))).listing
    assert not hidden.published
    assert await scene.event_names(LOGO) == ["ListingCreated", *["ListingUpdated"] * 3]


async def test_a_star_replaces_everything_that_can_be_set(scene: Scene) -> None:
    await scene.listing("logo")
    whole = update(["*"], title="New", intake=listing_pb2.Listing.INTAKE_BY_QUOTE, packages=[package("plus")])
    changed = (await scene.by(ACME).UpdateListing(whole)).listing
    assert (changed.title, changed.description, changed.published) == ("New", "", False)
    assert (changed.state, changed.intake) == (
        listing_pb2.Listing.STATE_UNPUBLISHED,
        listing_pb2.Listing.INTAKE_BY_QUOTE,
    )
    assert [each.package_id for each in changed.packages] == ["plus"]
    await scene.service.settle()
    before = await scene.written()
    for paths in (
        ["*"],
        ["title", "*"],
        ["packages.title"],
        ["retire_time"],
        ["state"],
        ["retired_packages"],
    ):
        await refused(scene.by(ACME).UpdateListing(update(paths)))
    assert await scene.written() == before


async def test_an_update_that_changes_nothing_writes_nothing(scene: Scene) -> None:
    await scene.listing("logo")
    before = await scene.written()
    same = (await scene.by(ACME).UpdateListing(update(["title"], title="Logo design"))).listing
    assert same.etag == "v1"
    assert await scene.written() == before


@pytest.mark.parametrize(
    ("request_", "reason", "metadata"),
    [
        (update(["title"]), "VALIDATION_FAILED", {"field": "listing.title"}),
        (update(["packages"]), "VALIDATION_FAILED", {"field": "listing.packages"}),
        (update(["intake"], intake=99), "VALIDATION_FAILED", {"field": "listing.intake"}),
        (update(["color"]), "UNKNOWN_FIELD_PATH", {"field": "update_mask", "path": "color"}),
        (update(["name"]), "UNKNOWN_FIELD_PATH", {"field": "update_mask", "path": "name"}),
        (update(["etag"]), "UNKNOWN_FIELD_PATH", {"field": "update_mask", "path": "etag"}),
        (
            update(["title"], title="New", etag="v7"),
            "ETAG_MISMATCH",
            {"resource": LOGO, "expected": "v7", "actual": "v1"},
        ),
        (
            update(["packages"], packages=[package(), package()]),
            "DUPLICATE_PACKAGE",
            {"field": "listing.packages", "package_id": "basic"},
        ),
        (
            update(["packages"], packages=[package(), package("plus", currency="USD")]),
            "CURRENCY_MISMATCH",
            {"field": "listing.packages[1].price", "expected": "EUR", "actual": "USD"},
        ),
        (
            update(["packages"], packages=[package(units=-1)]),
            "AMOUNT_INVALID",
            {"field": "listing.packages[0].price", "currency": "EUR"},
        ),
    ],
)
async def test_updates_that_are_refused_write_nothing(
    scene: Scene, request_: pb.UpdateListingRequest, reason: str, metadata: dict[str, str]
) -> None:
    await scene.listing("logo")
    before = await scene.written()
    refusal = await refused(scene.by(ACME).UpdateListing(request_))
    assert (refusal.reason, refusal.metadata) == (reason, metadata)
    assert await scene.written() == before


async def test_one_listing_of_each_name(scene: Scene) -> None:
    await scene.listing("logo")
    before = await scene.written()
    request = pb.CreateListingRequest(parent="sellers/acme", listing_id="logo", listing=listing())
    refusal = await refused(scene.by(ACME).CreateListing(request))
    assert (refusal.kind, refusal.reason) == (Kind.EXISTS, "LISTING_EXISTS")
    assert refusal.metadata == {"resource": LOGO}
    assert await scene.written() == before
    request.parent = "sellers/other"
    assert (await scene.by(OTHER).CreateListing(request)).listing.name == "sellers/other/listings/logo"


PLANS: list[tuple[str, Any]] = [
    ("interval_count", 25),
    ("trial_days", -1),
    ("trial_days", 731),
    ("period_count", -1),
    ("period_count", 1_201),
    ("anchor_day", -1),
    ("anchor_day", 32),
    ("start_time", timestamp(NOW + HOUR)),
]


async def test_a_plan_has_bounds_and_begins_on_no_fixed_day(scene: Scene) -> None:
    for field, value in PLANS:
        monthly = package("monthly")
        monthly.plan.CopyFrom(plan(**{field: value}))
        request = pb.CreateListingRequest(parent="sellers/acme", listing=listing(packages=[monthly]))
        refusal = await refused(scene.by(ACME).CreateListing(request))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "VALIDATION_FAILED")
        assert refusal.metadata["field"] == f"listing.packages[1].plan.{field}"


async def test_an_anchor_is_a_day_of_a_month(scene: Scene) -> None:
    weekly = package("weekly")
    weekly.plan.CopyFrom(plan(interval=commerce_pb2.Plan.INTERVAL_WEEK, anchor_day=1))
    request = pb.CreateListingRequest(parent="sellers/acme", listing=listing(packages=[weekly]))
    refusal = await refused(scene.by(ACME).CreateListing(request))
    assert (refusal.reason, refusal.metadata["field"]) == ("VALIDATION_FAILED", "listing.packages[1].plan")


async def test_the_terms_of_an_offer_say_when_a_plan_begins(scene: Scene) -> None:
    later = plan(start_time=timestamp(NOW + HOUR), trial_days=3, anchor_day=15)
    offer = await scene.offer(plan=later)
    assert offer.current_revision.terms.plan == later
    (event,) = await scene.events(offer.name)
    assert event.offer.plan == later  # type: ignore[attr-defined]
    past = create(scene.origins.add(), terms=terms(plan=plan(start_time=timestamp(NOW))))
    refusal = await refused(scene.by(ACME).CreateOffer(past))
    assert (refusal.reason, refusal.metadata) == (
        "TIME_OUT_OF_RANGE",
        {"field": "terms.plan.start_time"},
    )


async def test_publishing_and_hiding_are_moves(scene: Scene) -> None:
    made = await scene.listing("logo", published=False)
    assert list(made.allowed_actions) == ["update", "retire", "publish"]
    refusal = await refused(scene.by(ACME).PublishListing(pb.PublishListingRequest(name=LOGO, etag="v7")))
    assert refusal.reason == "ETAG_MISMATCH"
    shown = (
        await scene.by(ACME_AGENT).PublishListing(pb.PublishListingRequest(name=LOGO, etag="v1"))
    ).listing
    assert (shown.state, shown.published, shown.etag) == (listing_pb2.Listing.STATE_PUBLISHED, True, "v2")
    assert [(one.action, one.reason) for one in shown.unavailable_actions] == [
        ("publish", "TRANSITION_FORBIDDEN")
    ]
    await scene.by(ANA).GetListing(pb.GetListingRequest(name=LOGO))
    # Once is enough.
    assert (await scene.by(ACME).PublishListing(pb.PublishListingRequest(name=LOGO))).listing.etag == "v2"
    hidden = (await scene.by(ACME).UnpublishListing(pb.UnpublishListingRequest(name=LOGO))).listing
    assert (hidden.state, hidden.etag) == (listing_pb2.Listing.STATE_UNPUBLISHED, "v3")
    assert (await scene.by(ACME).UnpublishListing(pb.UnpublishListingRequest(name=LOGO))).listing == hidden
    assert (await refused(scene.by(ANA).GetListing(pb.GetListingRequest(name=LOGO)))).reason == "NOT_FOUND"
    assert await scene.event_names(LOGO) == ["ListingCreated", "ListingUpdated", "ListingUpdated"]
    await scene.by(ACME).RetireListing(pb.RetireListingRequest(name=LOGO))
    for call in (
        scene.by(ACME).PublishListing(pb.PublishListingRequest(name=LOGO)),
        scene.by(ACME).UnpublishListing(pb.UnpublishListingRequest(name=LOGO)),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
        assert refusal.metadata["state"] == "RETIRED"
