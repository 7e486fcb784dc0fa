"""A running gating service, and everybody around it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.type.money_pb2 import Money

from chassis import status
from chassis.config import Address
from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import not_found
from chassis.testing.producer import ForeignProducer
from chassis.testing.service import Backends, Identity, RunningService, buyer, operator, running, seller
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.gating_service_pb2_grpc import GatingServiceStub
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings, SellerPlan
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.listing_pb2 import Listing, Package
from parley.offers.v1.offer_pb2 import Offer, OfferRevision
from parley.offers.v1.offers_service_pb2 import GetListingRequest, GetListingResponse
from parley.offers.v1.offers_service_pb2_grpc import (
    OffersServiceServicer,
    add_OffersServiceServicer_to_server,
)
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.order_pb2 import Order
from services.gating.__main__ import DEFINITION, build

SELLER = "sellers/acme"
SETTINGS = f"{SELLER}/orderSettings"
LISTING = f"{SELLER}/listings/logo"
PACKAGE = f"{LISTING}/packages/basic"
OTHER_PACKAGE = f"{LISTING}/packages/premium"
BUYER = "users/ana"
OWNER = seller("acme")
AGENT = seller("acme", "agent")
STRANGER = seller("other")
ANA = buyer("ana")
BEN = buyer("ben")
OPERATOR = operator()
WEEK: list[Any] = [1, 2, 3, 4, 5, 6, 7]
NIGHTS = (("00:00", "06:00"), ("21:00", "24:00"))

WRITTEN = {
    "order_settings": "t::text",
    "order_settings_version": "t::text",
    "seller_plan": "t::text",
    "availability": "t::text",
    "absence": "t::text",
    "buyer_verification": "t::text",
    "order_request": "t::text",
    "idempotency": "t::text",
    # The relay and the timers note here how far they are.
    "outbox": "event_id",
    "timer": "concat(kind, key, due_time)",
}
"""What commands write, by table."""


def listing_message(
    name: str = LISTING, *, intake: Any = Listing.INTAKE_INSTANT, version: int = 1
) -> Listing:
    """A published listing with two packages."""
    return Listing(
        name=name,
        title="Logo design",
        intake=intake,
        published=True,
        etag=f"v{version}",
        packages=[
            Package(
                package_id=package_id,
                title=title,
                price=Money(currency_code="EUR", units=units),
                delivery_days=5,
            )
            for package_id, title, units in (("basic", "Basic logo", 100), ("premium", "Premium logo", 300))
        ],
    )


class Listings(OffersServiceServicer):
    """The owner of the listings, as far as gating asks him."""

    def __init__(self) -> None:
        self.known: dict[str, Listing] = {}
        self.asked: list[str] = []

    async def GetListing(self, request: GetListingRequest, context: Any) -> GetListingResponse:
        self.asked.append(request.name)
        found = self.known.get(request.name)
        if found is None:
            failure = status.refused(not_found(request.name), "offers")
            await context.abort(failure.code, failure.message, failure.trailing_metadata)
        return GetListingResponse(listing=found)


class World:
    """One gating service, what others tell it, and what is in its database."""

    def __init__(self, service: RunningService, listings: Listings, backends: Backends) -> None:
        self.service = service
        self.listings = listings
        self.backends = backends
        self.clock = service.clock
        self._others = ForeignProducer(service.host.bus)
        self._keys = itertools.count(1)
        self._stubs: dict[Identity, Any] = {}

    def stub(self, who: Identity) -> Any:
        """The service as `who` calls it."""
        if who not in self._stubs:
            self._stubs[who] = GatingServiceStub(self.service.channel(who))
        return self._stubs[who]

    # -------------------------------------------------------------------------------- what others tell

    async def publish(self, message: Message, *, aggregate: str, version: int) -> None:
        """An event as its producer's relay sends it."""
        await self._others.publish(message, aggregate=aggregate, version=version, time=self.clock.now())

    async def tell_listing(self, listing: Listing | None = None, *, version: int = 1) -> None:
        """A listing was created or updated."""
        found = listing or listing_message()
        kind = offers_events.ListingCreated if version == 1 else offers_events.ListingUpdated
        message = kind(listing=found, version=version)
        await self.publish(message, aggregate=found.name, version=version)
        await self.service.settle()

    async def tell_offer(self, kind: Any, *, settle: bool = True, **facts: Any) -> None:
        """Something happened to an offer."""
        message = kind(offer=offer_facts(**facts))
        found = message.offer
        await self.publish(message, aggregate=found.name, version=found.version)
        if settle:
            await self.service.settle()

    async def tell_order(
        self, *, state: Any = Order.STATE_CONFIRMED, who: str = BUYER, number: int = 1
    ) -> None:
        """An order was placed."""
        facts = orders_events.OrderFacts(
            name=f"orders/{number}", version=1, seller=SELLER, buyer=who, package=PACKAGE, state=state
        )
        if state == Order.STATE_CONFIRMED:
            facts.confirm_time.CopyFrom(timestamp(self.clock.now()))
        message = orders_events.OrderPlaced(order=facts)
        await self.publish(message, aggregate=facts.name, version=1)
        await self.service.settle()

    # -------------------------------------------------------------------------------- what parties do

    async def make_premium(self, expire_time: datetime | None = None) -> None:
        """The operator entitles the seller."""
        request = pb.SetSellerPlanRequest(name=SELLER, tier=SellerPlan.TIER_PREMIUM)
        if expire_time is not None:
            request.expire_time.CopyFrom(timestamp(expire_time))
        await self.stub(OPERATOR).SetSellerPlan(request)

    async def save(self, *paths: str, **fields: Any) -> pb.UpdateOrderSettingsResponse:
        """The owner saves settings."""
        settings = OrderSettings(name=SETTINGS, **fields)
        request = pb.UpdateOrderSettingsRequest(order_settings=settings, update_mask=FieldMask(paths=paths))
        response: pb.UpdateOrderSettingsResponse = await self.stub(OWNER).UpdateOrderSettings(request)
        return response

    async def close_gate(self, **fields: Any) -> OrderSettings:
        """A premium seller whose gate is closed in Berlin, always unless `fields` say otherwise."""
        await self.make_premium()
        await self.tell_listing()
        all_packages = OrderSettings.Scope(all_packages=True)
        chosen = {"enabled": True, "scope": all_packages, "time_zone": "Europe/Berlin", **fields}
        return (await self.save(**chosen)).order_settings

    async def evaluate(self, who: Identity = ANA, package: str = PACKAGE, buyer: str = "") -> GateDecision:
        """The gate's answer."""
        request = pb.EvaluateGateRequest(package=package, buyer=buyer)
        response: pb.EvaluateGateResponse = await self.stub(who).EvaluateGate(request)
        return response.decision

    async def submit(self, who: Identity = ANA, package: str = PACKAGE, **needs: Any) -> OrderRequest:
        """A buyer sends a request."""
        request = pb.CreateOrderRequestRequest(package=package, needs=Needs(**{"text": "A logo", **needs}))
        response: pb.CreateOrderRequestResponse = await self.stub(who).CreateOrderRequest(request)
        return response.order_request

    async def read(self, name: str, who: Identity = ANA) -> OrderRequest:
        """A request as `who` sees it."""
        response = await self.stub(who).GetOrderRequest(pb.GetOrderRequestRequest(name=name))
        found: OrderRequest = response.order_request
        return found

    def key(self) -> str:
        """A fresh request id."""
        return f"key-{next(self._keys)}"

    # -------------------------------------------------------------------------------- what is stored

    async def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """Rows of the service's database."""
        found: list[Any] = await self.service.host.database.read(
            lambda tx: tx.fetch_all(sa.text(statement), parameters or None)
        )
        return found

    async def contents(self) -> dict[str, list[str]]:
        """Everything that a command may write."""

        async def work(tx: Transaction) -> dict[str, list[str]]:
            found = {}
            for table, columns in WRITTEN.items():
                rows = await tx.fetch_all(sa.text(f"SELECT {columns} AS row FROM {table} t ORDER BY 1"))
                found[table] = [row.row for row in rows]
            return found

        return await self.service.host.database.read(work)

    async def events(self, aggregate: str = "") -> list[Message]:
        """The events that were recorded, by aggregate and version."""
        rows = await self.rows("SELECT aggregate, type, body FROM outbox ORDER BY aggregate, version")
        found = []
        for row in rows:
            if not aggregate or row.aggregate == aggregate:
                message = getattr(gating_events, row.type.rpartition(".")[2])()
                message.ParseFromString(row.body)
                found.append(message)
        return found


