"""A running offers service, the people around it, and what it has written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.type.money_pb2 import Money

from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import SequentialIds
from chassis.kernel.refusal import Refusal, unavailable
from chassis.testing import (
    Backends,
    Identity,
    RunningService,
    buyer,
    operator,
    running,
    seller,
    service,
)
from chassis.testing.producer import ForeignProducer
from chassis.wire import timestamp
from parley.offers.v1 import listing_pb2, offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceStub
from parley.type.v1 import commerce_pb2
from services.offers.__main__ import DEFINITION, build
from services.offers.domain.origin import Origin

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANA, BEN = buyer("ana"), buyer("ben")
ACME, ACME_AGENT, OTHER = seller("acme"), seller("acme", "agent"), seller("other")
OPERATOR, ORDERS = operator(), service("orders")
TABLES = ("listing", "offer", "offer_revision", "offer_settings", "offer_template", "origin", "timer")


class FakeOrigins:
    """The port `Origins`: what the owners would answer."""

    def __init__(self) -> None:
        self.known: dict[str, Origin] = {}
        self._ids = SequentialIds(family=7)
        self.outage: Refusal | None = None

    def add(
        self,
        collection: str = "orderRequests",
        *,
        state: str = "",
        owner: str = "acme",
        addressee: str = "ana",
        fits: bool = True,
        currency: str = "",
    ) -> str:
        """A new origin; its name."""
        name = f"{collection}/{self._ids.new()}"
        state = state or ("OPEN" if collection == "conversations" else "PENDING")
        self.known[name] = Origin(
            name, f"sellers/{owner}", f"users/{addressee}", state, fits=fits, currency=currency
        )
        return name

    def set_state(self, name: str, state: str) -> None:
        """What became of an origin."""
        self.known[name] = replace(self.known[name], state=state)

    def break_down(self) -> None:
        """From now on, no owner answers."""
        self.outage = unavailable("PEER_UNAVAILABLE", "gating cannot answer now", peer="gating")

    async def find(self, name: str) -> Origin | None:
        """The origin of that name."""
        if self.outage is not None:
            raise self.outage
        return self.known.get(name)


@dataclass
class Scene:
    """One offers service and its surroundings."""

    service: RunningService
    origins: FakeOrigins
    clock: ManualClock
    _stubs: dict[Identity, OffersServiceStub] = field(default_factory=dict)
    _others: ForeignProducer = field(init=False)

    def __post_init__(self) -> None:
        self._others = ForeignProducer(self.service.host.bus)

    def by(self, who: Identity) -> Any:
        """The API as `who` calls it."""
        if who not in self._stubs:
            self._stubs[who] = OffersServiceStub(self.service.channel(who))
        return self._stubs[who]

    # ------------------------------------------------------------------------------------ steps

    async def listing(self, listing_id: str = "logo", *, published: bool = True) -> listing_pb2.Listing:
        """A listing of acme with the package `basic`."""
        request = pb.CreateListingRequest(
            parent="sellers/acme", listing_id=listing_id, listing=listing(published=published)
        )
        made: pb.CreateListingResponse = await self.by(ACME).CreateListing(request)
        return made.listing

    async def offer(
        self, origin: str = "", *, send: bool = True, amount: int = 100, **changes: Any
    ) -> offer_pb2.Offer:
        """An offer of acme to ana, by default an open one that answers a new request."""
        request = create(origin or self.origins.add(), send=send, terms=terms(amount, **changes))
        made: pb.CreateOfferResponse = await self.by(ACME).CreateOffer(request)
        return made.offer

    async def tell(self, message: Any, facts: Any) -> None:
        """Publishes the event of another service, and waits until it was taken in."""
        await self._others.publish(
            message, aggregate=facts.name, version=facts.version, time=self.clock.now()
        )
        await self.service.settle()

    # ------------------------------------------------------------------------------------ findings

    async def events(self, aggregate: str = "") -> list[Message]:
        """Every event that was written, oldest first."""
        async with self.service.host.database.connection() as connection:
            rows = await connection.fetch("SELECT aggregate, type, body FROM outbox ORDER BY time, version")
        return [
            _class_of(row["type"]).FromString(row["body"])
            for row in rows
            if not aggregate or row["aggregate"] == aggregate
        ]

    async def event_names(self, aggregate: str = "") -> list[str]:
        """The types of the events that were written, oldest first."""
        return [type(event).__name__ for event in await self.events(aggregate)]

    async def written(self) -> dict[str, list[str]]:
        """Everything that a call could have changed."""
        found: dict[str, list[str]] = {}
        async with self.service.host.database.connection() as connection:
            for table in TABLES:
                rows = await connection.fetch(f"SELECT t::text AS row FROM {table} AS t ORDER BY 1")
                found[table] = [row["row"] for row in rows]
            for table, column in (("outbox", "event_id"), ("idempotency", "key")):
                rows = await connection.fetch(f"SELECT {column} AS row FROM {table} ORDER BY 1")
                found[table] = [row["row"] for row in rows]
        return found


def _class_of(name: str) -> type[Message]:
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))


@asynccontextmanager
async def offers_scene(
    backends: Backends, clock: ManualClock, *, dsn: str = "", origins: FakeOrigins | None = None
) -> AsyncIterator[Scene]:
    """A running service, with nothing in it unless its database is given."""
    origins = origins or FakeOrigins()
    definition = replace(DEFINITION, build=partial(build, origins=origins))
    async with running(definition, backends, clock=clock, dsn=dsn) as service:
        yield Scene(service, origins, clock)


# ------------------------------------------------------------------------------------------- messages


def money(units: int, currency: str = "EUR") -> Money:
    """Whole units."""
    return Money(currency_code=currency, units=units)


def listing(*, published: bool = True, **changes: Any) -> listing_pb2.Listing:
    """A listing with the package `basic`."""
    made = listing_pb2.Listing(
        title="Logo design",
        intake=listing_pb2.Listing.INTAKE_INSTANT,
        published=published,
        packages=[package()],
    )
    made.MergeFrom(listing_pb2.Listing(**changes))
    return made


def package(package_id: str = "basic", units: int = 100, currency: str = "EUR") -> listing_pb2.Package:
    """A package that takes a week."""
    return listing_pb2.Package(
        package_id=package_id, title="Basic", price=money(units, currency), delivery_days=7
    )


def plan(units: int = 9, **changes: Any) -> commerce_pb2.Plan:
    """So much every month."""
    every_month = {"interval": commerce_pb2.Plan.INTERVAL_MONTH, "interval_count": 1}
    return commerce_pb2.Plan(**{"price": money(units), **every_month, **changes})


def terms(
    units: int = 100, *, currency: str = "EUR", expires_in: timedelta | None = None, **changes: Any
) -> offer_pb2.OfferTerms:
    """One position, paid offline unless said otherwise."""
    made = offer_pb2.OfferTerms(
        line_items=[commerce_pb2.LineItem(title="Logo", quantity=1, unit_price=money(units, currency))],
        delivery_days=7,
        payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE,
    )
    if expires_in is not None:
        made.expire_time.CopyFrom(timestamp(NOW + expires_in))
    made.MergeFrom(offer_pb2.OfferTerms(**changes))
    return made


def create(origin: str, **fields: Any) -> pb.CreateOfferRequest:
    """A request for an offer that answers `origin`."""
    fields.setdefault("terms", terms())
    match origin.partition("/")[0]:
        case "orderRequests":
            return pb.CreateOfferRequest(order_request=origin, **fields)
        case "orders":
            return pb.CreateOfferRequest(order=origin, **fields)
    return pb.CreateOfferRequest(conversation=origin, **fields)
