"""Listings: what a seller sells, bought as one of its packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import Actor, Machine, Transition
from chassis.kernel.money import Money
from chassis.kernel.refusal import invalid
from services.offers.domain.events import ListingCreated, ListingRetired, ListingUpdated
from services.offers.domain.option import LISTING_LIMIT, Option, check_options, size_of
from services.offers.domain.refusals import (
    amount_invalid,
    currency_mismatch,
    duplicate_package,
    package_retired,
)
from services.offers.domain.terms import Plan, check_plan, check_undated


class Intake(StrEnum):
    """The first state of the orders of a listing."""

    INSTANT = "INSTANT"
    SELLER_REVIEW = "SELLER_REVIEW"
    BY_QUOTE = "BY_QUOTE"


class ListingKind(StrEnum):
    """What is sold: work for the buyer, or what is there already."""

    SERVICE = "SERVICE"
    PRODUCT = "PRODUCT"


class ListingState(StrEnum):
    """Who can see and order a listing."""

    UNPUBLISHED = "UNPUBLISHED"
    PUBLISHED = "PUBLISHED"
    RETIRED = "RETIRED"


_FOR_SALE = (ListingState.UNPUBLISHED, ListingState.PUBLISHED)

MACHINE: Final = Machine(
    "listing",
    (
        Transition(_FOR_SALE, "update", (Actor.SELLER,)),
        Transition(_FOR_SALE, "retire", (Actor.SELLER,), ListingState.RETIRED),
        Transition((ListingState.UNPUBLISHED,), "publish", (Actor.SELLER,), ListingState.PUBLISHED),
        Transition((ListingState.PUBLISHED,), "unpublish", (Actor.SELLER,), ListingState.UNPUBLISHED),
    ),
)

RETIRED_PACKAGES_LIMIT: Final = 100
"""How many retired packages a listing remembers; the oldest make room."""


@dataclass(frozen=True, slots=True)
class Package:
    """One way to buy a listing; a price of zero is a free package. `retire_time` is when it left the sale.

    `options` are what its buyers decide on, where the listing is sold by quote.
    """

    package_id: str
    title: str
    description: str
    price: Money
    delivery_days: int
    plan: Plan | None = None
    retire_time: datetime | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class ListingContent:
    """What the seller's team edits."""

    title: str
    description: str
    intake: Intake
    published: bool
    packages: tuple[Package, ...]
    kind: ListingKind = ListingKind.SERVICE


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of a seller; `seller` is ``sellers/{seller}``. `retired` are packages that it sold, newest
    first.
    """

    seller: str
    listing_id: str
    content: ListingContent
    version: int
    create_time: datetime
    update_time: datetime
    retired: tuple[Package, ...] = ()
    retire_time: datetime | None = None

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
        if self.retire_time is not None:
            return ListingState.RETIRED
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
        """Whether the package of that name can be bought."""
        return self.retire_time is None and self._has(package, self.content.packages)

    def sold(self, package: str) -> bool:
        """Whether the package of that name was for sale once and is not any more."""
        return not self.sells(package) and self._has(package, (*self.content.packages, *self.retired))

    def _has(self, name: str, packages: Sequence[Package]) -> bool:
        return any(name == self.package_name(package.package_id) for package in packages)


def create(
    *, seller: str, listing_id: str, content: ListingContent, now: datetime
) -> tuple[Listing, ListingCreated]:
    """A new listing. Refusals DUPLICATE_PACKAGE, DUPLICATE_OPTION, AMOUNT_INVALID, CURRENCY_MISMATCH, and
    VALIDATION_FAILED.
    """
    check_content(content)
    listing = Listing(seller, listing_id, content, 1, now, now)
    return listing, ListingCreated(listing)


def update(
    listing: Listing, *, content: ListingContent, now: datetime
) -> tuple[Listing, ListingUpdated | None]:
    """The listing with other content; the same content changes nothing. Packages that it leaves out retire.

    Refusals TRANSITION_FORBIDDEN, PACKAGE_RETIRED, and those of `create`.
    """
    MACHINE.move(listing.state, "update", Actor.SELLER, name=listing.name)
    if content == listing.content:
        return listing, None
    check_content(content)
    kept = {package.package_id for package in content.packages}
    for package in listing.retired:
        if package.package_id in kept:
            raise package_retired(listing.package_name(package.package_id))
    left_out = tuple(
        replace(package, retire_time=now, options=())
        for package in listing.content.packages
        if package.package_id not in kept
    )
    changed = replace(
        listing,
        content=content,
        version=listing.version + 1,
        update_time=now,
        retired=(*left_out, *listing.retired)[:RETIRED_PACKAGES_LIMIT],
    )
    return changed, ListingUpdated(changed)


def publish(listing: Listing, *, now: datetime) -> tuple[Listing, ListingUpdated | None]:
    """The listing for everybody to see; once is enough. Refusal TRANSITION_FORBIDDEN."""
    if listing.state is ListingState.PUBLISHED:
        return listing, None
    MACHINE.move(listing.state, "publish", Actor.SELLER, name=listing.name)
    return _shown(listing, True, now=now)


def unpublish(listing: Listing, *, now: datetime) -> tuple[Listing, ListingUpdated | None]:
    """The listing for the seller's team alone; once is enough. Refusal TRANSITION_FORBIDDEN."""
    if listing.state is ListingState.UNPUBLISHED:
        return listing, None
    MACHINE.move(listing.state, "unpublish", Actor.SELLER, name=listing.name)
    return _shown(listing, False, now=now)


def _shown(listing: Listing, published: bool, *, now: datetime) -> tuple[Listing, ListingUpdated]:
    content = replace(listing.content, published=published)
    changed = replace(listing, content=content, version=listing.version + 1, update_time=now)
    return changed, ListingUpdated(changed)


def retire(listing: Listing, *, now: datetime) -> tuple[Listing, ListingRetired | None]:
    """The listing out of sale for good; once is enough."""
    if listing.state is ListingState.RETIRED:
        return listing, None
    MACHINE.move(listing.state, "retire", Actor.SELLER, name=listing.name)
    changed = replace(listing, version=listing.version + 1, update_time=now, retire_time=now)
    return changed, ListingRetired(changed)


def newly_retired(listing: Listing, *, before: Listing) -> tuple[str, ...]:
    """The names of the packages that left the sale between two versions."""
    names = (before.package_name(package.package_id) for package in before.content.packages)
    return tuple(name for name in names if before.sells(name) and not listing.sells(name))


def check_content(content: ListingContent) -> None:
    """Packages that can be sold, with options only where a quote follows. Refusals as for `create`."""
    check_packages(content.packages)
    size = 0
    for index, package in enumerate(content.packages):
        field = f"listing.packages[{index}].options"
        if package.options and content.intake is not Intake.BY_QUOTE:
            raise invalid(field, "belong to listings that are sold by quote")
        check_options(package.options, currency=package.price.currency, field=field)
        size += size_of(package.options)
        if size > LISTING_LIMIT:
            raise invalid(field, f"make more than {LISTING_LIMIT} options and values of this listing")


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
        plan = f"listing.packages[{index}].plan"
        check_plan(package.plan, currency=currency, field=plan)
        check_undated(package.plan, field=plan)
