"""The adapter of Stripe against a process that speaks its protocol, and against recorded answers.

That process (localstripe) knows no idempotency keys, no search and no limit to refunds, and declines with one
code only: such calls are covered by answers in the form of Stripe's documentation, from a server that records
what it was asked.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import stripe

from chassis.kernel.clock import ManualClock
from chassis.kernel.money import Money
from chassis.testing.service import Backends, running
from parley.orders.v1 import payment_pb2, refund_pb2
from services.orders.__main__ import DEFINITION, build
from services.orders.adapters.stripe_provider import (
    HARD_DECLINES,
    NotKnown,
    NotRepresentable,
    StripeProvider,
    minor_units,
)
from services.orders.domain.attempt import Action, Charge, Outcome
from services.orders.domain.refund import ChargeReference, RefundAnswer
from tests.component.orders.market import ONLINE, FakeGate, FakeOffers, Market, Order, euro
from tests.component.orders.test_refunds import refund

KEY = "sk_test_parley"
GOOD, DECLINED, ACTION = "4242424242424242", "4000000000000341", "4000002500003155"
TEN = Money("EUR", 1_000)
# It would listen on every interface by itself.
_SERVE = (
    "import sys; from aiohttp import web; from localstripe.server import app; "
    "web.run_app(app, host='127.0.0.1', port=int(sys.argv[1]), access_log=None)"
)


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """The address of a fresh server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", _SERVE, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert b"Running on" in await asyncio.wait_for(process.stdout.readline(), 30)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    await process.wait()


@pytest.fixture
async def provider(server: str) -> AsyncIterator[StripeProvider]:
    provider = StripeProvider(KEY, url=server)
    yield provider
    await provider.close()


async def card(url: str, number: str) -> str:
    """What the buyer's browser gets for a card."""
    http = stripe.HTTPXClient()
    client = stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http)
    made = await client.v1.payment_methods.create_async(
        {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}}
    )
    await http.close_async()  # type: ignore[no-untyped-call]
    return made.id


async def test_a_card_is_charged_declined_or_unknown(server: str, provider: StripeProvider) -> None:
    taken = await provider.charge("k-1", TEN, await card(server, GOOD), attended=False)
    assert taken.outcome is Outcome.CAPTURED
    assert taken.reference.startswith("pi_")
    declined = await provider.charge("k-2", TEN, await card(server, DECLINED), attended=False)
    assert declined == Charge(Outcome.SOFT_DECLINE, "card_declined")
    assert (await provider.charge("k-3", TEN, "pm_none", attended=True)).outcome is Outcome.HARD_DECLINE


async def act(url: str, charge: Charge, success: bool) -> None:
    """What Stripe's program in the buyer's browser does."""
    assert charge.action is not None
    async with httpx.AsyncClient(base_url=url, auth=(KEY, "")) as client:
        path = f"/v1/payment_intents/{charge.reference}/_authenticate"
        answer = await client.post(
            path, data={"client_secret": charge.action.client_secret, "success": str(success).lower()}
        )
        assert answer.status_code == 200


@pytest.mark.covers("B35")
async def test_a_card_whose_owner_has_to_prove_it(server: str, provider: StripeProvider) -> None:
    means = await card(server, ACTION)
    waiting = [await provider.charge(f"k-{number}", TEN, means, attended=True) for number in range(4)]
    assert {one.outcome for one in waiting} == {Outcome.REQUIRES_ACTION}
    proved, failed, quicker, left = waiting
    assert await provider.lookup("k-0", proved.reference) == proved
    await act(server, proved, success=True)
    taken = Charge(Outcome.CAPTURED, reference=proved.reference)
    assert await provider.lookup("k-0", proved.reference) == taken
    await act(server, failed, success=False)
    refusal = Charge(Outcome.SOFT_DECLINE, "payment_intent_authentication_failure")
    assert await provider.lookup("k-1", failed.reference) == refusal
    # What was declined cannot be gone on with.
    async with httpx.AsyncClient(base_url=server, auth=(KEY, "")) as client:
        intent = (await client.get(f"/v1/payment_intents/{failed.reference}")).json()
        assert intent["status"] == "canceled"
    await act(server, quicker, success=True)
    assert (await provider.call_off("k-2", quicker.reference)).outcome is Outcome.CAPTURED
    ended = await provider.call_off("k-3", left.reference)
    assert ended == Charge(Outcome.SOFT_DECLINE, "authentication_required")
    assert (await provider.lookup("k-3", left.reference)) is not None


