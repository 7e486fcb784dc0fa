"""Whose doing an answer to an offer is, in the timeline."""

from __future__ import annotations

import pytest
from google.type.money_pb2 import Money

from parley.offers.v1 import events_pb2, offer_pb2
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import EventType
from services.messaging.wire import reports


@pytest.mark.parametrize("automatic", [False, True])
def test_what_a_sellers_rules_answer_stands_on_his_side(automatic: bool) -> None:
    facts = events_pb2.OfferFacts(
        name="offers/o1",
        version=3,
        seller="sellers/acme",
        buyer="users/ana",
        conversation="conversations/c1",
        author=offer_pb2.OfferRevision.AUTHOR_BUYER,
        revision=2,
        total=Money(currency_code="EUR", units=90),
        automatic=automatic,
    )
    side = Side.SELLER if automatic else Side.BUYER
    for message, kind in (
        (events_pb2.OfferAccepted(offer=facts), EventType.OFFER_ACCEPTED),
        (events_pb2.OfferDeclined(offer=facts), EventType.OFFER_DECLINED),
    ):
        happening = reports.offer_report(message).happening
        assert (happening.type, happening.side) == (kind, side)


def test_asking_for_a_new_quote_is_the_buyers_doing() -> None:
    facts = events_pb2.OfferFacts(
        name="offers/o1", order_request="orderRequests/r1", total=Money(currency_code="EUR", units=90)
    )
    report = reports.offer_report(events_pb2.OfferNewQuoteRequested(offer=facts))
    assert (report.happening.type, report.happening.side) == (EventType.OFFER_NEW_QUOTE_REQUESTED, Side.BUYER)
