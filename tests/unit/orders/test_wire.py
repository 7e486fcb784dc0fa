"""Between wire and domain: nothing gets lost, and what is private stays inside."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.type.money_pb2 import Money as WireMoney

from chassis.kernel.ids import SequentialIds
from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from parley.gating.v1 import gate_decision_pb2
from parley.offers.v1 import listing_pb2
from parley.orders.v1 import events_pb2, fulfilment_pb2, order_pb2, payment_pb2
from parley.type.v1 import commerce_pb2, event_pb2
from services.orders.domain import attempt, commerce, events, gate, listing, payment, work
from services.orders.domain import order as orders
from services.orders.domain.commerce import Address, Interval, Plan
from services.orders.domain.order import Order, State
from services.orders.wire import values
from services.orders.wire.answers import order_message
from services.orders.wire.events import MESSAGES, event_message, event_record
from services.orders.wire.payments import payment_message
from tests.unit.orders.purchases import HOUR, LISTING, NOW, decision, eur, in_state, paying

ADDRESS = Address("Ana Private", "", ("Secret Street 1",), "10115", "Berlin", "DE")


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (orders.State, order_pb2.Order.State, "STATE_"),
        (orders.Intake, order_pb2.Order.Intake, "INTAKE_"),
        (orders.Folder, order_pb2.Order.Folder, "FOLDER_"),
        (orders.PaymentState, order_pb2.Order.PaymentState, "PAYMENT_STATE_"),
        (work.CancelReason, fulfilment_pb2.Cancellation.Reason, "REASON_"),
        (work.Party, fulfilment_pb2.Cancellation.Party, "PARTY_"),
        (orders.DeclineReason, order_pb2.Order.DeclineReason, "DECLINE_REASON_"),
        (payment.State, payment_pb2.Payment.State, "STATE_"),
        (payment.Purpose, payment_pb2.Payment.Purpose, "PURPOSE_"),
        (attempt.Outcome, payment_pb2.PaymentAttempt.Outcome, "OUTCOME_"),
        (commerce.PaymentMethod, commerce_pb2.PaymentMethod, "PAYMENT_METHOD_"),
        (commerce.Interval, commerce_pb2.Plan.Interval, "INTERVAL_"),
        (gate.Outcome, gate_decision_pb2.GateDecision.Outcome, "OUTCOME_"),
        (listing.ListingIntake, listing_pb2.Listing.Intake, "INTAKE_"),
    ],
)
def test_every_value_of_the_contract_has_its_twin(ours: type, theirs: type, prefix: str) -> None:
    declared = {name.removeprefix(prefix) for name in theirs.DESCRIPTOR.values_by_name}  # type: ignore[attr-defined]
    assert declared - {"UNSPECIFIED"} == {one.value for one in ours}  # type: ignore[attr-defined]


def test_a_decision_survives_the_round_trip() -> None:
    for reason in gate_decision_pb2.GateDecision.Reason.DESCRIPTOR.values_by_name:
        said = decision(
            reason=reason.removeprefix("REASON_"),
            next_change_time=NOW + HOUR,
            unavailable_until=NOW,
            offer="offers/o",
            matched_window="MON 21:00-24:00",
        )
        message = values.wire_decision(said)
        assert message is not None
        assert values.gate_decision(message) == said
    assert values.wire_decision(None) is None


def test_plans_and_addresses_survive_the_round_trip() -> None:
    order = replace(in_state(State.PENDING), plan=Plan(Money("KWD", 1_500), Interval.YEAR, 2, 30, 5, 31, NOW))
    message = order_message(replace(order, billing_address=ADDRESS), Actor.BUYER)
    assert values.plan(message) == order.plan
    assert values.address(message, "billing_address") == ADDRESS
    assert values.address(message, "delivery_address") is None


def test_a_listing_takes_its_version_from_the_event_or_the_etag() -> None:
    package = listing_pb2.Package(
        package_id="basic", title="Basic", price=WireMoney(currency_code="JPY", units=500), delivery_days=2
    )
    message = listing_pb2.Listing(
        name=LISTING, title="Logo", intake=listing_pb2.Listing.INTAKE_BY_QUOTE, packages=[package], etag="v7"
    )
    found = values.listing(message)
    assert (found.version, values.listing(message, version=9).version) == (7, 9)
    assert found.packages[0].name == f"{LISTING}/packages/basic"
    assert found.packages[0].price == Money("JPY", 500)
    message.etag = "seven"
    with pytest.raises(Refusal):
        values.listing(message)


def private_order() -> Order:
    return replace(
        in_state(State.DECLINED),
        requirements="Secret wish",
        decline_text="Secret words",
        payment_token="secret_token",
        billing_address=ADDRESS,
        unread=7,
        deliveries=(work.Delivery(1, "Secret words", NOW, "Secret wish", NOW),),
        cancellation=work.Cancellation(work.CancelReason.OTHER, work.Party.BUYER, "Secret words", NOW),
    )


@pytest.mark.parametrize("kind", list(MESSAGES))
def test_events_are_declared_and_carry_no_words_contact_data_or_means_of_payment(
    kind: type[events.OrderEvent],
) -> None:
    more = {
        events.OrderPaid: ("orders/o/payments/p", attempt.Outcome.CAPTURED),
        events.OrderPaymentFailed: ("orders/o/payments/p", attempt.Outcome.HARD_DECLINE),
        events.OrderPaymentRetried: ("orders/o/payments/p",),
        events.OrderPaymentActionRequired: ("orders/o/payments/p",),
        events.OrderPaymentVoided: ("orders/o/payments/p",),
        events.OrderPaymentUnmarked: ("orders/o/payments/p",),
        events.OrderRefunded: ("orders/o/payments/p", 1, eur(5)),
        events.OrderRefundFailed: ("orders/o/payments/p", 1, eur(5)),
        events.OrderStarted: (True,),
        events.OrderDelivered: (1, NOW),
        events.OrderChangesRequested: (1,),
        events.OrderCompleted: (True,),
        events.OrderCancelled: (work.CancelReason.POLICY, work.Party.OPERATOR),
    }.get(kind, ())
    event = kind(private_order(), *more)
    body = event_message(event).SerializeToString().lower()
    assert b"secret" not in body
    assert b"private" not in body
    record = event_record(event, ids=SequentialIds())
    declared = record.message.DESCRIPTOR.GetOptions().Extensions[event_pb2.event]
    assert declared.aggregate == "order"
    assert (record.aggregate, record.version) == (event.order.name, event.order.version)
    assert record.time == event.order.update_time


def test_every_declared_event_has_its_class() -> None:
    declared = {
        name
        for name, message in events_pb2.DESCRIPTOR.message_types_by_name.items()
        if message.GetOptions().HasExtension(event_pb2.event)
    }
    assert declared == {kind.__name__ for kind in MESSAGES}


@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.SELLER, Actor.OPERATOR, Actor.SERVICE])
def test_folder_and_unread_are_no_business_of_the_buyer(actor: Actor) -> None:
    message = order_message(private_order(), actor)
    if actor is Actor.BUYER:
        assert (message.folder, message.unread_count) == (order_pb2.Order.FOLDER_UNSPECIFIED, 0)
    else:
        assert (message.folder, message.unread_count) == (order_pb2.Order.FOLDER_CLOSED, 7)


def test_means_of_payment_and_keys_stay_inside() -> None:
    order, created = paying("secret_token")
    submitted = payment.submit(created, now=NOW)
    text = str(payment_message(submitted, order, Actor.BUYER)) + str(order_message(order, Actor.BUYER))
    assert "secret_token" not in text
    assert submitted.last_attempt.key not in text
