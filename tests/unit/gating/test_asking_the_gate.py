"""What the gate keeps in memory, and what it does when it cannot look something up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from chassis.db import Database
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Refusal, unavailable
from services.gating.app.gate import Gate
from services.gating.app.ports import Calendars, Change, Changes, Projections, Sellers, Verifications
from services.gating.domain.availability import Availability
from services.gating.domain.calendar import Calendar
from services.gating.domain.catalogue import Listing
from services.gating.domain.gate import BuyerFacts, GateReason, HeldOffer
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import Audience, OrderSettings
from services.gating.domain.verification import BuyerVerification
from tests.unit.gating.examples import BUYER, LISTING, PACKAGE, SELLER, at, listing, nights, settings_with


class Store:
    """The database with its log of changes, its repositories and the peer, in memory."""

    def __init__(self) -> None:
        self.found = settings_with()
        self.listings: dict[str, Listing] = {LISTING: listing()}
        self.elsewhere: dict[str, Listing] = {}
        self.facts = BuyerFacts()
        self.open_orders = 0
        self.said: BuyerVerification | None = None
        self.is_up = True
        self.reads = 0
        self.log: list[Change] = []
        self.epoch = "one"
        self.pruned = 0
        self.seconds = 0.0
        self.clock = ManualClock()

    def gate(self) -> Gate:
        return Gate(
            cast("Database", self),
            sellers=cast("Sellers", self),
            calendars=cast("Calendars", self),
            verifications=cast("Verifications", self),
            projections=cast("Projections", Known(self)),
            source=Elsewhere(self),
            changes=self,
            clock=self.clock,
            monotonic=lambda: self.seconds,
        )

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        if not self.is_up:
            raise unavailable("STORAGE_UNAVAILABLE", "the storage cannot answer now")
        self.reads += 1
        return await work(None)

    transact = write_once = read

    async def settings(self, _tx: Any, _seller: str) -> OrderSettings:
        return self.found

    async def plan(self, _tx: Any, seller: str) -> SellerPlan:
        return SellerPlan(seller, Tier.PREMIUM)

    async def calendar(self, _tx: Any, subject: str) -> Calendar:
        return Calendar(Availability(subject))

    async def verification(self, _tx: Any, buyer: str) -> BuyerVerification:
        return self.said or BuyerVerification(buyer)

    async def since(self, _tx: Any, snapshot: str) -> Changes:
        new = self.log[int(snapshot) :] if snapshot else []
        return Changes(str(len(self.log)), self.epoch, None if len(new) > 5 else tuple(new))

    async def prune(self, _tx: Any) -> None:
        self.pruned += 1

    def switch_off(self, *, logged: bool = True) -> None:
        """What another replica does."""
        self.found = replace(self.found, enabled=False, version=self.found.version + 1)
        if logged:
            self.log.append(Change(SELLER, ""))


class Known:
    """The projections of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def listing(self, _tx: Any, name: str) -> Listing | None:
        return self.store.listings.get(name)

    async def store_listing(self, _tx: Any, found: Listing) -> None:
        self.store.listings[found.name] = found

    async def buyer_facts(self, _tx: Any, _buyer: str, _seller: str) -> BuyerFacts:
        return self.store.facts

    async def open_orders(self, _tx: Any, _seller: str) -> int:
        return self.store.open_orders


