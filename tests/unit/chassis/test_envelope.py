"""Events survive their envelope, and their subjects follow from the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis.envelope import Headers, Order, encode_headers, record_for, source_of
from chassis.kernel.ids import SequentialIds
from chassis.telemetry import working
from parley.offers.v1 import events_pb2

NOW = datetime(2026, 6, 1, 12, 30, 15, 123456, tzinfo=UTC)
HEADERS = encode_headers(
    event_id="e1",
    type_name="parley.offers.v1.OfferAccepted",
    aggregate="offers/1",
    version=7,
    time=NOW.astimezone(timezone(timedelta(hours=2))),
    traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
)


def test_headers_are_cloudevents_in_binary_mode() -> None:
    assert HEADERS == {
        "Nats-Msg-Id": "e1",
        "ce-specversion": "1.0",
        "ce-id": "e1",
        "ce-type": "parley.offers.v1.OfferAccepted",
        "ce-source": "/parley/offers",
        "ce-subject": "offers/1",
        "ce-time": "2026-06-01T12:30:15.123456+00:00",
        "ce-sequence": "7",
        "content-type": "application/protobuf",
        "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    }


def test_headers_survive_the_way() -> None:
    found = Headers.decode(HEADERS)
    assert (found.event_id, found.type, found.aggregate) == ("e1", HEADERS["ce-type"], "offers/1")
    assert (found.version, found.time, found.traceparent) == (7, NOW, HEADERS["traceparent"])
    delivery = found.delivery("orders-on-offers", Order.LATEST)
    assert (delivery.consumer, delivery.event_id, delivery.order) == ("orders-on-offers", "e1", Order.LATEST)


@pytest.mark.parametrize("missing", ["ce-id", "ce-type", "ce-subject", "ce-time", "ce-sequence"])
def test_foreign_headers_are_no_event(missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        Headers.decode({name: value for name, value in HEADERS.items() if name != missing})


def test_a_record_takes_its_subject_from_the_contract_and_its_trace_from_the_call() -> None:
    with working("test") as scope:
        record = record_for(
            events_pb2.ListingUpdated(version=2),
            aggregate="sellers/acme/listings/logo",
            version=2,
            ids=SequentialIds(),
            time=NOW,
        )
        assert record.traceparent == scope.traceparent
    assert record.subject == "parley.offers.v1.listing.updated.logo"
    assert record.type == "parley.offers.v1.ListingUpdated"
    assert record.event_id == SequentialIds().new()
    assert source_of(record.type) == "/parley/offers"


def test_a_message_without_the_event_option_is_no_event() -> None:
    with pytest.raises(ValueError, match="event"):
        record_for(StringValue(), aggregate="x/1", version=1, ids=SequentialIds(), time=NOW)
