"""Campaigns against the pay flow: lost answers by the thousand, crashes at every step."""

from __future__ import annotations

from datetime import timedelta

from chassis.kernel.money import Money
from services.orders.domain.order import PaymentState
from tests.component.orders.crashing import STEPS, World

PARTS = 10
"""Of so many calls, `lost_percent / PARTS` lose their answer."""
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


async def unbalanced(world: World) -> int:
    """How many transactions of the ledger do not balance."""
    async with world.remote.connection() as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM (SELECT 1 FROM ledger_entry GROUP BY transaction_id, currency "
            "HAVING sum(CASE side WHEN 'DEBIT' THEN amount ELSE -amount END) <> 0) AS wrong"
        )
    return found
