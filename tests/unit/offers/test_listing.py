"""Listings, without any I/O."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.offers.domain import listing as listings
from services.offers.domain.listing import Intake, ListingContent, Package
from services.offers.domain.terms import Interval, Plan
from tests.unit.offers.negotiation import HOUR, NOW, SELLER

BASIC = Package("basic", "Basic", "", Money("EUR", 10_000), 5)


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
