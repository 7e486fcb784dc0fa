"""What the app hands to the wire: an aggregate, and who looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.kernel.machine import Actor
from services.offers.domain.chain import Offer, Revision
from services.offers.domain.difference import Difference
from services.offers.domain.listing import Listing
from services.offers.domain.offer_settings import OfferSettings
from services.offers.domain.review import OWNER, Clearance


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer as `actor` sees it at the instant `now`; `clearance` is that of a seller's team."""

    offer: Offer
    actor: Actor
    now: datetime
    clearance: Clearance = OWNER


@dataclass(frozen=True, slots=True)
class RevisionView:
    """A revision of the offer of that name, as `actor` sees it."""

    offer: str
    revision: Revision
    actor: Actor


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """What differs between two revisions of the offer of that name, as `actor` sees it."""

    offer: str
    difference: Difference
    actor: Actor


@dataclass(frozen=True, slots=True)
class ListingView:
    """A listing, and whether the seller's team looks at it."""

    listing: Listing
    is_team: bool


@dataclass(frozen=True, slots=True)
class SettingsView:
    """The settings of a seller, and whether the caller may change them."""

    settings: OfferSettings
    may_update: bool