async def test_parts_go_back_and_are_found_by_their_key(server: str, provider: StripeProvider) -> None:
    taken = await provider.charge("k-1", TEN, await card(server, GOOD), attended=False)
    charge = ChargeReference("k-1", taken.reference)
    assert await provider.lookup_refund("r-1", charge) is None
    assert await provider.refund("r-1", charge, Money("EUR", 400)) == RefundAnswer(True)
    assert await provider.lookup_refund("r-1", charge) == RefundAnswer(True)
    assert await provider.lookup_refund("r-2", charge) is None
    assert not (await provider.refund("r-3", ChargeReference("k", "pi_none"), TEN)).succeeded
    assert await provider.refund("r-4", ChargeReference("k"), TEN) == RefundAnswer(False, "charge_not_found")
    assert await provider.lookup_refund("r-4", ChargeReference("k")) is None


@pytest.mark.covers("B35")
async def test_an_order_is_paid_and_refunded_through_it(
    server: str, provider: StripeProvider, backends: Backends, clock: ManualClock
) -> None:
    gate, offers = FakeGate(), FakeOffers()
    built = partial(build, gate=gate, offers=offers, provider=provider)
    async with running(replace(DEFINITION, build=built), backends, clock=clock) as service:
        market = Market(service, gate, offers)
        name = (await market.place(payment_method=ONLINE, payment_token=await card(server, GOOD))).name
        await service.settle()
        assert (await market.get(name)).payment_state == Order.PAYMENT_STATE_PAID
        payment = await market.payment(name)
        assert (payment.provider, payment.state) == ("stripe", payment_pb2.Payment.STATE_CAPTURED)
        await refund(market, payment.name, 30)
        await service.settle()
        known = await market.payment(name)
        assert known.refunds[0].state == refund_pb2.Refund.STATE_SUCCEEDED
        assert known.refunded_amount == euro(30)


# ------------------------------------------------------------------------------------- recorded answers


@dataclass
class Recorded:
    """A server that gives the answers it was told to, and keeps what it was asked."""

    answers: list[tuple[int, dict[str, Any]]]
    url: str = ""
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.asked.append((head[0].rpartition(" ")[0], headers, body.decode()))
        status, answer = self.answers.pop(0)
        content = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def recorded(
    *answers: tuple[int, dict[str, Any]], return_url: str = ""
) -> AsyncIterator[tuple[StripeProvider, Recorded]]:
    replies = Recorded(list(answers))
    listening = await asyncio.start_server(replies, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        provider = StripeProvider(KEY, url=f"http://127.0.0.1:{port}", return_url=return_url)
        yield provider, replies
        await provider.close()


def intent(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "pi_1", "object": "payment_intent", "status": status, **more}


def decline(code: str) -> tuple[int, dict[str, Any]]:
    error = {"type": "card_error", "code": "card_declined", "decline_code": code, "message": "No."}
    return 402, {"error": error}


async def test_our_key_is_the_idempotency_key_and_stands_in_the_metadata() -> None:
    async with recorded((200, intent("succeeded"))) as (provider, server):
        assert await provider.charge("key-1", Money("JPY", 500), "pm_1", attended=False) == Charge(
            Outcome.CAPTURED, reference="pi_1"
        )
    ((line, headers, body),) = server.asked
    assert line == "POST /v1/payment_intents"
    assert headers["idempotency-key"] == "key-1"
    assert headers["authorization"] == f"bearer {KEY}".lower()
    for part in ("amount=500", "currency=jpy", "payment_method=pm_1", "confirm=true", "key-1"):
        assert part in body
    assert "off_session=true" in body
    assert "return_url" not in body


async def test_a_buyer_who_is_there_is_asked_and_sent_back() -> None:
    async with recorded((200, intent("succeeded")), return_url="https://shop.example/paid?lang=de") as (
        provider,
        server,
    ):
        await provider.charge("key-1", TEN, "pm_1", attended=True, payment="orders/o1/payments/p1")
    ((_, _, body),) = server.asked
    assert "off_session=false" in body
    # The shop learns which payment comes back.
    (back,) = parse_qs(body)["return_url"]
    assert back == "https://shop.example/paid?lang=de&payment=orders%2Fo1%2Fpayments%2Fp1"


@pytest.mark.parametrize(
    "code", ["stolen_card", "insufficient_funds", "try_again_later", *sorted(HARD_DECLINES - {"stolen_card"})]
)
async def test_declines_are_for_good_or_for_now(code: str) -> None:
    async with recorded(decline(code)) as (provider, _):
        outcome = Outcome.HARD_DECLINE if code in HARD_DECLINES else Outcome.SOFT_DECLINE
        assert await provider.charge("k", TEN, "pm_1", attended=False) == Charge(outcome, code)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, "api_error"), (503, "api_error"), (409, "idempotency_error"), (429, "rate_limit"), (401, "auth")],
)
async def test_other_failures_mean_that_nothing_is_known(status: int, kind: str) -> None:
    failure = (status, {"error": {"type": kind, "message": "Sorry."}})
    async with recorded(failure, failure) as (provider, server):
        with pytest.raises(stripe.StripeError):
            await provider.charge("k", TEN, "pm_1", attended=False)
        with pytest.raises(stripe.StripeError):
            await provider.refund("r", ChargeReference("k", "pi_1"), TEN)
    assert len(server.asked) == 2
    unreachable = StripeProvider(KEY, url="http://127.0.0.1:9")
    with pytest.raises(stripe.APIConnectionError):
        await unreachable.charge("k", TEN, "pm_1", attended=False)
    await unreachable.close()


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ([], None),
        ([intent("succeeded")], Charge(Outcome.CAPTURED, reference="pi_1")),
        (
            [intent("requires_payment_method", last_payment_error={"decline_code": "lost_card"})],
            Charge(Outcome.HARD_DECLINE, "lost_card"),
        ),
        (
            [
                intent(
                    "requires_action",
                    client_secret="pi_1_secret",
                    next_action={"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank"}},
                )
            ],
            Charge(Outcome.REQUIRES_ACTION, reference="pi_1", action=Action("https://bank", "pi_1_secret")),
        ),
        ([intent("canceled")], Charge(Outcome.SOFT_DECLINE, "card_declined")),
    ],
)
async def test_a_charge_is_found_by_its_key(found: list[dict[str, Any]], answer: Charge | None) -> None:
    page = {"object": "search_result", "data": found, "has_more": False, "url": "/v1/payment_intents/search"}
    async with recorded((200, page), (200, intent("canceled"))) as (provider, server):
        assert await provider.lookup("key-1") == answer
    assert "/v1/payment_intents/search?" in server.asked[0][0]
    assert "key-1" in server.asked[0][0]


