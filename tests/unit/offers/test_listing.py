"""Listings, without any I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.offers.domain import listing as listings
from services.offers.domain.listing import (
    RETIRED_PACKAGES_LIMIT,
    Intake,
    ListingContent,
    ListingState,
    Package,
)
from services.offers.domain.terms import Interval, Plan
from tests.unit.offers.negotiation import HOUR, NOW, SELLER

BASIC = Package("basic", "Basic", "", Money("EUR", 10_000), 5)


MONTHLY = Plan(Money("EUR", 5), Interval.MONTH, 1)


def content(*packages: Package) -> ListingContent:
    return ListingContent("Logo", "", Intake.INSTANT, True, packages or (BASIC,))


def test_a_new_listing_has_version_one() -> None:
    listing, event = listings.create(seller=SELLER, listing_id="logo", content=content(), now=NOW)
    assert (listing.name, listing.etag) == ("sellers/acme/listings/logo", "v1")
    assert event.listing == listing


def test_a_package_may_be_free() -> None:
    listings.check_packages((replace(BASIC, price=Money("EUR", 0)),))


@pytest.mark.parametrize(
    ("packages", "reason"),
    [
        ((BASIC, BASIC), "DUPLICATE_PACKAGE"),
        ((BASIC, replace(BASIC, package_id="plus", price=Money("USD", 1))), "CURRENCY_MISMATCH"),
        ((replace(BASIC, price=Money("EUR", -1)),), "AMOUNT_INVALID"),
        ((replace(BASIC, plan=Plan(Money("EUR", 0), Interval.MONTH, 1)),), "AMOUNT_INVALID"),
        ((replace(BASIC, plan=Plan(Money("JPY", 5), Interval.MONTH, 1)),), "CURRENCY_MISMATCH"),
        ((replace(BASIC, plan=replace(MONTHLY, start_time=NOW)),), "VALIDATION_FAILED"),
    ],
)
def test_packages_that_are_refused(packages: tuple[Package, ...], reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        listings.create(seller=SELLER, listing_id="logo", content=content(*packages), now=NOW)
    assert refused.value.reason == reason
    listing, _ = listings.create(seller=SELLER, listing_id="logo", content=content(), now=NOW)
    with pytest.raises(Refusal):
        listings.update(listing, content=content(*packages), now=NOW)


def test_an_update_that_changes_nothing_is_none() -> None:
    listing, _ = listings.create(seller=SELLER, listing_id="logo", content=content(), now=NOW)
    assert listings.update(listing, content=content(), now=NOW + HOUR) == (listing, None)
    changed, event = listings.update(listing, content=replace(content(), published=False), now=NOW + HOUR)
    assert event is not None
    assert (changed.version, changed.create_time, changed.update_time) == (2, NOW, NOW + HOUR)


def test_a_listing_knows_what_it_sells() -> None:
    listing, _ = listings.create(seller=SELLER, listing_id="logo", content=content(), now=NOW)
    assert listing.sells("sellers/acme/listings/logo/packages/basic")
    assert not listing.sells("sellers/acme/listings/logo/packages/plus")
    assert not listing.sells("sellers/other/listings/logo/packages/basic")


def test_a_retired_listing_sells_nothing_and_is_final() -> None:
    listing, _ = listings.create(seller=SELLER, listing_id="logo", content=content(), now=NOW)
    basic = listing.package_name("basic")
    gone, event = listings.retire(listing, now=NOW + HOUR)
    assert event is not None
    assert (gone.state, gone.retire_time, gone.version) == (ListingState.RETIRED, NOW + HOUR, 2)
    assert (gone.sells(basic), gone.sold(basic), listing.sold(basic)) == (False, True, False)
    assert not gone.sold(listing.package_name("plus"))
    assert listings.newly_retired(gone, before=listing) == (basic,)
    assert listings.retire(gone, now=NOW + 2 * HOUR) == (gone, None)
    for same_or_not in (content(), replace(content(), title="New")):
        with pytest.raises(Refusal) as refused:
            listings.update(gone, content=same_or_not, now=NOW)
        assert refused.value.reason == "TRANSITION_FORBIDDEN"


def test_packages_that_are_left_out_are_remembered_up_to_a_limit() -> None:
    listing, _ = listings.create(seller=SELLER, listing_id="logo", content=content(), now=NOW)
    for number in range(RETIRED_PACKAGES_LIMIT + 1):
        before, left = listing, listing.content.packages[0]
        wanted = content(replace(BASIC, package_id=f"p{number}"))
        listing, _ = listings.update(listing, content=wanted, now=NOW + number * HOUR)
        assert listing.retired[0] == replace(left, retire_time=NOW + number * HOUR)
        assert listings.newly_retired(listing, before=before) == (listing.package_name(left.package_id),)
    assert len(listing.retired) == RETIRED_PACKAGES_LIMIT
    assert BASIC.package_id not in {package.package_id for package in listing.retired}
    with pytest.raises(Refusal) as refused:
        listings.update(listing, content=content(replace(BASIC, package_id="p5")), now=NOW)
    assert refused.value.reason == "PACKAGE_RETIRED"
    kept, _ = listings.update(listing, content=replace(listing.content, title="New"), now=NOW)
    assert listings.newly_retired(kept, before=listing) == ()
