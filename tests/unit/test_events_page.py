"""docs/events.md: who reads an event is found in the subscriptions, however the stub was imported."""

from __future__ import annotations

from pathlib import Path

from docs import events
from parley.type.v1 import event_pb2

SUBSCRIPTIONS = """\
from parley.gating.v1 import events_pb2
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1.events_pb2 import OrderPlaced
from chassis import inbox
from chassis.inbox import on

def subscriptions(reactions):
    return {
        "offers": [on(offers_events.OfferAccepted, decode, reactions.accepted, order=Order.LATEST)],
        "gating": [inbox.on(events_pb2.OrderRequestClosed, decode, reactions.closed)],
        "orders": [on(OrderPlaced, decode, reactions.placed), on(reactions.other, 1), on()],
    }
"""


def test_subscriptions_are_read_from_the_entrypoints(tmp_path: Path) -> None:
    for service in ("orders", "messaging"):
        room = tmp_path / service / "entrypoints"
        room.mkdir(parents=True)
        (room / "events.py").write_text(SUBSCRIPTIONS, encoding="utf-8")
    both = ["messaging", "orders"]
    assert events.readers(tmp_path) == {
        "parley.gating.v1.OrderRequestClosed": both,
        "parley.offers.v1.OfferAccepted": both,
        "parley.orders.v1.OrderPlaced": both,
    }


def test_every_event_has_an_aggregate_a_verb_and_a_comment() -> None:
    documents = events.documents()
    assert sorted({document.file.package for document in documents}) == [
        "parley.gating.v1",
        "parley.messaging.v1",
        "parley.offers.v1",
        "parley.orders.v1",
    ]
    for document in documents:
        for index, message in document.messages(events=True):
            event = message.options.Extensions[event_pb2.event]
            assert event.aggregate.isalpha(), message.name
            assert event.verb.isalpha(), message.name
            assert document.comment(events.MESSAGE_TYPE, index), message.name
