"""What the retirement of a package means for an open offer: nothing but that both sides are told (D8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.offers.domain.chain import Offer, State
from services.offers.domain.events import OfferPackageRetired


def package_retired(offer: Offer, *, now: datetime) -> tuple[Offer, OfferPackageRetired | None]:
    """The same offer with the same terms, one version on; None where nobody can accept it any more."""
    if offer.state is not State.OPEN or offer.is_overdue(now):
        return offer, None
    changed = replace(offer, version=offer.version + 1, update_time=now)
    return changed, OfferPackageRetired(changed)
