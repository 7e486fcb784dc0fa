"""The owner's approval of what an agent offers above a limit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal, denied
from services.offers.domain import refusals

if TYPE_CHECKING:
    from services.offers.domain.chain import Offer


class Verdict(StrEnum):
    """What became of a submission."""

    APPROVED = "APPROVED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True)
class Review:
    """The newest submission of a draft; `verdict` is None while the owner has not decided."""

    revision: int
    submitter: str
    submit_time: datetime
    submit_text: str = ""
    verdict: Verdict | None = None
    reviewer: str = ""
    review_time: datetime | None = None
    review_text: str = ""


@dataclass(frozen=True, slots=True)
class Clearance:
    """What somebody of a team may offer by himself: an owner everything, an agent up to `limits`."""

    is_owner: bool
    limits: tuple[Money, ...] = ()

    def limit_for(self, total: Money) -> Money | None:
        """The limit that `total` is above; None where it is above none."""
        if self.is_owner:
            return None
        exceeded = (limit for limit in self.limits if limit.currency == total.currency and limit < total)
        return next(exceeded, None)


OWNER: Final = Clearance(is_owner=True)
"""May offer everything."""


def is_approved(offer: Offer) -> bool:
    """Whether the owner approved of the newest revision."""
    review = offer.review
    return (
        review is not None and review.verdict is Verdict.APPROVED and review.revision == offer.revision.number
    )


def lack(offer: Offer, event: str, clearance: Clearance) -> Refusal | None:
    """Why one with this clearance cannot do what the state allows; None where he can, arguments aside."""
    if event == "approve" and not clearance.is_owner:
        return denied(event, offer.name)
    # What the seller proposed before needs nobody's approval to be proposed again.
    opens = event == "send" or (event == "revive" and offer.revision.is_of_buyer)
    if not opens and event != "submitForReview":
        return None
    limit = None if is_approved(offer) else clearance.limit_for(offer.revision.total)
    if opens and limit is not None:
        return refusals.approval_required(offer.name, limit)
    if event == "submitForReview" and limit is None:
        return refusals.approval_not_needed(offer.name)
    return None


def check_proposal(offer: Offer, clearance: Clearance) -> None:
    """Refusal APPROVAL_REQUIRED where the newest revision is more than this clearance can open to a buyer."""
    refusal = lack(offer, "send", clearance)
    if refusal is not None:
        raise refusal
