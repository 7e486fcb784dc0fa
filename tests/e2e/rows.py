"""What a row of the matrix is made of: a request about somebody else's resource, and what is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import Message
from google.type import money_pb2


@dataclass(frozen=True, slots=True)
class Foreign:
    """Resources of one buyer and one seller, who are not the callers. All names."""

    seller: str
    listing: str
    unpublished: str
    package: str
    gated_package: str
    request: str
    offer: str
    order: str
    payment: str
    subscription: str
    conversation: str
    message: str


MISSING = "01900000-0000-7000-8000-000000000000"
OK = "OK"
NO_LINK = ("LINK_INVALID",) * 3
UNSIGNED = "PROVIDER_EVENTS_NOT_CONFIGURED"
NOT_FOUND = "NOT_FOUND"
DENIED = "PERMISSION_DENIED"


@dataclass(frozen=True, slots=True)
class Row:
    """`buyer` and `seller` are the reasons of the refusals, or OK. `anonymous` is what no token gets."""

    request: Callable[[Foreign], Message]
    buyer: str = NOT_FOUND
    seller: str = NOT_FOUND
    anonymous: str = "UNAUTHENTICATED"


def euro(units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="EUR", units=units)
