"""Orders and payments under crashes at every step of the pay flow: the real handlers on a real PostgreSQL.

Whatever happens: nothing is charged before the confirmation, nothing is charged twice, an attempt never gets
a second key, and once the crashes end every payment is resolved and agrees with the books of the provider.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.kernel.caller import Caller
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.orders.app.commands import ChangePaymentMethod, RetryPayment
from services.orders.app.loading import ChangeOrder
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.order import Order, PaymentState
from services.orders.domain.payment import State
from tests.component.orders.crashing import (
    ACTION_TOKENS,
    BUYER,
    REFUND_TOKENS,
    SELLER,
    STEPS,
    TOKENS,
    Crash,
    World,
)


@pytest.mark.covers("B35")
@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("step", STEPS)
async def test_one_crash_at_every_step(world: World, step: str, token: str) -> None:
    order = await world.place(token)
    await world.run()
    await world.check(order.name)
    await world.confirm(order)
    world.crasher.step = step
    await world.run()
    assert world.crasher.step == "", "the step was never reached"
    await world.check(order.name)
    await world.calm_down(order.name)
    payment = await world.payment(order.name)
    assert payment is not None
    assert len(payment.attempts) == 1


@pytest.mark.covers("B35")
@pytest.mark.parametrize("first", STEPS[1:])
@pytest.mark.parametrize("second", [STEPS[0], *STEPS[2:4]])
async def test_a_second_crash_while_the_janitor_enquires(world: World, first: str, second: str) -> None:
    order = await world.place("sandbox_success")
    await world.confirm(order)
    world.crasher.step = first
    await world.run()
    world.clock.advance(timedelta(minutes=5))
    world.crasher.step = second
    await world.run()
    assert world.crasher.step == "", "the step was never reached"
    await world.check(order.name)
    await world.calm_down(order.name)
    assert (await world.order(order.name)).payment_state is PaymentState.PAID


@pytest.mark.covers("B35")
async def test_an_attempt_that_only_the_janitor_submitted_is_asked_about_as_soon_as_any(world: World) -> None:
    order = await world.place("sandbox_timeout_after_charge")
    await world.confirm(order)
    world.crasher.step = STEPS[1]
    await world.run()
    for _ in range(2):
        assert (await world.order(order.name)).payment_state is PaymentState.PENDING
        world.clock.advance(timedelta(minutes=5))
        await world.run()
    assert (await world.order(order.name)).payment_state is PaymentState.PAID
    await world.check_resolved(order.name)


async def test_the_janitor_gives_up_after_a_week_and_leaves_a_trace(world: World) -> None:
    order = await world.place("sandbox_success")
    await world.confirm(order)
    asked: list[str] = []

    async def away(key: str, *_: Any, **__: Any) -> Any:
        asked.append(key)
        raise ConnectionError("the provider is away")

    world.provider.charge = world.provider.lookup = away  # type: ignore[method-assign]
    pauses = [timedelta(minutes=5), timedelta(hours=1), *[timedelta(days=1)] * 5]
    await world.run()
    for number, pause in enumerate(pauses, 2):
        world.clock.advance(pause - timedelta(seconds=1))
        await world.run()
        assert len(asked) == number - 1
        world.clock.advance(timedelta(seconds=1))
        await world.run()
        assert len(asked) == number
    world.clock.advance(timedelta(days=30))
    await world.run()
    assert len(asked) == 8
    assert len(set(asked)) == 1
    payment = await world.payment(order.name)
    assert payment is not None
    assert payment.state is State.UNKNOWN


@pytest.mark.parametrize("token", ["sandbox_success", "sandbox_refund_fails", "sandbox_timeout_after_refund"])
@pytest.mark.parametrize("step", STEPS)
async def test_one_crash_at_every_step_of_a_refund(world: World, step: str, token: str) -> None:
    order = await world.place(token)
    await world.confirm(order)
    await world.run()
    payment = await world.payment(order.name)
    assert payment is not None
    await world.refund(payment, Money("EUR", 4_000))
    await world.check(order.name)
    world.crasher.step = step
    await world.run()
    assert world.crasher.step == "", "the step was never reached"
    await world.check(order.name)
    await world.calm_down(order.name)
    payment = await world.payment(order.name)
    assert payment is not None
    failed = token == "sandbox_refund_fails"
    assert payment.refunded == Money("EUR", 0 if failed else 4_000)
    assert payment.refundable == Money("EUR", 10_000 if failed else 6_000)
    assert len(await world.returned(payment)) == 1


Action = Callable[[World, Order], Any]


async def _retry(token: str, caller: Caller, world: World, order: Order) -> None:
    payment = await world.payment(order.name)
    if payment is not None:
        await world.commands.retry_payment(world.call(caller), RetryPayment(payment.name, token))


async def _change(method: PaymentMethod, token: str, caller: Caller, world: World, order: Order) -> None:
    command = ChangePaymentMethod(order.name, method, token)
    await world.commands.change_payment_method(world.call(caller), command)


async def _confirm(world: World, order: Order) -> None:
    await world.confirm(order)


async def _refund(amount: int | None, world: World, order: Order) -> None:
    payment = await world.payment(order.name)
    if payment is not None:
        await world.refund(payment, None if amount is None else Money("EUR", amount))


async def _withdraw(world: World, order: Order) -> None:
    await world.commands.withdraw(world.call(BUYER), ChangeOrder(order.name))


async def _resume(give_up: bool, world: World, order: Order) -> None:
    payment = await world.payment(order.name)
    if payment is not None:
        await world.resume(payment, give_up=give_up)


async def _cancel(world: World, order: Order) -> None:
    await world.cancel(order)


async def _run(step: str, world: World, _order: Order) -> None:
    world.crasher.step = step
    await world.run()


async def _wait(pause: timedelta, world: World, _order: Order) -> None:
    world.clock.advance(pause)


callers = st.sampled_from([BUYER, SELLER])
tokens = st.sampled_from([*TOKENS, *ACTION_TOKENS, ""])
actions: st.SearchStrategy[Action] = st.one_of(
    st.just(_confirm),
    st.builds(partial, st.just(_run), st.sampled_from(["", *STEPS])),
    st.builds(partial, st.just(_run), st.sampled_from(["", *STEPS])),
    st.builds(partial, st.just(_retry), tokens, callers),
    st.builds(partial, st.just(_resume), st.booleans()),
    st.builds(partial, st.just(_refund), st.sampled_from([None, 1, 3_000, 10_000])),
    st.builds(partial, st.just(_change), st.sampled_from(PaymentMethod), tokens, callers),
    st.builds(
        partial,
        st.just(_wait),
        st.sampled_from([timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)]),
    ),
    st.just(_withdraw),
    st.just(_cancel),
)


@pytest.mark.covers("B35", "X01")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.sampled_from(TOKENS + REFUND_TOKENS + ACTION_TOKENS), course=st.lists(actions, max_size=14))
async def test_any_course_of_events_charges_at_most_once_and_never_too_early(
    world: World, first: str, course: list[Action]
) -> None:
    order = await world.place(first)
    for action in course:
        try:
            await action(world, order)
        except Refusal:
            pass
        except Crash:
            world.crasher.step = ""
        await world.check(order.name)
    await world.calm_down(order.name)
