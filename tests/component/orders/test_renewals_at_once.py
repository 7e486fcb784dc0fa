"""Renewals that are due at the same moment share transactions, and nothing of the one reaches the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.kernel.money import Money
from chassis.testing.service import Backends, running
from services.orders.__main__ import DEFINITION, build
from services.orders.domain.attempt import Charge, Outcome
from tests.component.orders.market import ONLINE, FakeGate, FakeOffers, Market
from tests.component.orders.subscribers import SUCCESS, at, monthly, sell

DAY = timedelta(days=1)
SUBSCRIPTIONS = 12
# What the audit of a poisoned payment would do to a transaction that shares it.
POISON = """
CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'poisoned' USING ERRCODE = 'raise_exception'; END $$;
CREATE TRIGGER refuse_one BEFORE {event} ON payment FOR EACH ROW
WHEN (NEW.subscription_id = '{id}') EXECUTE FUNCTION refuse_one()
"""
CURE = "DROP TRIGGER refuse_one ON payment; DROP FUNCTION refuse_one()"


@dataclass
class Bank:
    """A provider far away: it keeps books, and may break off before or behind them."""

    name: str = "bank"
    broken: dict[str, str] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        assert not attended
        self.calls.append(key)
        when = self.broken.pop(key.removesuffix("-1"), "")
        if when == "before":
            raise ConnectionError(key)
        self.books[key] = self.books.get(key, 0) + 1
        if when == "behind":
            raise ConnectionError(key)
        return Charge(Outcome.CAPTURED)

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        return Charge(Outcome.CAPTURED) if key in self.books else None

    async def call_off(self, key: str, reference: str) -> Charge:
        raise NotImplementedError

    async def refund(self, key: str, charge: Any, amount: Money) -> Any:
        raise NotImplementedError

    async def lookup_refund(self, key: str, charge: Any) -> Any:
        raise NotImplementedError


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
async def shop(backends: Backends, clock: ManualClock, bank: Bank) -> AsyncIterator[Market]:
    gate, offers = FakeGate(), FakeOffers()
    make = partial(build, gate=gate, offers=offers, provider=bank)
    async with running(replace(DEFINITION, build=make), backends, clock=clock) as service:
        yield Market(service, gate, offers)


async def subscribe_all(market: Market, start: Any) -> list[str]:
    """The ids of subscriptions that begin at the same moment."""
    package = sell(market, monthly(30))
    found = []
    for _ in range(SUBSCRIPTIONS):
        order = await market.place(
            package=package, payment_method=ONLINE, payment_token=SUCCESS, start_time=at(start)
        )
        found.append(order.name.removeprefix("orders/"))
    return found


async def states(market: Market) -> dict[str, str]:
    rows = await market.rows("SELECT subscription_id, state FROM payment ORDER BY subscription_id")
    return {row["subscription_id"]: row["state"] for row in rows}


async def test_the_attempt_and_its_key_are_there_before_the_provider_is_asked(
    shop: Market, bank: Bank
) -> None:
    start = shop.service.clock.now() + DAY
    await subscribe_all(shop, start)
    found: list[Any] = []
    charge = bank.charge

    async def looking(key: str, amount: Money, token: str, *, attended: bool, payment: str = "") -> Charge:
        found.extend(await shop.rows("SELECT key FROM payment_attempt WHERE key = $1", key))
        found.extend(await shop.rows("SELECT key FROM timer WHERE kind = 'payment.enquire'"))
        return await charge(key, amount, token, attended=attended)

    bank.charge = looking  # type: ignore[method-assign]
    shop.service.clock.set(start)
    await shop.service.settle()
    assert {row["key"] for row in found} >= set(bank.calls)
    assert len(found) >= SUBSCRIPTIONS * (SUBSCRIPTIONS + 1) / 2
    assert set((await states(shop)).values()) == {"CAPTURED"}
    # No timer of its own was needed to charge one, and none is left but those of the next period.
    rows = await shop.rows("SELECT kind, count(*) FROM timer GROUP BY kind")
    assert rows == [{"kind": "subscription.due", "count": SUBSCRIPTIONS}]


async def test_answers_that_are_lost_concern_nobody_else_and_double_nothing(shop: Market, bank: Bank) -> None:
    start = shop.service.clock.now() + DAY
    await subscribe_all(shop, start)
    shop.service.clock.set(start)
    charge = bank.charge
    kinds = iter(["before", "behind", "", ""] * SUBSCRIPTIONS)

    async def breaking(key: str, amount: Money, token: str, *, attended: bool, payment: str = "") -> Charge:
        if key not in bank.calls:
            bank.broken[key.removesuffix("-1")] = next(kinds)
        return await charge(key, amount, token, attended=attended)

    bank.charge = breaking  # type: ignore[method-assign]
    await shop.service.host.timers.run_due()
    found = list((await states(shop)).values())
    assert (found.count("UNKNOWN"), found.count("CAPTURED")) == (SUBSCRIPTIONS // 2, SUBSCRIPTIONS // 2)
    shop.service.clock.advance(timedelta(minutes=6))
    await shop.service.settle()
    assert set((await states(shop)).values()) == {"CAPTURED"}
    assert sorted(bank.books.values()) == [1] * SUBSCRIPTIONS
    ledger = await shop.rows("SELECT count(*) AS booked FROM ledger_transaction")
    assert ledger == [{"booked": SUBSCRIPTIONS}]


async def do(market: Market, statement: str) -> None:
    async with market.service.host.database.connection() as connection:
        await connection.execute(statement)


async def test_one_that_cannot_be_renewed_or_settled_holds_up_no_other(shop: Market, bank: Bank) -> None:
    start = shop.service.clock.now() + DAY
    ids = await subscribe_all(shop, start)
    await do(shop, POISON.format(event="INSERT", id=ids[5]))
    shop.service.clock.set(start)
    await shop.service.host.timers.run_due()
    assert await states(shop) == {one: "CAPTURED" for one in sorted(ids) if one != ids[5]}
    await do(shop, CURE)
    await do(shop, POISON.format(event="UPDATE", id=ids[3]))
    shop.service.clock.set(start + 40 * DAY)
    await shop.service.host.timers.run_due()
    rows = await shop.rows("SELECT subscription_id FROM payment WHERE state <> 'CAPTURED'")
    assert [row["subscription_id"] for row in rows] == [ids[3]]
    # The bank has the money; what could not be kept is asked for by the same key.
    await do(shop, CURE)
    shop.service.clock.advance(timedelta(minutes=6))
    await shop.service.settle()
    assert await shop.rows("SELECT id FROM payment WHERE state <> 'CAPTURED'") == []
    assert sorted(bank.books.values()) == [1] * 2 * SUBSCRIPTIONS
    assert len(bank.calls) == 2 * SUBSCRIPTIONS
