"""What an offer answers: an order request, a by-quote order, or an inquiry. Owned by other services."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chassis.kernel.money import Money
from services.offers.domain.refusals import currency_mismatch, origin_closed


class OriginKind(StrEnum):
    """The collection that an origin's name begins with."""

    ORDER_REQUEST = "orderRequests"
    ORDER = "orders"
    CONVERSATION = "conversations"


class OnAccept(StrEnum):
    """What acceptance does."""

    CREATE_ORDER = "CREATE_ORDER"
    UPDATE_ORDER_PRICE = "UPDATE_ORDER_PRICE"


@dataclass(frozen=True, slots=True)
class Origin:
    """An origin as its owner reports it. `fits` is false for an order that is not by quote, and for the
    conversation about a request or an order, which is no inquiry. `currency` is the one in which the buyer
    was told a price already; empty where he was told none.
    """

    name: str
    seller: str
    buyer: str
    state: str
    fits: bool = True
    currency: str = ""


# OFFERED and AWAITING_ANSWER follow the state of an offer with a delay, while the offer itself is known here
# exactly: an open one is refused as OPEN_OFFER_EXISTS, an ended one is no obstacle.
_TAKING: Final = {
    OriginKind.ORDER_REQUEST: frozenset({"PENDING", "INFO_REQUESTED", "OFFERED"}),
    OriginKind.ORDER: frozenset({"PENDING", "PROCESSING", "AWAITING_ANSWER"}),
    OriginKind.CONVERSATION: frozenset({"OPEN"}),
}


def kind_of(origin: str) -> OriginKind:
    """The kind of the origin of that name."""
    return OriginKind(origin.partition("/")[0])


def on_accept_of(origin: str) -> OnAccept:
    """A quote changes the price of its order, everything else makes a new one."""
    if kind_of(origin) is OriginKind.ORDER:
        return OnAccept.UPDATE_ORDER_PRICE
    return OnAccept.CREATE_ORDER


def require_open(origin: Origin) -> None:
    """Refusal ORIGIN_CLOSED unless the origin takes offers."""
    if not origin.fits or origin.state not in _TAKING[kind_of(origin.name)]:
        raise origin_closed(origin.name, origin.state)


def require_currency(origin: Origin, total: Money) -> None:
    """Refusal CURRENCY_MISMATCH where the origin has a price already, and `total` is in another currency."""
    if origin.currency and total.currency != origin.currency:
        raise currency_mismatch("terms.line_items", expected=origin.currency, actual=total.currency)
