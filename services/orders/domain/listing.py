"""What can be bought, as orders needs to know it: a projection of the listings of the offers service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chassis.kernel.ids import parse_name
from chassis.kernel.money import Money
from services.orders.domain.commerce import Plan
from services.orders.domain.option import Option

PACKAGE_PATTERN = "sellers/*/listings/*/packages/*"


class ListingIntake(StrEnum):
    """What the first state of an order for the listing is."""

    INSTANT = "INSTANT"
    SELLER_REVIEW = "SELLER_REVIEW"
    BY_QUOTE = "BY_QUOTE"


class ListingKind(StrEnum):
    """What is sold: work for the buyer, or what is there already."""

    SERVICE = "SERVICE"
    PRODUCT = "PRODUCT"


@dataclass(frozen=True, slots=True)
class Package:
    """One way to buy a listing; `name` is the full resource name. A retired one is not sold any more."""

    name: str
    title: str
    price: Money
    delivery_days: int
    plan: Plan | None
    retired: bool = False
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing at a version."""

    name: str
    version: int
    title: str
    intake: ListingIntake
    published: bool
    packages: tuple[Package, ...]
    kind: ListingKind = ListingKind.SERVICE

    @property
    def seller(self) -> str:
        """`sellers/{seller}`."""
        return "/".join(self.name.split("/")[:2])

    @property
    def is_shown(self) -> bool:
        """Whether buyers may know of it: it is published, or was retired as a whole."""
        return self.published or all(package.retired for package in self.packages)

    def package(self, name: str) -> Package | None:
        """The package of that full name."""
        return next((package for package in self.packages if package.name == name), None)


def listing_of(package: str) -> str:
    """The listing that a package name belongs to; Refusal INVALID for a name of another shape."""
    seller, listing, _ = parse_name(package, PACKAGE_PATTERN, field="package")
    return f"sellers/{seller}/listings/{listing}"
