"""What the events of other services do to orders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis import telemetry
from chassis.db import ConstraintError, Database, Single, Transaction
from chassis.envelope import Delivery
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import Refusal
from services.orders.app.addresses import addresses_timer
from services.orders.app.charges import charge_timer, schedule_charge
from services.orders.app.fulfilment import schedule_start, start_timers
from services.orders.app.ports import Listings, Offers, Repository
from services.orders.app.subscription_book import SubscriptionBook
from services.orders.domain import negotiation
from services.orders.domain import order as orders
from services.orders.domain import payment as payments
from services.orders.domain.commerce import Address
from services.orders.domain.events import OrderEvent
from services.orders.domain.listing import Listing, ListingKind, listing_of
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment
from services.orders.domain.quotes import OfferFact

Addresses = tuple[Address | None, Address | None]
"""Where the bill goes and where the work."""

_log = telemetry.logger("orders.reactions")


@dataclass(frozen=True, slots=True)
class MessageFact:
    """A message of a conversation; `subject` is what the conversation is about. `by_mail`: it changes no
    state.
    """

    subject: str
    by_seller: bool
    is_public: bool
    by_mail: bool = False


class Reactions:
    """One method for each kind of fact. Facts come twice, late and in any order."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        *,
        listings: Listings,
        offers: Offers,
        book: SubscriptionBook,
        provider: str,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._book = book
        self._database = database
        self._repository = repository
        self._listings = listings
        self._offers = offers
        self._provider = provider
        self._clock = clock
        self._ids = ids

    async def listing_changed(self, delivery: Delivery, listing: Listing) -> None:
        """Keeps the newest version of a listing."""
        await self._database.react(delivery, lambda tx: self._listings.keep(tx, listing))
        self._listings.remember(listing)

    async def offer_accepted(self, delivery: Delivery, fact: OfferFact) -> None:
        """Makes the order (once, under the id of the offer), or changes the price of the quoted one."""
        if not fact.creates_order:
            await self.quote_changed(delivery, fact)
            return
        addresses, kind = await self._addresses(fact), await self._kind(fact)
        if not await self._make_at_once(delivery, fact, kind, addresses):
            await self._database.react(delivery, lambda tx: self._make_order(tx, fact, kind, addresses))

    async def _make_at_once(
        self, delivery: Delivery, fact: OfferFact, kind: ListingKind, addresses: Addresses | None
    ) -> bool:
        """Makes the order in one round trip, which those that come at the same time share. False, with
        nothing done, where something has to be read first, or the order exists already.
        """
        order, event, payment = self._order_of(fact, kind, addresses)
        if order.plan is not None:
            return False
        now = self._clock.now()
        timers = (
            *start_timers(order),
            *((charge_timer(payment, now),) if payment is not None else ()),
            *((addresses_timer(order, now),) if addresses is None else ()),
        )
        single = Single(None, self._repository.inserts(order, payment), events=(event,), timers=timers)
        try:
            await self._database.react_single(delivery, single)
        except ConstraintError:
            return False
        return True

    async def _addresses(self, fact: OfferFact) -> Addresses | None:
        """The captured addresses; None where they have to be fetched later. An order never waits for them."""
        if fact.acceptance is None or not fact.acceptance.has_addresses:
            return None, None
        try:
            return await self._offers.addresses(fact.offer)
        except Refusal as refusal:
            _log.warning("addresses_delayed", offer=fact.offer, reason=refusal.reason)
            return None

    async def _kind(self, fact: OfferFact) -> ListingKind:
        """What the offer is for. Where its listing cannot be read, an order does not wait for it."""
        if not fact.package:
            return ListingKind.SERVICE
        try:
            listing = await self._listings.find(listing_of(fact.package))
        except Refusal as refusal:
            _log.warning("kind_unknown", offer=fact.offer, reason=refusal.reason)
            return ListingKind.SERVICE
        return ListingKind.SERVICE if listing is None else listing.kind

    async def _make_order(
        self,
        tx: Transaction,
        fact: OfferFact,
        kind: ListingKind,
        addresses: Addresses | None,
    ) -> None:
        now = self._clock.now()
        order, event, payment = self._order_of(fact, kind, addresses)
        if not await self._repository.add(tx, order, payment):
            return
        if payment is not None:
            schedule_charge(tx, payment, now)
        schedule_start(tx, order)
        await self._book.begin(tx, order)
        if addresses is None:
            tx.schedule(*addresses_timer(order, now))
        tx.record(event)

    def _order_of(
        self, fact: OfferFact, kind: ListingKind, addresses: Addresses | None
    ) -> tuple[Order, OrderEvent, Payment | None]:
        now = self._clock.now()
        billing, delivery = addresses or (None, None)
        order, event = negotiation.from_offer(
            fact, now=now, kind=kind, billing_address=billing, delivery_address=delivery
        )
        return order, event, payments.due(order, payment_id=self._ids.new(), provider=self._provider, now=now)

    async def quote_changed(self, delivery: Delivery, fact: OfferFact) -> None:
        """Follows a quote for an order. Offers that make orders concern nobody before they are accepted."""
        if fact.creates_order:
            return
        await self._database.react(delivery, lambda tx: self._apply_quote(tx, fact, delivery.time))

    async def _apply_quote(self, tx: Transaction, fact: OfferFact, at: datetime) -> None:
        order = await self._repository.load(tx, fact.order, for_update=True)
        if order is None:
            # It existed when the quote was made, so waiting does not help: a person has to look.
            raise LookupError(f"{fact.order} does not exist, {fact.offer} quotes it")
        changed, event = negotiation.apply_quote(order, fact, at=at, now=self._clock.now())
        if changed is order:
            return
        await self._repository.save(tx, changed, expected=order.version)
        if event is not None:
            tx.record(event)

    async def message_sent(self, delivery: Delivery, fact: MessageFact) -> None:
        """The seller's first public message about a pending order says that he works on it."""
        if not (fact.by_seller and fact.is_public and fact.subject.startswith("orders/")) or fact.by_mail:
            return
        await self._database.react(delivery, lambda tx: self._seller_wrote(tx, fact.subject))

    async def _seller_wrote(self, tx: Transaction, name: str) -> None:
        order = await self._repository.load(tx, name, for_update=True)
        if order is None:
            return
        changed, event = orders.seller_wrote(order, now=self._clock.now())
        if event is not None:
            await self._repository.save(tx, changed, expected=order.version)
            tx.record(event)
