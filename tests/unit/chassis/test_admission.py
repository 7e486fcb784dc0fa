"""What is remembered of requests that kept all rules."""

from __future__ import annotations

from typing import Any

import pytest

from chassis import admission
from chassis.admission import KnownRequests, known_requests
from parley.gating.v1.gating_service_pb2 import CreateOrderRequestRequest, EvaluateGateRequest
from parley.offers.v1.offers_service_pb2 import GetOfferRequest


def test_what_was_added_is_known_until_there_are_too_many() -> None:
    known = KnownRequests()
    for number in range(admission.KNOWN_REQUESTS):
        known.add(b"%d" % number)
    assert b"0" in known
    assert b"2048" not in known
    known.add(b"2048")
    assert b"2048" in known
    assert b"0" not in known


def test_long_requests_are_not_kept() -> None:
    known = KnownRequests()
    at_most, longer = b"x" * admission.KNOWN_REQUEST_BYTES, b"x" * (admission.KNOWN_REQUEST_BYTES + 1)
    known.add(at_most)
    known.add(longer)
    assert (at_most in known, longer in known) == (True, False)


@pytest.mark.parametrize(
    ("request_class", "is_kept"),
    [(EvaluateGateRequest, True), (GetOfferRequest, True), (CreateOrderRequestRequest, False)],
)
def test_only_requests_whose_rules_know_nothing_but_them_are_kept(request_class: Any, is_kept: bool) -> None:
    assert (known_requests(request_class.DESCRIPTOR) is not None) is is_kept