def offer_facts(
    *,
    state: Any = Offer.STATE_OPEN,
    version: int = 2,
    number: int = 1,
    request: str = "",
    package: str = PACKAGE,
    who: str = BUYER,
    author: Any = OfferRevision.AUTHOR_SELLER,
    expire_time: datetime | None = None,
) -> offers_events.OfferFacts:
    """The facts of an offer; `number` tells offers apart."""
    offer_id = f"01900000-0000-7000-8000-{number:012d}"
    return offers_events.OfferFacts(
        name=f"offers/{offer_id}",
        version=version,
        seller=SELLER,
        buyer=who,
        order_request=request,
        order=f"orders/{offer_id}" if state == Offer.STATE_ACCEPTED else "",
        on_accept=Offer.ON_ACCEPT_CREATE_ORDER,
        state=state,
        revision=1,
        author=author,
        package=package,
        expire_time=None if expire_time is None else timestamp(expire_time),
    )


def windows(*spans: tuple[str, str], days: list[Any] | None = None) -> list[OrderSettings.Window]:
    """Windows on the given days; every day unless said otherwise."""
    return [OrderSettings.Window(days=days or WEEK, start=start, end=end) for start, end in spans]


def hours(count: float) -> Duration:
    """A duration."""
    return Duration(seconds=int(count * 3600))


def at(text: str) -> datetime:
    """An instant; UTC unless the text says otherwise."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@asynccontextmanager
async def listing_owner() -> AsyncIterator[tuple[Listings, Address]]:
    """A server for `Listings`."""
    listings = Listings()  # type: ignore[abstract]  # gating asks for one thing only
    server = grpc.aio.server()
    add_OffersServiceServicer_to_server(listings, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield listings, Address("127.0.0.1", port)
    finally:
        await server.stop(None)


class Seconds:
    """A monotonic clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def world_of(
    backends: Backends, clock: ManualClock, seconds: Seconds, *, dsn: str = "", alone: bool = False
) -> AsyncIterator[World]:
    """A gating service whose memory ages by `seconds`; `alone`, it reaches no peer."""
    definition = dataclasses.replace(DEFINITION, build=partial(build, monotonic=seconds))
    async with listing_owner() as (listings, address):
        target: dict[str, Any] = {} if alone else {"offers_target": address}
        async with running(definition, backends, clock=clock, dsn=dsn, **target) as service:
            yield World(service, listings, backends)


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def world(backends: Backends, clock: ManualClock, seconds: Seconds) -> AsyncIterator[World]:
    async with world_of(backends, clock, seconds) as found:
        yield found


ONE_DAY = timedelta(days=1)
