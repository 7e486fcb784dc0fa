"""Nothing is lost on the way through storage, nothing private gets into events or foreign views."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as WireMoney
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.ids import SequentialIds
from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import order_request_pb2
from parley.messaging.v1 import conversation_pb2
from parley.offers.v1 import error_reason_pb2, offer_pb2, offers_service_pb2
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1 import order_pb2
from parley.type.v1 import commerce_pb2
from services.offers.adapters.documents import (
    acceptance_document,
    new_quote_document,
    packages_document,
    read_acceptance,
    read_new_quote,
    read_packages,
    read_revision,
    revision_document,
)
from services.offers.app.reactions import OriginEnded
from services.offers.app.views import OfferView
from services.offers.domain import events
from services.offers.domain import offer as offers
from services.offers.domain.chain import Acceptance, Author, NewQuote, Offer, Revision, State
from services.offers.domain.listing import Package
from services.offers.domain.offer import Consent
from services.offers.domain.option import NumberInput, Option, OptionValue, TextInput, ValueInput
from services.offers.domain.refusals import Reason
from services.offers.domain.retirement import package_retired
from services.offers.domain.terms import (
    Address,
    Expiry,
    Interval,
    LineItem,
    LocalDay,
    PaymentMethod,
    Plan,
    Terms,
)
from services.offers.wire.events import event_record, order_ended_fact, request_ended_fact
from services.offers.wire.offer_resource import wire_offer
from services.offers.wire.offers import create_offer_command
from services.offers.wire.options import read_option, wire_option
from services.offers.wire.origins import origin_of_conversation, origin_of_order, origin_of_request
from services.offers.wire.values import read_address, read_terms, wire_terms
from tests.unit.offers.negotiation import NOW, ORDER, REQUEST, drafted, expired, terms

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
MONEY = st.builds(
    Money, st.sampled_from(["EUR", "JPY", "KWD", "CLF"]), st.integers(min_value=0, max_value=10**15)
)
INSTANTS = st.none() | st.timedeltas(timedelta(0), timedelta(days=5000)).map(lambda delta: NOW + delta)
PLANS = st.none() | st.builds(
    Plan,
    MONEY,
    st.sampled_from(Interval),
    st.integers(1, 24),
    trial_days=st.integers(0, 730),
    period_count=st.integers(0, 1_200),
    anchor_day=st.integers(0, 31),
    start_time=INSTANTS,
)
TERMS = st.builds(
    Terms,
    line_items=st.lists(
        st.builds(LineItem, TEXT, st.integers(1, 100_000), MONEY), min_size=1, max_size=3
    ).map(tuple),
    delivery_days=st.integers(1, 365),
    payment_method=st.sampled_from(PaymentMethod),
    package=st.sampled_from(["", "sellers/acme/listings/logo/packages/basic"]),
    scope=TEXT,
    start_time=INSTANTS,
    expire_time=INSTANTS,
    plan=PLANS,
    expire_day=st.none() | st.builds(LocalDay, st.dates(), st.sampled_from(["UTC", "Europe/Berlin"])),
)
ADDRESSES = st.builds(
    Address,
    TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
    TEXT,
    st.just("AT"),
    organization=TEXT,
    postal_code=TEXT,
)


@given(proposal=TERMS)
def test_terms_survive_the_wire(proposal: Terms) -> None:
    assert read_terms(wire_terms(proposal)) == proposal


@given(
    revision=st.builds(
        Revision, st.integers(1, 100), st.sampled_from(Author), TERMS, MONEY, TEXT, st.just(NOW)
    )
)
def test_revisions_survive_storage(revision: Revision) -> None:
    assert read_revision(revision_document(revision)) == revision


@given(
    acceptance=st.none()
    | st.builds(
        Acceptance,
        st.integers(1, 100),
        st.just(NOW),
        st.just("orders/o1"),
        payment_token=TEXT,
        billing_address=st.none() | ADDRESSES,
        delivery_address=st.none() | ADDRESSES,
    )
)
def test_acceptances_survive_storage(acceptance: Acceptance | None) -> None:
    assert read_acceptance(acceptance_document(acceptance)) == acceptance


@given(new_quote=st.none() | st.builds(NewQuote, st.integers(1, 100), st.just(NOW), TEXT))
def test_wishes_survive_storage(new_quote: NewQuote | None) -> None:
    assert read_new_quote(new_quote_document(new_quote)) == new_quote


PRICES = st.none() | MONEY
INPUTS = st.one_of(
    st.builds(
        ValueInput,
        st.lists(st.builds(OptionValue, TEXT, TEXT, PRICES), min_size=1, max_size=3).map(tuple),
        st.integers(1, 30),
    ),
    st.builds(TextInput, st.integers(1, 2_000)),
    st.builds(NumberInput, st.integers(0, 9), st.integers(9, 100_000), TEXT, PRICES),
)
OPTIONS = st.builds(Option, TEXT, TEXT, INPUTS, TEXT, st.booleans())
PACKAGES = st.builds(
    Package,
    TEXT,
    TEXT,
    TEXT,
    MONEY,
    st.integers(1, 365),
    PLANS,
    INSTANTS,
    st.lists(OPTIONS, max_size=3).map(tuple),
)


@given(option=OPTIONS)
def test_options_survive_the_wire(option: Option) -> None:
    assert read_option(wire_option(option), field="option") == option


@given(packages=st.lists(PACKAGES, max_size=3).map(tuple))
def test_packages_survive_storage(packages: tuple[Package, ...]) -> None:
    assert read_packages(packages_document(packages)) == packages


# ------------------------------------------------------------------------------------------- privacy


HOME = Address("SECRET Ana", ("SECRET Way",), "SECRET", "AT", "SECRET", "SECRET")


def whole_story() -> list[events.OfferEvent]:
    """One event of each kind, of offers full of private text."""
    private = terms(scope="SECRET scope", payment_method=PaymentMethod.ONLINE)
    sent, told_sent = offers.send(replace_note(drafted(private)), actor=Actor.SELLER, now=NOW)
    read, told_opened = offers.open_(sent, actor=Actor.BUYER, now=NOW)
    revised, told_revised = offers.revise(
        read, actor=Actor.SELLER, seen=1, terms=private, note="SECRET", now=NOW
    )
    _, told_countered = offers.counter(
        revised, actor=Actor.BUYER, seen=2, terms=private, note="SECRET", now=NOW
    )
    consent = Consent("tok_1", billing_address=HOME, delivery_address=HOME)
    _, told_accepted = offers.accept(revised, actor=Actor.BUYER, seen=2, consent=consent, now=NOW)
    _, told_declined = offers.decline(revised, actor=Actor.BUYER, seen=2, reason="SECRET", now=NOW)
    _, told_withdrawn = offers.withdraw(revised, actor=Actor.SELLER, now=NOW)
    _, told_revived = offers.revive(
        expired(), actor=Actor.SELLER, expiry=Expiry(), now=NOW + timedelta(days=1)
    )
    _, told_asked = offers.request_new_quote(
        expired(), actor=Actor.BUYER, text="SECRET", now=NOW + timedelta(days=1)
    )
    _, told_retired = package_retired(sent, now=NOW)
    told = [
        *told_asked,
        told_retired,
        told_sent,
        told_opened,
        told_revised,
        told_countered,
        told_accepted,
        told_declined,
        told_withdrawn,
    ]
    return [event for event in (*told, events.OfferExpired(expired()), *told_revived) if event is not None]


def replace_note(offer: Offer) -> Offer:
    return replace(offer, revision=replace(offer.revision, note="SECRET"))


def test_events_carry_no_words_of_the_parties_and_no_contact_data() -> None:
    ids = SequentialIds()
    told = whole_story()
    kinds = {kind.__name__ for kind in events.OfferEvent.__subclasses__()}
    assert {type(event).__name__ for event in told} == kinds
    for event in told:
        record = event_record(event, ids=ids)
        content = record.message.SerializeToString()
        assert b"SECRET" not in content
        assert (b"tok_1" in content) is isinstance(event, events.OfferAccepted)
        assert record.subject.startswith("parley.offers.v1.offer.")
        assert record.subject.endswith(".o1")
        assert (record.aggregate, record.version) == ("offers/o1", event.offer.version)


@pytest.mark.parametrize(
    ("actor", "words", "addresses"),
    [
        (Actor.BUYER, True, True),
        (Actor.SELLER, True, True),
        (Actor.SERVICE, False, True),
        (Actor.OPERATOR, False, False),
    ],
)
def test_words_and_addresses_are_for_the_parties(actor: Actor, words: bool, addresses: bool) -> None:
    offer = replace_note(drafted())
    sent, _ = offers.send(offer, actor=Actor.SELLER, now=NOW)
    consent = Consent(billing_address=HOME)
    accepted, _ = offers.accept(sent, actor=Actor.BUYER, seen=1, consent=consent, now=NOW)
    declined, _ = offers.decline(sent, actor=Actor.BUYER, seen=1, reason="SECRET", now=NOW)
    shown = wire_offer(OfferView(accepted, actor, NOW))
    assert bool(shown.current_revision.note) is words
    assert shown.acceptance.HasField("billing_address") is addresses
    assert bool(wire_offer(OfferView(declined, actor, NOW)).decline_reason) is words


@pytest.mark.parametrize("origin", [REQUEST, ORDER, "conversations/c1"])
def test_an_offer_names_its_origin_and_what_acceptance_does(origin: str) -> None:
    shown = wire_offer(OfferView(drafted(origin=origin), Actor.SELLER, NOW))
    assert getattr(shown, shown.WhichOneof("origin") or "") == origin
    quoted = origin == ORDER
    assert shown.on_accept == (
        offer_pb2.Offer.ON_ACCEPT_UPDATE_ORDER_PRICE if quoted else offer_pb2.Offer.ON_ACCEPT_CREATE_ORDER
    )


# ------------------------------------------------------------------------------------------- refused input


def wire(amount: WireMoney | None = None, **changes: object) -> offer_pb2.OfferTerms:
    message = wire_terms(terms())
    if amount is not None:
        message.line_items[0].unit_price.CopyFrom(amount)
    for name, value in changes.items():
        if isinstance(value, str):
            setattr(message, name, value)
        else:
            getattr(message, name).CopyFrom(value)
    return message


@pytest.mark.parametrize(
    ("message", "reason", "metadata"),
    [
        (
            wire(WireMoney(currency_code="JPY", units=1, nanos=5)),
            "AMOUNT_INVALID",
            {"field": "terms.line_items[0].unit_price", "currency": "JPY"},
        ),
        (
            wire(WireMoney(currency_code="XXX", units=1)),
            "AMOUNT_INVALID",
            {"field": "terms.line_items[0].unit_price", "currency": "XXX"},
        ),
        (
            wire(WireMoney(currency_code="EUR", units=2**62)),
            "AMOUNT_INVALID",
            {"field": "terms.line_items[0].unit_price", "currency": "EUR"},
        ),
        (wire(expire_time=Timestamp(seconds=2**60)), "TIME_OUT_OF_RANGE", {"field": "terms.expire_time"}),
        (wire(start_time=Timestamp(seconds=-(2**60))), "TIME_OUT_OF_RANGE", {"field": "terms.start_time"}),
        (wire(scope="a\x00b"), "VALIDATION_FAILED", {"field": "terms.scope"}),
        (
            wire(package="sellers/ACME!/listings/a/packages/b"),
            "VALIDATION_FAILED",
            {"field": "terms.package", "form": "sellers/*/listings/*/packages/*"},
        ),
    ],
)
def test_terms_that_are_refused(message: offer_pb2.OfferTerms, reason: str, metadata: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        read_terms(message)
    assert refused.value.reason == reason
    assert refused.value.metadata == metadata


def test_an_offer_answers_something() -> None:
    for request in (
        offers_service_pb2.CreateOfferRequest(terms=wire()),
        offers_service_pb2.CreateOfferRequest(terms=wire(), order=""),
    ):
        with pytest.raises(Refusal) as refused:
            create_offer_command(request)
        assert refused.value.reason == "ORIGIN_REQUIRED"


def test_no_address_holds_what_storage_cannot() -> None:
    address = commerce_pb2.Address(recipient="a\x00", address_lines=["b"], locality="c", region_code="AT")
    request = offers_service_pb2.AcceptOfferRequest(billing_address=address)
    with pytest.raises(Refusal):
        read_address(request, "billing_address")
    assert read_address(request, "delivery_address") is None


# ------------------------------------------------------------------------------------------- neighbours


def test_what_others_report() -> None:
    request = order_request_pb2.OrderRequest(
        name=REQUEST,
        seller="sellers/acme",
        buyer="users/ana",
        state=order_request_pb2.OrderRequest.STATE_INFO_REQUESTED,
    )
    assert origin_of_request(request).state == "INFO_REQUESTED"
    for intake, fits in ((order_pb2.Order.INTAKE_BY_QUOTE, True), (order_pb2.Order.INTAKE_INSTANT, False)):
        order = order_pb2.Order(name=ORDER, state=order_pb2.Order.STATE_PENDING, intake=intake)
        assert origin_of_order(order).fits is fits
    for subject, fits in (("", True), (REQUEST, False)):
        conversation = conversation_pb2.Conversation(
            name="conversations/c1", subject=subject, state=conversation_pb2.Conversation.STATE_OPEN
        )
        assert origin_of_conversation(conversation).fits is fits


def test_what_others_tell() -> None:
    request = gating_events.OrderRequestFacts(
        name=REQUEST, state=order_request_pb2.OrderRequest.STATE_WITHDRAWN
    )
    told = gating_events.OrderRequestWithdrawn(order_request=request)
    assert request_ended_fact(told) == OriginEnded(REQUEST, "WITHDRAWN")
    order = orders_events.OrderFacts(name=ORDER, state=order_pb2.Order.STATE_DECLINED)
    assert order_ended_fact(orders_events.OrderDeclined(order=order)) == OriginEnded(ORDER, "DECLINED")


# ------------------------------------------------------------------------------------------- vocabulary


def test_reasons_and_states_are_those_of_the_contract() -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert reasons - {"UNSPECIFIED"} == {reason.value for reason in Reason}
    states = {name.removeprefix("STATE_") for name in offer_pb2.Offer.State.DESCRIPTOR.values_by_name}
    assert states - {"UNSPECIFIED"} == {state.value for state in State}
