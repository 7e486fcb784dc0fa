"""What the gate keeps in memory, and what it does when it cannot look something up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from chassis.db import Database
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Refusal, unavailable
from services.gating.app.gate import Gate
from services.gating.app.ports import Projections, Sellers
from services.gating.domain.availability import Availability
from services.gating.domain.catalogue import Listing
from services.gating.domain.gate import BuyerFacts, GateReason, HeldOffer
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import OrderSettings
from tests.unit.gating.examples import BUYER, LISTING, PACKAGE, SELLER, at, listing, nights, settings_with


class Store:
    """The database, its repositories, the peer and the broker, in memory."""

    def __init__(self) -> None:
        self.found = settings_with()
        self.listings: dict[str, Listing] = {LISTING: listing()}
        self.elsewhere: dict[str, Listing] = {}
        self.facts = BuyerFacts()
        self.is_up = True
        self.reads = 0
        self.announced: list[tuple[str, ...]] = []
        self.seconds = 0.0
        self.clock = ManualClock()

    def gate(self) -> Gate:
        return Gate(
            cast("Database", self),
            sellers=cast("Sellers", self),
            projections=cast("Projections", Known(self)),
            source=Elsewhere(self),
            announcer=self,
            clock=self.clock,
            monotonic=lambda: self.seconds,
        )

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        if not self.is_up:
            raise unavailable("STORAGE_UNAVAILABLE", "the storage cannot answer now")
        self.reads += 1
        return await work(None)

    transact = read

    async def settings(self, _tx: Any, _seller: str) -> OrderSettings:
        return self.found

    async def plan(self, _tx: Any, seller: str) -> SellerPlan:
        return SellerPlan(seller, Tier.PREMIUM)

    async def availability(self, _tx: Any, subject: str) -> Availability:
        return Availability(subject)

    async def announce(self, kind: str, *names: str) -> None:
        self.announced.append((kind, *names))


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
    gate.forget("buyer", (BUYER, SELLER))
    store.is_up = False
    assert await reason(gate) is GateReason.ALWAYS
    store.is_up = True
    assert await reason(gate) is GateReason.OPEN_OFFER


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
    assert store.reads == 2
    store.clock.set(at("2026-06-01T19:00:00"))
    assert await reason(gate) is GateReason.INSIDE_WINDOW


async def test_nothing_is_older_than_a_second() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.found = replace(store.found, enabled=False, version=4)
    store.seconds = 0.999
    assert await reason(gate) is GateReason.ALWAYS
    store.seconds = 1.0
    assert await reason(gate) is GateReason.SWITCHED_OFF


async def test_a_change_is_seen_at_once_and_announced() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.found = replace(store.found, enabled=False, version=4)
    await gate.seller_changed(SELLER)
    assert await reason(gate) is GateReason.SWITCHED_OFF
    await gate.listing_changed(LISTING)
    await gate.buyer_changed(BUYER, SELLER)
    assert store.announced == [("seller", SELLER), ("listing", LISTING), ("buyer", BUYER, SELLER)]


async def test_an_announcement_that_nobody_understands_forgets_everything() -> None:
    store = Store()
    gate = store.gate()
    assert await reason(gate) is GateReason.ALWAYS
    store.found = replace(store.found, enabled=False, version=4)
    gate.forget("weather", ("rain", "snow", "sun"))
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
