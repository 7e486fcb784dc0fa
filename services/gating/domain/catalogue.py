"""What gating knows of listings. The offers service owns them; this is what the gate needs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal, not_found
from services.gating.domain.refusals import package_retired


class Intake(StrEnum):
    """What the first state of an order for a listing is. The gate applies to INSTANT only."""

    INSTANT = "INSTANT"
    SELLER_REVIEW = "SELLER_REVIEW"
    BY_QUOTE = "BY_QUOTE"


@dataclass(frozen=True, slots=True)
class Package:
    """One way to buy a listing; `name` is the full resource name. A retired one is not sold any more."""

    name: str
    title: str
    price: Money
    delivery_days: int
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing as it was at `version` of its owner."""

    name: str
    title: str
    intake: Intake
    published: bool
    packages: tuple[Package, ...]
    version: int

    @property
    def seller(self) -> str:
        """`sellers/{seller}`."""
        return self.name.partition("/listings/")[0]

    def package(self, name: str) -> Package | None:
        """The package of a full resource name that can be ordered; None for one that cannot."""
        if not self.published:
            return None
        return next(
            (package for package in self.packages if package.name == name and not package.retired), None
        )

    def has_retired(self, name: str) -> bool:
        """Whether everybody may know that the package was sold once and is not any more."""
        shown = self.published or all(package.retired for package in self.packages)
        return shown and any(package.retired for package in self.packages if package.name == name)


def unorderable(listing: Listing | None, package: str) -> Refusal:
    """Why a package cannot be ordered: PACKAGE_RETIRED, or NOT_FOUND."""
    if listing is not None and listing.has_retired(package):
        return package_retired(package)
    return not_found(package)


def listing_of(package: str) -> str:
    """The listing's name out of a package's."""
    return package.partition("/packages/")[0]


def seller_of(name: str) -> str:
    """The seller's name out of a listing's or a package's."""
    return name.partition("/listings/")[0]
