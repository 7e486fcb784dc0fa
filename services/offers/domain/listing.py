"""Listings: what a seller sells, bought as one of its packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.money import Money
from services.offers.domain.events import ListingCreated, ListingUpdated
from services.offers.domain.refusals import amount_invalid, currency_mismatch, duplicate_package
from services.offers.domain.terms import Plan, check_plan


class Intake(StrEnum):
    """The first state of the orders of a listing."""

    INSTANT = "INSTANT"
    SELLER_REVIEW = "SELLER_REVIEW"
    BY_QUOTE = "BY_QUOTE"


class ListingState(StrEnum):
    """Who can see and order a listing."""

    UNPUBLISHED = "UNPUBLISHED"
    PUBLISHED = "PUBLISHED"


@dataclass(frozen=True, slots=True)
class Package:
    """One way to buy a listing; a price of zero is a free package."""

    package_id: str
    title: str
    description: str
    price: Money
    delivery_days: int
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class ListingContent:
    """What the seller's team edits."""

    title: str
    description: str
    intake: Intake
    published: bool
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of a seller; `seller` is ``sellers/{seller}``."""

    seller: str
    listing_id: str
    content: ListingContent
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def name(self) -> str:
        """``sellers/{seller}/listings/{listing}``."""
        return f"{self.seller}/listings/{self.listing_id}"

    @property
    def etag(self) -> str:
        """The version as text."""
        return f"v{self.version}"

    @property
    def state(self) -> ListingState:
        """Who can see and order it."""
        return ListingState.PUBLISHED if self.content.published else ListingState.UNPUBLISHED

    @property
    def lowest_price(self) -> Money:
        """The price from which it is sold; all packages have one currency."""
        return min(package.price for package in self.content.packages)

    @property
    def has_plan(self) -> bool:
        """Whether one of its packages is a subscription."""
        return any(package.plan is not None for package in self.content.packages)

    def package_name(self, package_id: str) -> str:
        """``sellers/{seller}/listings/{listing}/packages/{package}``."""
        return f"{self.name}/packages/{package_id}"

    def sells(self, package: str) -> bool:
        """Whether the package of that name is one of this listing's."""
        return any(package == self.package_name(known.package_id) for known in self.content.packages)


def create(
    *, seller: str, listing_id: str, content: ListingContent, now: datetime
) -> tuple[Listing, ListingCreated]:
    """A new listing. Refusals DUPLICATE_PACKAGE, AMOUNT_INVALID, CURRENCY_MISMATCH."""
    check_packages(content.packages)
    listing = Listing(seller, listing_id, content, 1, now, now)
    return listing, ListingCreated(listing)


def update(
    listing: Listing, *, content: ListingContent, now: datetime
) -> tuple[Listing, ListingUpdated | None]:
    """The listing with other content; the same content changes nothing. Refusals as for `create`."""
    if content == listing.content:
        return listing, None
    check_packages(content.packages)
    changed = replace(listing, content=content, version=listing.version + 1, update_time=now)
    return changed, ListingUpdated(changed)


def check_packages(packages: Sequence[Package]) -> None:
    """Unique ids, one currency, prices that are not negative, plans that charge something."""
    seen: set[str] = set()
    currency = packages[0].price.currency
    for index, package in enumerate(packages):
        if package.package_id in seen:
            raise duplicate_package(package.package_id)
        seen.add(package.package_id)
        field = f"listing.packages[{index}].price"
        if package.price.currency != currency:
            raise currency_mismatch(field, expected=currency, actual=package.price.currency)
        if package.price.amount < 0:
            raise amount_invalid(field, "must not be negative", package.price)
        check_plan(package.plan, currency=currency, field=f"listing.packages[{index}].plan.price")
