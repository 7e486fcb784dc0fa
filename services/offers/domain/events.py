"""What happened to a listing or an offer. Each carries the aggregate as it was after the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.offers.domain.chain import Offer
    from services.offers.domain.listing import Listing


@dataclass(frozen=True, slots=True)
class ListingEvent:
    """Something happened to a listing."""

    listing: Listing


@dataclass(frozen=True, slots=True)
class ListingCreated(ListingEvent):
    """A listing was created."""


@dataclass(frozen=True, slots=True)
class ListingUpdated(ListingEvent):
    """A listing or one of its packages changed."""


@dataclass(frozen=True, slots=True)
class ListingRetired(ListingEvent):
    """A listing was taken out of sale for good."""


@dataclass(frozen=True, slots=True)
class OfferEvent:
    """Something happened to an offer that the buyer may know of."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class OfferSent(OfferEvent):
    """A seller's draft became open."""


@dataclass(frozen=True, slots=True)
class OfferOpened(OfferEvent):
    """The buyer opened it for the first time."""


@dataclass(frozen=True, slots=True)
class OfferRevised(OfferEvent):
    """The seller replaced the open revision."""


@dataclass(frozen=True, slots=True)
class OfferCountered(OfferEvent):
    """One side answered the other's revision with its own."""


@dataclass(frozen=True, slots=True)
class OfferAccepted(OfferEvent):
    """The buyer accepted the newest revision; `by_link`: of a mail."""

    by_link: bool = False


@dataclass(frozen=True, slots=True)
class OfferDeclined(OfferEvent):
    """The buyer declined; `by_link`: of a mail."""

    by_link: bool = False


@dataclass(frozen=True, slots=True)
class OfferWithdrawn(OfferEvent):
    """The seller took it back, or what it answers ended."""


@dataclass(frozen=True, slots=True)
class OfferExpired(OfferEvent):
    """Its time ran out."""


@dataclass(frozen=True, slots=True)
class OfferRevived(OfferEvent):
    """The seller opened an expired offer again."""


@dataclass(frozen=True, slots=True)
class OfferNewQuoteRequested(OfferEvent):
    """The buyer of an expired offer asked for a new quote."""


@dataclass(frozen=True, slots=True)
class OfferPackageRetired(OfferEvent):
    """The package of an open offer is not sold any more."""
