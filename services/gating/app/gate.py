"""Asks the gate: rules from memory, facts about a buyer only where they matter.

Bounded staleness: what this replica writes is seen at once; what another one writes is seen when its
announcement arrives, and after `MAX_AGE_SECONDS` in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import parse_name
from chassis.kernel.refusal import Kind, Refusal, not_found
from services.gating.app.cache import FreshCache
from services.gating.app.ports import Announcer, ListingSource, Monotonic, Projections, Sellers
from services.gating.domain import gate
from services.gating.domain.availability import Availability
from services.gating.domain.catalogue import Listing, listing_of, seller_of
from services.gating.domain.gate import (
    NOTHING_KNOWN,
    BuyerFacts,
    CompiledSettings,
    GateDecision,
    GateRules,
    Verdict,
)
from services.gating.domain.plan import SellerPlan

MAX_AGE_SECONDS: Final = 1.0
"""No cached value is older than this, whatever happened to its announcement."""

SELLERS_CAPACITY: Final = 10_000
LISTINGS_CAPACITY: Final = 50_000
BUYERS_CAPACITY: Final = 50_000
STANDINGS_CAPACITY: Final = 50_000

_ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, eq=False)
class SellerEntry:
    """What a seller's gate needs, apart from listings."""

    compiled: CompiledSettings
    plan: SellerPlan
    availability: Availability