class Elsewhere:
    """The owner of the listings."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def listing(self, name: str) -> Listing | None:
        return self.store.elsewhere.get(name)


async def reason(gate: Gate, package: str = PACKAGE) -> GateReason:
    return (await gate.decide(package, BUYER)).verdict.reason


@pytest.mark.covers("G02")
async def test_when_facts_about_a_buyer_cannot_be_read_he_has_to_ask() -> None:
    store = Store()
    store.facts = BuyerFacts(offers=(HeldOffer("offers/1", PACKAGE, is_open=True),))
    gate = store.gate()
    assert await reason(gate) is GateReason.OPEN_OFFER
    gate.buyer_changed(BUYER, SELLER)
    store.is_up = False
    assert await reason(gate) is GateReason.ALWAYS
    store.is_up = True
    assert await reason(gate) is GateReason.OPEN_OFFER


@pytest.mark.covers("X17")
async def test_open_orders_are_counted_only_where_they_matter_and_followed() -> None:
    store = Store()
    store.found, store.open_orders = settings_with(windows=nights().windows), 9
    store.clock.set(at("2026-06-01T12:00:00"))
    gate = store.gate()
    assert await reason(gate) is GateReason.OUTSIDE_WINDOWS
    assert store.reads == 4
    store.found = replace(store.found, max_open_orders=10)
    gate.rules_changed(SELLER)
    assert await reason(gate) is GateReason.OUTSIDE_WINDOWS
    store.open_orders = 10
    gate.orders_changed(BUYER, SELLER)
    assert await reason(gate) is GateReason.AT_CAPACITY
    # Another replica heard of an order that is over.
    store.open_orders = 9
    store.log.append(Change(f"{SELLER}/openOrders", ""))
    store.seconds = 1.0
    before = store.reads
    assert await reason(gate) is GateReason.OUTSIDE_WINDOWS
    # The log and the number, and not the seller's settings again.
    assert store.reads == before + 2


@pytest.mark.covers("X17")
async def test_when_open_orders_cannot_be_counted_the_seller_is_full() -> None:
    store = Store()
    store.found = settings_with(windows=nights().windows, max_open_orders=1)
    store.clock.set(at("2026-06-01T12:00:00"))
    gate = store.gate()
    assert await reason(gate) is GateReason.OUTSIDE_WINDOWS
    gate.orders_changed(BUYER, SELLER)
    store.is_up = False
    assert await reason(gate) is GateReason.AT_CAPACITY
    store.is_up = True
    assert await reason(gate) is GateReason.OUTSIDE_WINDOWS


@pytest.mark.covers("X17")
async def test_a_verification_is_looked_up_only_where_it_matters_and_followed() -> None:
    store = Store()
    store.said = BuyerVerification(BUYER, True)
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.found = settings_with(audience=Audience.UNVERIFIED_BUYERS)
    gate.rules_changed(SELLER)
    assert await reason(gate) is GateReason.VERIFIED_BUYER
    # Another replica took it back.
    store.said = BuyerVerification(BUYER, False)
    store.log.append(Change(BUYER, ""))
    store.seconds = 1.0
    assert await reason(gate) is GateReason.ALWAYS
    store.said = BuyerVerification(BUYER, True)
    gate.verification_changed(BUYER)
    store.is_up = False
    assert await reason(gate) is GateReason.ALWAYS
    store.is_up = True
    assert await reason(gate) is GateReason.VERIFIED_BUYER
    before = store.reads
    assert await reason(gate) is GateReason.VERIFIED_BUYER
    assert store.reads == before


async def test_settings_that_cannot_be_read_are_never_guessed() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.is_up, store.seconds = False, 1.0
    with pytest.raises(Refusal) as caught:
        await gate.decide(PACKAGE, BUYER)
    assert caught.value.reason == "STORAGE_UNAVAILABLE"


async def test_an_open_gate_is_answered_from_memory() -> None:
    store = Store()
    store.found = nights()
    gate = store.gate()
    for minute in range(300):
        store.clock.set(at("2026-06-01T12:00:00") + timedelta(minutes=minute))
        assert await reason(gate) is GateReason.OUTSIDE_WINDOWS
    # The log, the listing, the seller; then the log is pruned.
    assert store.reads == 4
    store.clock.set(at("2026-06-01T19:00:00"))
    assert await reason(gate) is GateReason.INSIDE_WINDOW


async def test_nothing_is_older_than_a_second() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.switch_off()
    store.seconds = 0.249
    assert await reason(gate) is GateReason.ALWAYS
    store.seconds = 1.0
    assert await reason(gate) is GateReason.SWITCHED_OFF


async def test_the_log_is_looked_at_while_decisions_go_on() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.switch_off()
    store.seconds = 0.25
    assert await reason(gate) is GateReason.ALWAYS
    await asyncio.sleep(0)
    assert await reason(gate) is GateReason.SWITCHED_OFF


async def test_only_what_changed_is_loaded_again() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    for seconds in range(1, 50):
        store.seconds = float(seconds)
        before = store.reads
        assert await reason(gate) is GateReason.ALWAYS
        assert store.reads == before + 1
    store.log.append(Change(LISTING, ""))
    store.listings.clear()
    store.seconds = 50.0
    with pytest.raises(Refusal):
        await gate.decide(PACKAGE, BUYER)


async def test_a_flood_of_changes_is_not_told_one_by_one() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.switch_off(logged=False)
    store.log.extend(Change(f"sellers/s{number}", "") for number in range(6))
    store.seconds = 1.0
    assert await reason(gate) is GateReason.SWITCHED_OFF


async def test_a_change_of_what_is_known_about_a_buyer_is_noticed() -> None:
    store = Store()
    store.facts = BuyerFacts(offers=(HeldOffer("offers/1", PACKAGE, is_open=True),))
    gate = store.gate()
    assert await reason(gate) is GateReason.OPEN_OFFER
    store.facts = BuyerFacts()
    store.log.append(Change(SELLER, BUYER))
    store.seconds = 1.0
    assert await reason(gate) is GateReason.ALWAYS


async def test_after_a_long_pause_or_a_restored_database_everything_is_loaded_again() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.switch_off(logged=False)
    store.seconds = 59.0
    assert await reason(gate) is GateReason.ALWAYS
    store.seconds += 60.0
    assert await reason(gate) is GateReason.SWITCHED_OFF
    store.found = replace(store.found, enabled=True)
    store.epoch, store.seconds = "two", store.seconds + 1.0
    assert await reason(gate) is GateReason.ALWAYS


async def test_a_log_that_cannot_be_read_is_bridged_for_a_second() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.is_up = False
    for seconds in (0.25, 0.5, 0.999):
        store.seconds = seconds
        assert await reason(gate) is GateReason.ALWAYS
        await asyncio.sleep(0)
    store.seconds = 1.0
    with pytest.raises(Refusal) as caught:
        await gate.decide(PACKAGE, BUYER)
    assert caught.value.reason == "STORAGE_UNAVAILABLE"
    store.is_up = True
    assert await reason(gate) is GateReason.ALWAYS


async def test_the_log_is_pruned_now_and_then() -> None:
    store = Store()
    gate = store.gate()
    for seconds in range(120):
        store.seconds = float(seconds)
        await reason(gate)
    assert store.pruned == 2


async def test_a_change_made_here_is_seen_at_once() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.switch_off(logged=False)
    gate.rules_changed(SELLER)
    assert await reason(gate) is GateReason.SWITCHED_OFF


async def test_an_unknown_listing_is_asked_for_and_kept() -> None:
    store = Store()
    store.elsewhere = dict(store.listings)
    store.listings.clear()
    assert await reason(store.gate()) is GateReason.ALWAYS
    assert LISTING in store.listings


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (f"{LISTING}/packages/none", "NOT_FOUND"),
        ("sellers/acme/listings/none/packages/basic", "NOT_FOUND"),
        (f"{LISTING}/packages/a b", "VALIDATION_FAILED"),
        ("basic", "VALIDATION_FAILED"),
    ],
)
async def test_what_cannot_be_ordered_is_refused(package: str, expected: str) -> None:
    with pytest.raises(Refusal) as caught:
        await Store().gate().decide(package, BUYER)
    assert caught.value.reason == expected
