"""Word from the payment provider: believed by its signature, and never for what it says."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from google.api.httpbody_pb2 import HttpBody
from prometheus_client import REGISTRY

from chassis.config import Secret
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind
from chassis.testing.service import ANONYMOUS, Backends, refused, running
from parley.orders.v1 import payment_pb2, refund_pb2
from parley.orders.v1 import provider_events_pb2 as pb
from services.orders.__main__ import DEFINITION, build
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.payment import State
from tests.component.orders.crashing import STEPS, World
from tests.component.orders.market import ANA, ONLINE, FakeGate, FakeOffers, Market
from tests.component.orders.test_refunds import refund
from tests.integration.gateway.front import fronted
from tests.unit.orders.purchases import NOW

Payment, Refund = payment_pb2.Payment, refund_pb2.Refund
NEW, OLD = "the-newest-secret-of-all", "the-secret-before-that-one"


@pytest.fixture
async def told(backends: Backends, clock: ManualClock) -> AsyncIterator[Market]:
    """A market whose provider sends word."""
    gate, offers = FakeGate(), FakeOffers()
    definition = replace(DEFINITION, build=partial(build, gate=gate, offers=offers, zones=gate))
    secrets = (Secret(NEW), Secret(OLD))
    async with running(definition, backends, clock=clock, payment_event_secrets=secrets) as service:
        yield Market(service, gate, offers)


def about(key: str) -> bytes:
    """An event of Stripe's about a charge or a refund, more or less."""
    thing = {"id": "pi_1", "object": "payment_intent", "metadata": {"parley_key": key}}
    return json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": thing}}).encode()


def sign(event: bytes, *secrets: str, at: int | None = None) -> str:
    time = int(NOW.timestamp()) if at is None else at
    payload = str(time).encode() + b"." + event
    marks = [hmac.new(one.encode(), payload, hashlib.sha256).hexdigest() for one in secrets]
    return ",".join((f"t={time}", *(f"v1={mark}" for mark in marks), "v0=ignored"))


async def send(market: Market, event: bytes, signature: str, provider: str = "sandbox") -> None:
    request = pb.ReceiveProviderEventRequest(
        provider=provider,
        event=HttpBody(content_type="application/json", data=event),
        signature=signature,
    )
    await market.stub(ANONYMOUS).ReceiveProviderEvent(request)


async def lost(market: Market, token: str = "sandbox_timeout_after_charge") -> tuple[str, str]:
    """An order whose charge has no answer, and the key of the charge."""
    name = (await market.place(payment_method=ONLINE, payment_token=token)).name
    await market.service.settle()
    return name, f"{(await market.payment(name)).name.rpartition('/')[2]}-1"


def counted(outcome: str) -> float:
    labels = {"provider": "sandbox", "outcome": outcome}
    return REGISTRY.get_sample_value("parley_provider_events_total", labels) or 0.0


@pytest.mark.covers("B35", "X01")
async def test_an_event_has_the_provider_asked_and_may_come_any_number_of_times(told: Market) -> None:
    (order, key), (other, other_key) = await lost(told), await lost(told, "sandbox_requires_action")
    assert (await told.payment(order)).state == Payment.STATE_UNKNOWN
    events = [(about(one), secret) for one in (key, other_key) for secret in (NEW, OLD)] * 5
    await asyncio.gather(*(send(told, event, sign(event, secret)) for event, secret in reversed(events)))
    await told.service.settle()
    for name in (order, other):
        assert (await told.payment(name)).state == Payment.STATE_CAPTURED
    assert len(await told.charges()) == 2
    before, known = await told.counts(), counted("settled")
    await send(told, about(key), sign(about(key), NEW))
    assert counted("settled") == known + 1
    assert await told.counts() == before
    assert before["timer"] == 0


async def test_an_event_arrives_over_http_as_it_was_signed(told: Market, backends: Backends) -> None:
    path, headers = "/v1/paymentProviders/sandbox/events", {"content-type": "application/json"}
    async with fronted(backends, orders_target=told.service.address) as client:
        for header in ("Stripe-Signature", "Parley-Signature"):
            order, key = await lost(told)
            # Spaces and escapes that no encoder would write: what was signed are bytes.
            event = about(key).replace(b": ", b" :\t").replace(b"evt_1", b"evt_\\u0031")
            headers[header] = sign(event, NEW)
            forged = await client.post(path, content=event + b" ", headers=headers)
            assert (forged.status_code, forged.json()["reason"]) == (400, "PROVIDER_SIGNATURE_INVALID")
            assert (await told.payment(order)).state == Payment.STATE_UNKNOWN
            taken = await client.post(path, content=event, headers=headers)
            assert (taken.status_code, taken.json()) == (200, {})
            await told.service.settle()
            assert (await told.payment(order)).state == Payment.STATE_CAPTURED
            del headers[header]


async def test_an_event_says_nothing_by_itself(told: Market) -> None:
    """That a charge succeeded changes nothing as long as the provider, when asked, does not say so."""
    order, key = await lost(told, "sandbox_action_never_done")
    await send(told, about(key), sign(about(key), NEW))
    await told.service.settle()
    assert (await told.payment(order)).state == Payment.STATE_REQUIRES_ACTION
    declined, key = await lost(told, "sandbox_decline_soft")
    await send(told, about(key), sign(about(key), NEW))
    await told.service.settle()
    assert (await told.payment(declined)).state == Payment.STATE_DECLINED