async def test_what_is_undecided_or_ambiguous_stays_unknown() -> None:
    for found in ([intent("processing")], [intent("succeeded"), intent("succeeded")]):
        page = {"object": "search_result", "data": found, "has_more": False, "url": "/v1"}
        async with recorded((200, page)) as (provider, _):
            with pytest.raises(NotKnown):
                await provider.lookup("k")
    pending = {"id": "re_1", "object": "refund", "status": "pending"}
    async with recorded((200, pending)) as (provider, _):
        with pytest.raises(NotKnown):
            await provider.refund("r", ChargeReference("k", "pi_1"), TEN)


async def test_refunds_that_are_refused_or_fail_say_why() -> None:
    error = {"type": "invalid_request_error", "code": "charge_already_refunded", "message": "No."}
    refusal = {"error": error}
    why = "expired_or_canceled_card"
    failed = {"id": "re_1", "object": "refund", "status": "failed", "failure_reason": why}
    async with recorded((400, refusal), (200, failed)) as (provider, server):
        charge = ChargeReference("k", "pi_1")
        assert await provider.refund("r", charge, TEN) == RefundAnswer(False, "charge_already_refunded")
        assert await provider.refund("r", charge, TEN) == RefundAnswer(False, "expired_or_canceled_card")
    assert server.asked[0][1]["idempotency-key"] == "r"


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        (Money("EUR", 1), 1),
        (Money("JPY", 500), 500),
        (Money("KWD", 1_230), 1_230),
        (Money("KWD", 1_234), None),
        (Money("ISK", 5), 500),
        (Money("UGX", 5), 500),
        (Money("MGA", 500), 5),
        (Money("MGA", 501), None),
    ],
)
async def test_amounts_in_the_units_of_stripe(amount: Money, minor: int | None) -> None:
    if minor is not None:
        assert minor_units(amount) == minor
        return
    with pytest.raises(NotRepresentable):
        minor_units(amount)
    provider, charge = StripeProvider(KEY), ChargeReference("k", "pi_1")
    assert (
        await provider.charge("k", amount, "pm_1", attended=False)
    ).decline_code == "amount_not_representable"
    assert (await provider.refund("r", charge, amount)).failure_code == "amount_not_representable"
