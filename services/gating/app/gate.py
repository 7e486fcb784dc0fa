"""Asks the gate: rules from memory, facts about a buyer only where they matter.

Bounded staleness: what this replica writes is seen at once, what another one writes within a second
(`freshness`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import parse_name
from chassis.kernel.refusal import Kind, Refusal
from chassis.kernel.timetable import WallMinute, wall_minute
from services.gating.app.cache import LoadingCache
from services.gating.app.freshness import Freshness
from services.gating.app.ports import (
    Calendars,
    Change,
    ChangeLog,
    ListingSource,
    Monotonic,
    Projections,
    Sellers,
    Verifications,
    open_orders_of,
    seller_of_open_orders,
)
from services.gating.domain import gate
from services.gating.domain.calendar import Calendar
from services.gating.domain.catalogue import Listing, listing_of, seller_of, unorderable
from services.gating.domain.gate import (
    NOTHING_KNOWN,
    BuyerFacts,
    CompiledSettings,
    GateDecision,
    GateRules,
    Verdict,
)
from services.gating.domain.plan import SellerPlan
from services.gating.domain.settings import OrderSettings
from services.gating.domain.verification import BuyerVerification

SELLERS_CAPACITY: Final = 10_000
LISTINGS_CAPACITY: Final = 50_000
BUYERS_CAPACITY: Final = 50_000
OPEN_ORDERS_CAPACITY: Final = 10_000
STANDINGS_CAPACITY: Final = 50_000

_ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, eq=False)
class SellerEntry:
    """What a seller's gate needs, apart from listings."""

    compiled: CompiledSettings
    plan: SellerPlan
    calendar: Calendar


@dataclass(frozen=True, slots=True, eq=False)
class ListingEntry:
    """A listing with its calendar; None for a listing that does not exist."""

    listing: Listing | None
    calendar: Calendar


@dataclass(slots=True, eq=False)
class Standing:
    """The verdict about a package from `since` until before `until`, while the two entries hold. They held
    when `changes` was how often anything had changed. `minute` is that of all these instants; None where
    `until` is `since`.
    """

    seller: SellerEntry
    listing: ListingEntry
    rules: GateRules
    settings: OrderSettings
    verdict: Verdict
    minute: WallMinute | None
    since: datetime
    until: datetime
    asks_for_buyer: bool
    asks_who_is_verified: bool
    max_open_orders: int
    changes: int = -1