async def test_an_event_about_a_refund(told: Market) -> None:
    order, key = await lost(told, "sandbox_timeout_after_refund")
    payment = await told.payment(order)
    await refund(told, payment.name, 40)
    await told.service.settle()
    assert (await told.payment(order)).refunds[0].state == Refund.STATE_UNKNOWN
    event = json.dumps({"key": f"{payment.name.rpartition('/')[2]}-refund-1"}).encode()
    await send(told, event, sign(event, OLD, NEW))
    await told.service.settle()
    assert (await told.payment(order)).refunds[0].state == Refund.STATE_SUCCEEDED
    assert len(await told.rows("SELECT * FROM sandbox_refund")) == 1
    assert key


async def test_what_is_about_nothing_here_is_accepted_and_ignored(told: Market) -> None:
    before, ignored = await told.counts(), counted("unknown")
    strange = [
        b"{",
        b"[]",
        b'"x"',
        b"{}",
        b'{"key": 7}',
        b'{"key": ""}',
        b'{"data": {"object": {"metadata": [1]}}}',
        b"[" * 100_000,
        b"\xff\xfe",
        about("nobody's-1"),
        about("x" * 201),
    ]
    for event in strange:
        await send(told, event, sign(event, NEW))
    assert (await told.counts(), counted("unknown")) == (before, ignored + len(strange))


async def test_what_is_forged_or_late_is_refused_and_changes_nothing(told: Market) -> None:
    order, key = await lost(told)
    event, now = about(key), int(NOW.timestamp())
    good = sign(event, NEW)
    before, was_refused = await told.counts(), counted("refused")
    forged = [
        "",
        "nonsense",
        f"t={now}",
        good.replace("t=", "t=+"),
        good.replace(f"t={now}", f"t={now + 1}"),
        f"t={now},{good}",
        sign(event, "another-secret-of-16"),
        sign(event + b" ", NEW),
        sign(event, NEW).replace("v1=", "v0="),
        good.replace("v1=", "v1=\u00fc"),
        "t=" + "9" * 400 + ",v1=00",
    ]
    for signature in forged:
        refusal = await refused(send(told, event, signature))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "PROVIDER_SIGNATURE_INVALID"), signature
        assert {one.field for one in refusal.violations} == {"signature"}
    for late in (-301, 301):
        refusal = await refused(send(told, event, sign(event, NEW, at=now + late)))
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "PROVIDER_EVENT_EXPIRED")
    assert (await refused(send(told, event, good, "stripe"))).kind is Kind.NOT_FOUND
    assert counted("refused") == was_refused + len(forged) + 2
    assert await told.counts() == before
    assert (await told.payment(order, ANA)).state == Payment.STATE_UNKNOWN
    await send(told, event, sign(event, NEW, at=now - 300))
    await told.service.settle()
    assert (await told.payment(order)).state == Payment.STATE_CAPTURED


async def test_without_a_secret_nothing_is_believed(market: Market) -> None:
    refusal = await refused(send(market, b"{}", sign(b"{}", "")))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PROVIDER_EVENTS_NOT_CONFIGURED")
    assert refusal.metadata["provider"] == "sandbox"


async def test_an_event_that_comes_before_the_answer_concludes_nothing(world: World) -> None:
    """Asked too early the provider knows nothing yet: nothing is submitted again and nothing given up."""
    order = await world.place("sandbox_success")
    await world.confirm(order)
    world.crasher.step = STEPS[1]
    await world.run()
    payment = await world.payment(order.name)
    assert payment is not None
    await world.cancel(order)
    await world.resume(payment)
    await world.run()
    known = await world.payment(order.name)
    assert known is not None
    assert (known.state, await world.books(known)) == (State.SUBMITTING, [])
    # It arrives after all.
    await world.provider.inner.charge(
        payment.last_attempt.key, payment.amount, "sandbox_success", attended=True
    )
    await world.resume(payment)
    await world.run()
    known = await world.payment(order.name)
    assert known is not None
    assert known.state is State.CAPTURED
    await world.check(order.name)


async def test_a_provider_that_is_away_is_asked_again_until_it_answers(world: World) -> None:
    order = await world.place("sandbox_timeout_after_charge")
    await world.confirm(order)
    await world.run()
    payment = await world.payment(order.name)
    assert payment is not None
    lookup, failures = world.provider.inner.lookup, [1, 1]

    async def away(key: str, reference: str = "") -> Charge | None:
        if failures:
            failures.pop()
            raise ConnectionError("away")
        return await lookup(key, reference)

    world.provider.inner.lookup = away  # type: ignore[method-assign]
    await world.resume(payment)
    for pause in (timedelta(0), timedelta(seconds=1), timedelta(seconds=2)):
        world.clock.advance(pause)
        await world.run()
    known = await world.payment(order.name)
    assert known is not None
    assert (known.state, known.last_attempt.outcome) == (State.CAPTURED, Outcome.CAPTURED)


def test_no_secret_is_shown() -> None:
    assert NEW not in repr(Secret(NEW))
