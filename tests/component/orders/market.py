"""A running orders service between make-believe peers, and the events that real peers would send."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from google.type.money_pb2 import Money as WireMoney

from chassis.kernel.ids import SequentialIds
from chassis.kernel.refusal import unavailable
from chassis.testing.producer import ForeignProducer, headers_of
from chassis.testing.service import Identity, RunningService, buyer, seller
from parley.messaging.v1 import conversation_pb2, timeline_pb2
from parley.messaging.v1 import events_pb2 as messaging_events
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import listing_pb2, offer_pb2
from parley.orders.v1 import order_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from parley.type.v1 import commerce_pb2
from services.orders.domain.commerce import Address
from services.orders.domain.gate import GateDecision, Outcome
from services.orders.domain.listing import Listing, ListingIntake
from tests.unit.orders import purchases
from tests.unit.orders.purchases import BUYER, LISTING, PACKAGE, SELLER, listing

ANA, ACME, AGENT = buyer("ana"), seller("acme"), seller("acme", "agent")
STRANGER, RIVAL = buyer("bob"), seller("rival")
REVIEWED = f"{SELLER}/listings/poster/packages/basic"
QUOTED = f"{SELLER}/listings/shop/packages/basic"
ONLINE, OFFLINE = commerce_pb2.PAYMENT_METHOD_ONLINE, commerce_pb2.PAYMENT_METHOD_OFFLINE
Order = order_pb2.Order

_ids = SequentialIds(family=77)
_TABLES = ("orders", "payment", "payment_attempt", "outbox", "timer", "idempotency", "sandbox_charge")


def fresh_id() -> str:
    return _ids.new()


def sold_as(name: str, intake: ListingIntake, *, version: int = 1, **changes: Any) -> Listing:
    plain = listing(intake, name=name, version=version, **changes)
    (package,) = plain.packages
    return replace(plain, packages=(replace(package, name=f"{name}/packages/basic"),))


@dataclass
class FakeGate:
    """The ports `Gate` and `Zones`: says what it is told to say."""

    outcome: Outcome = Outcome.ALLOWED
    details: Mapping[str, Any] = field(default_factory=dict)
    is_down: bool = False
    calls: list[tuple[str, str]] = field(default_factory=list)
    time_zone: str = "UTC"

    async def zone(self, seller: str) -> str:
        if self.is_down:
            raise unavailable("PEER_UNAVAILABLE", "gating cannot answer now", peer="gating")
        return self.time_zone

    async def evaluate(self, package: str, buyer: str) -> GateDecision:
        self.calls.append((package, buyer))
        if self.is_down:
            raise unavailable("PEER_UNAVAILABLE", "gating cannot answer now", peer="gating")
        return purchases.decision(self.outcome, package=package, buyer=buyer, **self.details)


@dataclass
class FakeOffers:
    """The port `Offers`: three listings, and the addresses of every offer."""

    listings: dict[str, Listing] = field(
        default_factory=lambda: {
            one.name: one
            for one in (
                listing(),
                sold_as(f"{SELLER}/listings/poster", ListingIntake.SELLER_REVIEW),
                sold_as(f"{SELLER}/listings/shop", ListingIntake.BY_QUOTE),
                sold_as(f"{SELLER}/listings/draft", ListingIntake.INSTANT, published=False),
                sold_as(f"{SELLER}/listings/free", ListingIntake.INSTANT, price=0),
            )
        }
    )
    billing: Address | None = field(
        default_factory=lambda: Address("Ana", "", ("Main Street 1",), "10115", "Berlin", "DE")
    )
    is_down: bool = False
    reads: list[str] = field(default_factory=list)

    async def listing(self, name: str) -> Listing | None:
        self._answer(name)
        return self.listings.get(name)

    async def addresses(self, offer: str) -> tuple[Address | None, Address | None]:
        self._answer(offer)
        return self.billing, None

    def _answer(self, name: str) -> None:
        self.reads.append(name)
        if self.is_down:
            raise unavailable("PEER_UNAVAILABLE", "offers cannot answer now", peer="offers")


@dataclass
class Market:
    """The service, its surroundings, and shortcuts."""

    service: RunningService
    gate: FakeGate
    offers: FakeOffers
    _stubs: dict[Identity, OrdersServiceStub] = field(default_factory=dict)
    _foreign: ForeignProducer | None = None

    def stub(self, who: Identity = ANA) -> Any:
        if who not in self._stubs:
            self._stubs[who] = OrdersServiceStub(self.service.channel(who))
        return self._stubs[who]

    async def place(self, who: Identity = ANA, **fields: Any) -> order_pb2.Order:
        answer = await self.stub(who).PlaceOrder(place_request(**fields))
        placed: order_pb2.Order = answer.order
        return placed

    async def get(self, name: str, who: Identity = ACME) -> order_pb2.Order:
        answer = await self.stub(who).GetOrder(pb.GetOrderRequest(name=name))
        found: order_pb2.Order = answer.order
        return found

    async def payment(self, order: str, who: Identity = ANA) -> Any:
        answer = await self.stub(who).ListPayments(pb.ListPaymentsRequest(parent=order))
        (only,) = answer.payments
        return only

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        async with self.service.host.database.connection() as connection:
            return [dict(row) for row in await connection.fetch(query, *arguments)]

    async def counts(self) -> dict[str, int]:
        """How many rows each table has that a command writes to."""
        found = await self.rows(
            " UNION ALL ".join(f"SELECT '{t}' AS name, count(*) FROM {t}" for t in _TABLES)
        )
        return {row["name"]: row["count"] for row in found}

    async def events(self, order: str) -> list[str]:
        """The bare types of the events of an order, by version."""
        rows = await self.rows("SELECT type FROM outbox WHERE aggregate = $1 ORDER BY version", order)
        return [row["type"].rpartition(".")[2] for row in rows]

    async def charges(self) -> list[dict[str, Any]]:
        """The books of the sandbox provider."""
        return await self.rows("SELECT * FROM sandbox_charge ORDER BY key")

    async def publish(
        self, message: Message, *, version: int, copies: int = 1, at: datetime | None = None
    ) -> None:
        """What the stream of the producer delivers, `copies` times as after a crash of the broker."""
        producer = self._producer()
        record = await producer.publish(
            message,
            aggregate=_aggregate(message),
            version=version,
            time=at or self.service.clock.now(),
        )
        for _ in range(copies - 1):
            await producer.again(record, as_new_message=True)

    async def publish_and_settle(self, message: Message, *, version: int, **more: Any) -> None:
        await self.publish(message, version=version, **more)
        await self.service.settle()

    async def deliver_at_once(self, deliveries: list[tuple[Message, int]], *, copies: int) -> None:
        """Every event `copies` times, all at the same moment, as several replicas would take them in."""
        reactions, producer = self.service.host.reactions["offers"], self._producer()
        now = self.service.clock.now()
        records = [
            producer.record(message, aggregate=_aggregate(message), version=version, time=now)
            for message, version in deliveries
        ]
        handled = [
            reactions.handle(headers_of(record), record.message.SerializeToString())
            for record in itertools.chain(*[records] * copies)
        ]
        await asyncio.gather(*handled)

    def _producer(self) -> ForeignProducer:
        if self._foreign is None:
            self._foreign = ForeignProducer(self.service.host.bus)
        return self._foreign


def _aggregate(message: Any) -> str:
    if "erasure" in message.DESCRIPTOR.fields_by_name:
        return str(message.erasure)
    for name in ("offer", "listing", "conversation", "order_settings"):
        if name in message.DESCRIPTOR.fields_by_name:
            aggregate: str = getattr(message, name).name
            return aggregate
    raise AssertionError(f"{message.DESCRIPTOR.full_name} belongs to nothing")


def place_request(**fields: Any) -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(**{"package": PACKAGE, "payment_method": OFFLINE, **fields})


def euro(units: int) -> WireMoney:
    return WireMoney(currency_code="EUR", units=units)


def listing_event(
    *, version: int, units: int, published: bool = True, kind: Any = None
) -> offers_events.ListingUpdated:
    package = listing_pb2.Package(package_id="basic", title="Basic", price=euro(units), delivery_days=7)
    sold = listing_pb2.Listing(
        name=LISTING,
        title="Logo",
        intake=listing_pb2.Listing.INTAKE_INSTANT,
        published=published,
        packages=[package],
        kind=kind,
    )
    return offers_events.ListingUpdated(listing=sold, version=version)


def offer_facts(offer: str, *, state: str, version: int, units: int = 250, **changes: Any) -> Any:
    plain: dict[str, Any] = {
        "name": offer,
        "version": version,
        "seller": SELLER,
        "buyer": BUYER,
        "on_accept": offer_pb2.Offer.ON_ACCEPT_CREATE_ORDER,
        "state": offer_pb2.Offer.State.Value(f"STATE_{state}"),
        "revision": 1,
        "author": offer_pb2.OfferRevision.AUTHOR_SELLER,
        "line_items": [commerce_pb2.LineItem(title="Logo, large", quantity=1, unit_price=euro(units))],
        "total": euro(units),
        "delivery_days": 10,
        "payment_method": OFFLINE,
    }
    return offers_events.OfferFacts(**{**plain, **changes})


def accepted(
    offer: str,
    *,
    token: str = "",
    at: datetime = datetime(2026, 6, 1, 12, tzinfo=UTC),
    version: int = 5,
    has_addresses: bool = False,
    **changes: Any,
) -> offers_events.OfferAccepted:
    """An accepted offer; `order=…` makes it a quote for that order."""
    if "order" in changes:
        changes["on_accept"] = offer_pb2.Offer.ON_ACCEPT_UPDATE_ORDER_PRICE
    facts = offer_facts(
        offer, state="ACCEPTED", version=version, payment_method=ONLINE if token else OFFLINE, **changes
    )
    event = offers_events.OfferAccepted(offer=facts, payment_token=token, has_addresses=has_addresses)
    event.accept_time.FromDatetime(at)
    return event


def quote(kind: Any, order: str, offer: str, *, state: str, version: int, **changes: Any) -> Any:
    """An event of `kind` about a quote for an order."""
    on_accept = offer_pb2.Offer.ON_ACCEPT_UPDATE_ORDER_PRICE
    facts = offer_facts(offer, state=state, version=version, order=order, on_accept=on_accept, **changes)
    return kind(offer=facts)


def message_sent(
    order: str,
    *,
    side: Any = conversation_pb2.SIDE_SELLER,
    kind: Any = timeline_pb2.Message.KIND_PUBLIC,
    number: int = 1,
    channel: Any = timeline_pb2.Message.CHANNEL_INTERFACE,
) -> messaging_events.MessageSent:
    conversation = f"conversations/{order.removeprefix('orders/')}"
    facts = messaging_events.ConversationFacts(
        name=conversation, version=number, subject=order, seller=SELLER, buyer=BUYER
    )
    return messaging_events.MessageSent(
        conversation=facts,
        message=f"{conversation}/messages/{number}",
        author="users/acme-owner",
        side=side,
        kind=kind,
        channel=channel,
    )


MINUTES = timedelta(minutes=1)
