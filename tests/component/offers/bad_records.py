"""Calls for the records about a person that are refused: they are for the other services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS
from parley.offers.v1 import personal_data_pb2
from tests.component.offers.bad_calls import Bad
from tests.component.offers.scene import ACME, ANA, OPERATOR, ORDERS


def _about(parent: str = "users/ana", **fields: Any) -> Callable[[Any], Any]:
    return lambda _: personal_data_pb2.ListOffersRecordsRequest(parent=parent, **fields)


_METHOD = "ListOffersRecords"
RECORD_CALLS = [
    Bad(_METHOD, ANONYMOUS, _about(), Kind.UNAUTHENTICATED, "UNAUTHENTICATED"),
    *(Bad(_METHOD, who, _about(), Kind.DENIED, "PERMISSION_DENIED") for who in (ANA, ACME, OPERATOR)),
    Bad(_METHOD, ORDERS, _about("sellers/acme"), Kind.INVALID, "VALIDATION_FAILED"),
    Bad(_METHOD, ORDERS, _about(page_size=-1), Kind.INVALID, "VALIDATION_FAILED"),
]