class Gate:
    """Decides for packages and buyers, and knows what it may keep in memory for how long."""

    def __init__(
        self,
        database: Database,
        *,
        sellers: Sellers,
        calendars: Calendars,
        verifications: Verifications,
        projections: Projections,
        source: ListingSource,
        changes: ChangeLog,
        clock: Clock,
        monotonic: Monotonic,
    ) -> None:
        self._database = database
        self._sellers = sellers
        self._calendars = calendars
        self._verifications = verifications
        self._projections = projections
        self._source = source
        self._clock = clock
        self._standings: dict[str, Standing] = {}
        self._changes = 0
        self._seller_entries: LoadingCache[str, SellerEntry] = LoadingCache(
            self._load_seller, capacity=SELLERS_CAPACITY
        )
        self._listing_entries: LoadingCache[str, ListingEntry] = LoadingCache(
            self._load_listing, capacity=LISTINGS_CAPACITY
        )
        self._buyers: LoadingCache[tuple[str, str], BuyerFacts] = LoadingCache(
            self._load_buyer, capacity=BUYERS_CAPACITY
        )
        self._verified: LoadingCache[str, BuyerVerification] = LoadingCache(
            self._load_verification, capacity=BUYERS_CAPACITY
        )
        self._open_orders: LoadingCache[str, int] = LoadingCache(
            self._load_open_orders, capacity=OPEN_ORDERS_CAPACITY
        )
        self._freshness = Freshness(database, changes, self._forget, monotonic)

    # ------------------------------------------------------------------------------------------ decisions

    def decide_at_once(self, package: str, buyer: str) -> GateDecision | None:
        """What `decide` answers; None where something has to be read or looked at for it."""
        if not self._freshness.holds():
            return None
        standing, now = self._standings.get(package), self._clock.now()
        if standing is None or standing.minute is None or not self._holds(standing, now):
            return None
        verdict, rules, settings = standing.verdict, standing.rules, standing.settings
        if standing.max_open_orders:
            open_orders = self._open_orders.known(open_orders_of(settings.seller))
            if open_orders is None or (open_orders >= standing.max_open_orders) is not rules.is_full:
                return None
        if standing.asks_for_buyer:
            facts = self._buyers.known((buyer, settings.seller))
            if facts is None or standing.asks_who_is_verified:
                return None
            verdict = gate.for_buyer(rules, verdict, facts, now)
        local_time = standing.minute.text(now)
        return GateDecision(package, buyer, now, local_time, settings.time_zone, settings.version, verdict)

    async def decide(self, package: str, buyer: str) -> GateDecision:
        """The decision at this instant. Refusals NOT_FOUND, PACKAGE_RETIRED where nobody can order it."""
        if not self._freshness.holds():
            await self._freshness.ensure()
        now = self._clock.now()
        standing = self._standings.get(package)
        if standing is None or not self._holds(standing, now):
            standing = await self._stand(package)
            now = self._clock.now()
            if not standing.since <= now < standing.until:
                standing = _standing(standing.seller, standing.listing, package, now)
        if standing.max_open_orders:
            standing = await self._by_capacity(standing, now)
        verdict = standing.verdict
        if standing.asks_for_buyer:
            facts = await self._facts(buyer, standing)
            verdict = gate.for_buyer(standing.rules, verdict, facts, now)
        return gate.decision(standing.rules, verdict, buyer=buyer, at=now)

    async def decide_in(self, tx: Transaction, package: str, buyer: str, now: datetime) -> GateDecision:
        """The same from the database alone, inside the transaction that acts on it."""
        seller, name = seller_of(package), listing_of(package)
        listing = await self._projections.listing(tx, name)
        if listing is None or listing.package(package) is None:
            raise unorderable(listing, package)
        rules = GateRules(
            package,
            CompiledSettings(await self._sellers.settings(tx, seller)),
            await self._sellers.plan(tx, seller),
            await self._calendars.calendar(tx, seller),
            listing,
            await self._calendars.calendar(tx, name),
        )
        limit = rules.compiled.settings.max_open_orders
        if limit:
            rules = replace(rules, is_full=await self._projections.open_orders(tx, seller) >= limit)
        verdict = gate.verdict_of(rules, now)
        facts = NOTHING_KNOWN
        if gate.asks_for_buyer(rules.compiled.settings, verdict):
            facts = await self._projections.buyer_facts(tx, buyer, seller)
            if rules.compiled.settings.audience.spares_verified:
                facts = replace(facts, verification=await self._verifications.verification(tx, buyer))
        verdict = gate.for_buyer(rules, verdict, facts, now)
        return gate.decision(rules, verdict, buyer=buyer, at=now)

    async def know_listing(self, name: str) -> bool:
        """Whether a listing exists, asking its owner where the projection has nothing of it yet."""
        await self._freshness.ensure()
        return (await self._listing_entries.get(name)).listing is not None

    async def zone_of(self, listing: str) -> ZoneInfo | None:
        """The zone in which a published listing's days are counted; None for any other listing."""
        await self._freshness.ensure()
        found = (await self._listing_entries.get(listing)).listing
        if found is None or not found.published:
            return None
        return (await self._seller_entries.get(found.seller)).compiled.zone

    # ------------------------------------------------------------------------------------------ forgetting

    def rules_changed(self, subject: str) -> None:
        """Settings, plan, calendar or the catalogue entry of a seller or listing changed here."""
        self._forget(Change(subject, ""))

    def buyer_changed(self, buyer: str, seller: str) -> None:
        """An offer to a buyer changed here."""
        self._forget(Change(seller, buyer))

    def verification_changed(self, buyer: str) -> None:
        """Something was said of a buyer here."""
        self._forget(Change(buyer, ""))

    def orders_changed(self, buyer: str, seller: str) -> None:
        """An order of a buyer changed here."""
        self._forget(Change(seller, buyer))
        self._forget(Change(open_orders_of(seller), ""))

    def _forget(self, change: Change | None) -> None:
        self._changes += 1
        if change is None:
            self._seller_entries.clear()
            self._listing_entries.clear()
            self._buyers.clear()
            self._verified.clear()
            self._open_orders.clear()
        elif change.buyer:
            self._buyers.forget((change.buyer, change.subject))
        else:
            self._seller_entries.forget(change.subject)
            self._listing_entries.forget(change.subject)
            self._verified.forget(change.subject)
            self._open_orders.forget(change.subject)

    # ------------------------------------------------------------------------------------------ inside

    def _holds(self, standing: Standing, now: datetime) -> bool:
        if not standing.since <= now < standing.until:
            return False
        if standing.changes == self._changes:
            return True
        holds = (
            self._seller_entries.known(standing.rules.compiled.settings.seller) is standing.seller
            and self._listing_entries.known(standing.rules.listing.name) is standing.listing
        )
        if holds:
            standing.changes = self._changes
        return holds

    async def _stand(self, package: str) -> Standing:
        # What is remembered was well-formed when it was first asked for.
        parse_name(package, "sellers/*/listings/*/packages/*", field="package")
        listing = await self._listing_entries.get(listing_of(package))
        if listing.listing is None or listing.listing.package(package) is None:
            raise unorderable(listing.listing, package)
        seller = await self._seller_entries.get(seller_of(package))
        standing = _standing(seller, listing, package, self._clock.now())
        if len(self._standings) >= STANDINGS_CAPACITY:
            self._standings.clear()
        self._standings[package] = standing
        return standing

    async def _by_capacity(self, standing: Standing, now: datetime) -> Standing:
        """The standing as it holds with the orders that are open now."""
        subject = open_orders_of(standing.rules.listing.seller)
        try:
            is_full = await self._open_orders.get(subject) >= standing.max_open_orders
        except Refusal as refusal:
            if refusal.kind is not Kind.UNAVAILABLE:
                raise
            # In doubt the seller is full, and the buyer asks.
            is_full = True
        if is_full is standing.rules.is_full:
            return standing
        package = standing.rules.package
        found = _standing(standing.seller, standing.listing, package, now, is_full=is_full)
        self._standings[package] = found
        return found

    async def _facts(self, buyer: str, standing: Standing) -> BuyerFacts:
        key = (buyer, standing.rules.listing.seller)
        try:
            facts = self._buyers.known(key) or await self._buyers.get(key)
            if standing.asks_who_is_verified:
                facts = replace(facts, verification=await self._verified.get(buyer))
            return facts
        except Refusal as refusal:
            if refusal.kind is not Kind.UNAVAILABLE:
                raise
            # In doubt the buyer asks: never an instant order by a fact that could not be read.
            return NOTHING_KNOWN

    async def _load_seller(self, seller: str) -> SellerEntry:
        async def work(tx: Transaction) -> SellerEntry:
            return SellerEntry(
                CompiledSettings(await self._sellers.settings(tx, seller)),
                await self._sellers.plan(tx, seller),
                await self._calendars.calendar(tx, seller),
            )

        return await self._database.read(work)

    async def _load_listing(self, name: str) -> ListingEntry:
        async def work(tx: Transaction) -> ListingEntry:
            found = await self._projections.listing(tx, name)
            return ListingEntry(found, await self._calendars.calendar(tx, name))

        entry = await self._database.read(work)
        if entry.listing is None:
            entry = ListingEntry(await self._fetch_listing(name), entry.calendar)
        return entry

    async def _fetch_listing(self, name: str) -> Listing | None:
        listing = await self._source.listing(name)
        if listing is not None:
            fetched = listing
            await self._database.transact(lambda tx: self._projections.store_listing(tx, fetched))
        return listing

    async def _load_open_orders(self, subject: str) -> int:
        seller = seller_of_open_orders(subject)
        return await self._database.read(lambda tx: self._projections.open_orders(tx, seller))

    async def _load_verification(self, buyer: str) -> BuyerVerification:
        return await self._database.read(lambda tx: self._verifications.verification(tx, buyer))

    async def _load_buyer(self, key: tuple[str, str]) -> BuyerFacts:
        buyer, seller = key
        return await self._database.read(lambda tx: self._projections.buyer_facts(tx, buyer, seller))


def _standing(
    seller: SellerEntry, listing: ListingEntry, package: str, now: datetime, *, is_full: bool = False
) -> Standing:
    assert listing.listing is not None
    rules = GateRules(
        package,
        seller.compiled,
        seller.plan,
        seller.calendar,
        listing.listing,
        listing.calendar,
        is_full,
    )
    verdict, settings = gate.verdict_of(rules, now), seller.compiled.settings
    minute = wall_minute(now, rules.compiled.zone)
    return Standing(
        seller,
        listing,
        rules,
        settings,
        verdict,
        minute,
        now,
        now if minute is None else _constant_until(rules, verdict, now),
        gate.asks_for_buyer(settings, verdict),
        settings.audience.spares_verified,
        settings.max_open_orders,
    )


def _constant_until(rules: GateRules, verdict: Verdict, now: datetime) -> datetime:
    """Until when not even a word of the verdict changes: windows and their texts change at whole minutes."""
    ends = [now.replace(second=0, microsecond=0) + _ONE_MINUTE]
    ends.extend(bound for bound in rules.bounds if bound > now)
    if verdict.next_change_time is not None:
        ends.append(verdict.next_change_time)
    return min(ends)