@dataclass(frozen=True, slots=True, eq=False)
class ListingEntry:
    """A listing with its availability; None for a listing that does not exist."""

    listing: Listing | None
    availability: Availability


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The verdict about a package from `since` until before `until`, while the two entries hold."""

    seller: SellerEntry
    listing: ListingEntry
    rules: GateRules
    verdict: Verdict
    since: datetime
    until: datetime
    asks_for_buyer: bool


class Gate:
    """Decides for packages and buyers, and knows what it may keep in memory for how long."""

    def __init__(
        self,
        database: Database,
        *,
        sellers: Sellers,
        projections: Projections,
        source: ListingSource,
        announcer: Announcer,
        clock: Clock,
        monotonic: Monotonic,
    ) -> None:
        self._database = database
        self._sellers = sellers
        self._projections = projections
        self._source = source
        self._announcer = announcer
        self._clock = clock
        self._standings: dict[str, Standing] = {}
        self._seller_entries: FreshCache[str, SellerEntry] = FreshCache(
            self._load_seller, capacity=SELLERS_CAPACITY, max_age_seconds=MAX_AGE_SECONDS, monotonic=monotonic
        )
        self._listing_entries: FreshCache[str, ListingEntry] = FreshCache(
            self._load_listing,
            capacity=LISTINGS_CAPACITY,
            max_age_seconds=MAX_AGE_SECONDS,
            monotonic=monotonic,
        )
        self._buyers: FreshCache[tuple[str, str], BuyerFacts] = FreshCache(
            self._load_buyer, capacity=BUYERS_CAPACITY, max_age_seconds=MAX_AGE_SECONDS, monotonic=monotonic
        )

    # ------------------------------------------------------------------------------------------ decisions

    async def decide(self, package: str, buyer: str) -> GateDecision:
        """The decision at this instant. Refusal NOT_FOUND for a package that nobody can order."""
        now = self._clock.now()
        standing = self._standings.get(package)
        if standing is None or not self._holds(standing, now):
            standing = await self._stand(package)
            now = self._clock.now()
            if not standing.since <= now < standing.until:
                standing = _standing(standing.seller, standing.listing, package, now)
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
            raise not_found(package)
        rules = GateRules(
            package,
            CompiledSettings(await self._sellers.settings(tx, seller)),
            await self._sellers.plan(tx, seller),
            await self._sellers.availability(tx, seller),
            listing,
            await self._sellers.availability(tx, name),
        )
        verdict = gate.verdict_of(rules, now)
        facts = NOTHING_KNOWN
        if gate.asks_for_buyer(rules, verdict):
            facts = await self._projections.buyer_facts(tx, buyer, seller)
        return gate.evaluate(rules, buyer=buyer, facts=facts, at=now)

    async def know_listing(self, name: str) -> bool:
        """Whether a listing exists, asking its owner where the projection has nothing of it yet."""
        return (await self._listing_entries.get(name)).listing is not None

    # ------------------------------------------------------------------------------------------ forgetting

    async def seller_changed(self, seller: str) -> None:
        """Something of a seller's settings, plan or availability changed here."""
        await self._changed("seller", seller)

    async def listing_changed(self, name: str) -> None:
        """A listing or its availability changed here."""
        await self._changed("listing", name)

    async def buyer_changed(self, buyer: str, seller: str) -> None:
        """An offer to a buyer or an order of his changed here."""
        await self._changed("buyer", buyer, seller)

    async def _changed(self, kind: str, *names: str) -> None:
        self.forget(kind, names)
        await self._announcer.announce(kind, *names)

    def forget(self, kind: str, names: tuple[str, ...]) -> None:
        """Drops what is remembered of something that changed, here or in another replica."""
        match kind, names:
            case "seller", (seller,):
                self._seller_entries.forget(seller)
            case "listing", (name,):
                self._listing_entries.forget(name)
            case "buyer", (buyer, seller):
                self._buyers.forget((buyer, seller))
            case _:
                self.forget_everything()

    def forget_everything(self) -> None:
        """Announcements may have been missed."""
        self._seller_entries.clear()
        self._listing_entries.clear()
        self._buyers.clear()

    # ------------------------------------------------------------------------------------------ inside

    def _holds(self, standing: Standing, now: datetime) -> bool:
        return (
            standing.since <= now < standing.until
            and self._seller_entries.fresh(standing.rules.compiled.settings.seller) is standing.seller
            and self._listing_entries.fresh(standing.rules.listing.name) is standing.listing
        )

    async def _stand(self, package: str) -> Standing:
        # What is remembered was well-formed when it was first asked for.
        parse_name(package, "sellers/*/listings/*/packages/*", field="package")
        listing = await self._listing_entries.get(listing_of(package))
        if listing.listing is None or listing.listing.package(package) is None:
            raise not_found(package)
        seller = await self._seller_entries.get(seller_of(package))
        standing = _standing(seller, listing, package, self._clock.now())
        if len(self._standings) >= STANDINGS_CAPACITY:
            self._standings.clear()
        self._standings[package] = standing
        return standing

    async def _facts(self, buyer: str, standing: Standing) -> BuyerFacts:
        key = (buyer, standing.rules.listing.seller)
        try:
            return self._buyers.fresh(key) or await self._buyers.get(key)
        except Refusal as refusal:
            if refusal.kind is not Kind.UNAVAILABLE:
                raise
            # In doubt the buyer asks: never an instant order by a fact that could not be read.
            return NOTHING_KNOWN

    async def _load_seller(self, seller: str, outdated: SellerEntry | None) -> SellerEntry:
        async def work(tx: Transaction) -> SellerEntry:
            settings = await self._sellers.settings(tx, seller)
            plan = await self._sellers.plan(tx, seller)
            availability = await self._sellers.availability(tx, seller)
            if outdated is None or outdated.compiled.settings.version != settings.version:
                return SellerEntry(CompiledSettings(settings), plan, availability)
            if (plan, availability) == (outdated.plan, outdated.availability):
                return outdated
            return SellerEntry(outdated.compiled, plan, availability)

        return await self._database.read(work)

    async def _load_listing(self, name: str, outdated: ListingEntry | None) -> ListingEntry:
        async def work(tx: Transaction) -> ListingEntry:
            found = await self._projections.listing(tx, name)
            return ListingEntry(found, await self._sellers.availability(tx, name))

        entry = await self._database.read(work)
        if entry.listing is None:
            entry = ListingEntry(await self._fetch_listing(name), entry.availability)
        if outdated is not None and (outdated.listing, outdated.availability) == (
            entry.listing,
            entry.availability,
        ):
            return outdated
        return entry

    async def _fetch_listing(self, name: str) -> Listing | None:
        listing = await self._source.listing(name)
        if listing is not None:
            fetched = listing
            await self._database.transact(lambda tx: self._projections.store_listing(tx, fetched))
        return listing

    async def _load_buyer(self, key: tuple[str, str], _outdated: BuyerFacts | None) -> BuyerFacts:
        buyer, seller = key
        return await self._database.read(lambda tx: self._projections.buyer_facts(tx, buyer, seller))


def _standing(seller: SellerEntry, listing: ListingEntry, package: str, now: datetime) -> Standing:
    assert listing.listing is not None
    rules = GateRules(
        package, seller.compiled, seller.plan, seller.availability, listing.listing, listing.availability
    )
    verdict = gate.verdict_of(rules, now)
    asks = gate.asks_for_buyer(rules, verdict)
    return Standing(seller, listing, rules, verdict, now, _constant_until(rules, verdict, now), asks)


def _constant_until(rules: GateRules, verdict: Verdict, now: datetime) -> datetime:
    """Until when not even a word of the verdict changes: windows and their texts change at whole minutes."""
    offset = now.astimezone(rules.compiled.zone).utcoffset() or timedelta()
    if offset % _ONE_MINUTE:
        return now
    ends = [now.replace(second=0, microsecond=0) + _ONE_MINUTE]
    ends.extend(bound for bound in rules.bounds if bound > now)
    if verdict.next_change_time is not None:
        ends.append(verdict.next_change_time)
    return min(ends)
