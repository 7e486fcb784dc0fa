"""Campaigns against the pay flow: lost answers by the thousand, crashes at every step."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

from chassis.kernel.money import Money
from services.orders.domain.actions import ACTION_LIFETIME
from services.orders.domain.order import Order, PaymentState
from services.orders.domain.payment import Payment, State
from tests.component.orders.crashing import ACTION_TOKENS, REFUND_TOKENS, STEPS, World

PARTS = 10
"""Of so many calls, `lost_percent / PARTS` lose their answer."""
WAYS = ("resumed", "given up", "expired", "cancelled")
"""What ends the wait for a buyer."""
_PAUSES = (timedelta(0), timedelta(minutes=6), timedelta(hours=2), timedelta(days=2))


async def charge_many(world: World, *, calls: int, lost_percent: int) -> dict[str, int]:
    """Charges `calls` orders, of which `lost_percent` (tens) of a hundred are taken without an answer."""
    names = []
    lost = 0
    for number in range(calls):
        loses = number % PARTS < lost_percent * PARTS // 100
        lost += loses
        order = await world.place("sandbox_timeout_after_charge" if loses else "sandbox_success")
        await world.confirm(order)
        names.append(order.name)
    for pause in _PAUSES:
        world.clock.advance(pause)
        await world.run()
    paid = 0
    for name in names:
        await world.check(name)
        await world.check_resolved(name)
        paid += (await world.order(name)).payment_state is PaymentState.PAID
    async with world.remote.connection() as connection:
        charges = await connection.fetchval("SELECT count(*) FROM sandbox_charge")
    return {
        "calls": calls,
        "lost": lost,
        "charges": charges,
        "paid": paid,
        "unbalanced": await unbalanced(world),
    }


async def crash_everywhere(world: World, *, times: int) -> dict[str, int]:
    """Crashes `times` times at every step of charging an order, then of refunding a part of it."""
    crashes = disagreements = 0
    for _ in range(times):
        for step in STEPS:
            order = await world.place("sandbox_success")
            await world.confirm(order)
            world.crasher.step = step
            await world.run()
            crashes += not world.crasher.step
            await world.calm_down(order.name)
            payment = await world.payment(order.name)
            assert payment is not None
            await world.refund(payment, Money("EUR", 2_500))
            world.crasher.step = step
            await world.run()
            crashes += not world.crasher.step
            await world.calm_down(order.name)
            known = await world.payment(order.name)
            assert known is not None
            disagreements += known.refunded != Money("EUR", 2_500)
    return {"crashes": crashes, "disagreements": disagreements, "unbalanced": await unbalanced(world)}


async def crash_actions(world: World, *, times: int) -> dict[str, int]:
    """Crashes `times` times at every step of what ends a charge that waits for its buyer, by every way in
    which he or the time ends it; every other time the charge itself is cut off at that step too.
    """
    counts = Counter[str]()
    for number in range(times):
        for step, way, token in itertools.product(STEPS, WAYS, ACTION_TOKENS):
            order = await world.place(token)
            await world.confirm(order)
            if number % 2:
                counts["crashes"] += await crash(world, order, step)
                world.clock.advance(timedelta(minutes=5))
            await world.run()
            payment = await world.payment(order.name)
            assert payment is not None
            if payment.state is State.REQUIRES_ACTION:
                counts["waits"] += 1
                await end_wait(world, order, payment, way)
            counts["crashes"] += await crash(world, order, step)
            world.clock.advance(ACTION_LIFETIME)
            await world.calm_down(order.name)
            counts["charges"] += 1
            payment = await world.payment(order.name)
            assert payment is not None
            taken = [one for one in await world.books(payment) if one["outcome"] == "CAPTURED"]
            counts["taken"] += len(taken)
            counts["disagreements"] += (payment.state is State.CAPTURED) != bool(taken)
    return {**counts, "disagreements": counts["disagreements"], "unbalanced": await unbalanced(world)}


async def end_wait(world: World, order: Order, payment: Payment, way: str) -> None:
    """Brings about what ends the wait."""
    match way:
        case "expired":
            world.clock.advance(ACTION_LIFETIME)
        case "cancelled":
            await world.cancel(order)
        case _:
            await world.resume(payment, give_up=way == "given up")


async def crash_refunds(world: World, *, times: int) -> dict[str, int]:
    """Crashes `times` times at every step of two refunds that share a payment, and then once more at every
    step of finding out what became of them; whatever the provider says to refunds.
    """
    counts = Counter[str]()
    for _ in range(times):
        for first, second, token in itertools.product(STEPS, STEPS, ("sandbox_success", *REFUND_TOKENS)):
            order = await world.place(token)
            await world.confirm(order)
            await world.run()
            payment = await world.payment(order.name)
            assert payment is not None
            for amount in (Money("EUR", 4_000), None):
                await world.refund(payment, amount)
            for step in (first, second):
                counts["crashes"] += await crash(world, order, step)
                world.clock.advance(timedelta(minutes=6))
            await world.calm_down(order.name)
            counts["refunds"] += 2
            payment = await world.payment(order.name)
            assert payment is not None
            back = sum(
                one["amount"] for one in await world.returned(payment) if one["outcome"] == "SUCCEEDED"
            )
            counts["given back"] += back == payment.amount.amount
            counts["refused"] += not back and payment.refundable == payment.amount
            counts["disagreements"] += payment.refunded.amount != back
    return {**counts, "disagreements": counts["disagreements"], "unbalanced": await unbalanced(world)}


async def crash(world: World, order: Order, step: str) -> bool:
    """A process that ends at a step, if it comes there at all; what must hold then is checked."""
    world.crasher.step = step
    await world.run()
    crashed = not world.crasher.step
    world.crasher.step = ""
    await world.check(order.name)
    return crashed


async def unbalanced(world: World) -> int:
    """How many transactions of the ledger do not balance."""
    async with world.remote.connection() as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM (SELECT 1 FROM ledger_entry GROUP BY transaction_id, currency "
            "HAVING sum(CASE side WHEN 'DEBIT' THEN amount ELSE -amount END) <> 0) AS wrong"
        )
    return found
