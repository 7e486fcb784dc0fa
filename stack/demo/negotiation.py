"""Plays one negotiation and remembers what was acknowledged on the way, to be held against the end.

Every call is repeated with its own key while its answer is lost (see `api.Patience`), so a negotiation goes
on where services come and go; what it was told stays true, or `audit` finds out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from chassis.kernel.money import Money
from stack.demo.api import Api, Json, NotYet, Party, Refused, Unanswered, until
from stack.demo.marketplace import Package, money_json, money_of
from stack.demo.scripts import Kind, Script
from stack.demo.terms import (
    CARD,
    HARD_CARD,
    LOST_ANSWER_CARD,
    SOFT_CARD,
    instant_of,
    offer_terms,
    percent,
    wire_time,
)

Ask = Callable[[], Awaitable[object]]

_CARDS: Final = {
    Kind.SOFT_DECLINE: SOFT_CARD,
    Kind.HARD_DECLINE: HARD_CARD,
    Kind.LOST_ANSWER: LOST_ANSWER_CARD,
}
# What is cancelled was to be paid offline, so that no money has to go back.
_OFFLINE: Final = frozenset({Kind.OFFLINE, Kind.CANCELLED})
_CURRENCIES: Final = ("EUR", "JPY", "USD")
_REVIVED_FOR: Final = timedelta(days=1)
# The seller's offers are a little dearer than the package, so that there is something to negotiate.
_OPENING_PERCENT: Final = 110


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a negotiation waits for what happens by itself, in seconds."""

    fact_seconds: float = 30.0
    expiry_seconds: float = 1.5
    after_expiry_seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class Promise:
    """What the buyer was told: there is this order, at this price."""

    order: str
    total: Money
    offer: str = ""


@dataclass(slots=True)
class Record:
    """One negotiation as it went.

    `order_possible`: a call was sent that makes an order, whatever its answer. `promise`: it was
    acknowledged. `captures`: how often, at least and at most, money may have been taken. `failure`: why it
    did not go as its script says.
    """

    script: Script
    buyer: str
    request: str = ""
    offer: str = ""
    order_possible: bool = False
    promise: Promise | None = None
    captures: tuple[int, int] = (0, 0)
    visible_seconds: float | None = None
    failure: str = ""
    steps: list[str] = field(default_factory=list)

    @property
    def seller(self) -> str:
        """The id of the seller."""
        return self.script.package.seller


async def play(api: Api, script: Script, *, buyer: str, pace: Pace | None = None) -> Record:
    """Play a script as `users/{buyer}`, who should have nothing else going on with this seller.

    It does not raise for what the API answers or fails to answer: `Record.failure` says so.
    """
    record = Record(script, buyer)
    negotiation = Negotiation(api, record, pace or Pace())
    try:
        await negotiation.run()
    except (Refused, Unanswered, NotYet, Unexpected) as error:
        record.failure = f"after {' > '.join(record.steps) or 'nothing'}: {error}"
    return record


class Unexpected(Exception):
    """The API answered, but not what the script waits for."""


class Negotiation:
    """The parties of one record, and their moves. `seller` owns the account, `agent` works for him."""

    def __init__(self, api: Api, record: Record, pace: Pace) -> None:
        self.record = record
        self.buyer = api.buyer(record.buyer)
        self.seller = api.seller(record.seller)
        self.agent = api.seller(record.seller, role="agent")
        self.pace = pace
        self._script = record.script
        self._package: Package = record.script.package

    async def run(self) -> None:
        """From the first call to the end that the script names."""
        match self._script.kind:
            case Kind.INSTANT:
                await self._instant()
            case Kind.QUOTED:
                await self._quoted()
            case Kind.REQUEST_DECLINED | Kind.REQUEST_WITHDRAWN:
                await self._request()
                await self._end_request()
            case Kind.DECLINED | Kind.WITHDRAWN | Kind.EXPIRED:
                await self._request()
                await self._end_offer()
            case _:
                await self._accepted()

    # ------------------------------------------------------------------------------------------- the ways

    async def _accepted(self) -> None:
        await self._request()
        offer = await self._agreed_offer()
        if offer is None:
            return
        await self._accept(offer)
        await self._until_visible()
        await self._settle()
        if self._script.kind is Kind.COMPLETED:
            await self._work()
        elif self._script.kind is Kind.CANCELLED:
            assert self.record.promise is not None
            await self._do(self.buyer, f"{self.record.promise.order}:cancel", {"reason": "REASON_NOT_NEEDED"})

    async def _agreed_offer(self) -> Json | None:
        """The offer as the buyer will accept it; None where there was no time left to make one."""
        origin = {"orderRequest": self.record.request}
        if self._script.kind is Kind.REVIVED:
            return await self._revived_offer(origin)
        if self._script.kind is Kind.APPROVED:
            offer = await self._approved_offer(origin)
        else:
            offer = await self._send_offer(origin, offline=self._script.kind in _OFFLINE)
        await self._do(self.buyer, f"{self.record.offer}:open")
        if self._script.kind is Kind.COUNTERED:
            for _ in range(self._script.rounds):
                offer = await self._haggle(offer)
            await self.buyer.get(f"{self.record.offer}:compareRevisions")
        return offer

    async def _revived_offer(self, origin: Json) -> Json | None:
        """It expires; the buyer asks for another one, and the seller opens it again."""
        offer = await self._short_offer(origin)
        if offer is None:
            return None
        await self._too_late(offer)
        await self._do(self.buyer, f"{self.record.offer}:requestNewQuote", {"text": "Is it still possible?"})
        expire = wire_time(datetime.now(UTC) + _REVIVED_FOR)
        revived: Json = await self._do(self.seller, f"{self.record.offer}:revive", {"expireTime": expire})
        return dict(revived["offer"])

    async def _approved_offer(self, origin: Json) -> Json:
        """Whatever an agent offers goes through the owner's hands first."""
        limits = [money_json(Money(currency, 1)) for currency in _CURRENCIES]
        settings = f"sellers/{self.record.seller}/offerSettings"
        await self.seller.patch(settings, {"approvalLimits": limits}, updateMask="approvalLimits")
        await self._send_offer(origin, by=self.agent, send=False)
        await self._do(self.agent, f"{self.record.offer}:submitForReview")
        await self._do(self.seller, f"{self.record.offer}:approve")
        sent: Json = await self._do(self.agent, f"{self.record.offer}:send")
        return dict(sent["offer"])

    async def _work(self) -> None:
        """The seller delivers, the buyer sends it back once, and takes it then."""
        assert self.record.promise is not None
        order = self.record.promise.order
        await self._do(self.seller, f"{order}:start")
        await self._do(self.seller, f"{order}:deliver", {"text": "A first draft."})
        await self._do(self.buyer, f"{order}:requestChanges", {"text": "A little bigger, please."})
        await self._do(self.seller, f"{order}:deliver", {"text": "Bigger."})
        await self._do(self.buyer, f"{order}:complete")

    async def _instant(self) -> None:
        order = await self._place()
        self._promise(order["name"], money_of(order["total"]))
        await self._settle()

    async def _quoted(self) -> None:
        order = (await self._place())["name"]
        # The quote is sent by whoever sees the order, not by whoever placed it.
        await self._until(lambda: self.seller.get(order), f"{order} is visible to the seller")
        offer = await self._send_offer({"order": order})
        await self._until_state(self.seller, order, "AWAITING_ANSWER")
        await self._accept(offer)
        await self._until_state(self.seller, order, "PROCESSING")
        self.record.captures = (0, 1)
        await self._do(self.seller, f"{order}:confirm")
        self.record.captures = (1, 1)
        await self._until_state(self.buyer, order, "CONFIRMED")
        await self._settle()

    async def _end_request(self) -> None:
        if self._script.kind is Kind.REQUEST_DECLINED:
            body = {"reason": "DECLINE_REASON_NO_CAPACITY", "text": "We are booked until summer."}
            await self._do(self.seller, f"{self.record.request}:decline", body)
        else:
            await self._do(self.buyer, f"{self.record.request}:withdraw")

    async def _end_offer(self) -> None:
        origin = {"orderRequest": self.record.request}
        is_short = self._script.kind is Kind.EXPIRED
        offer = await self._short_offer(origin) if is_short else await self._send_offer(origin)
        if offer is None:
            return
        if self._script.kind is Kind.DECLINED:
            await self._do(self.buyer, f"{self.record.offer}:decline", {"reason": "Too dear for us."})
        elif self._script.kind is Kind.WITHDRAWN:
            await self._do(self.seller, f"{self.record.offer}:withdraw")
        else:
            await self._too_late(offer)
        await self._until_state(self.buyer, self.record.request, "PENDING", key="orderRequest")
        await self._do(self.buyer, f"{self.record.request}:withdraw")

    async def _short_offer(self, origin: Json) -> Json | None:
        """An offer that is about to expire; None where its call came so late that it had expired before."""
        expire = datetime.now(UTC) + timedelta(seconds=self.pace.expiry_seconds)
        try:
            return await self._send_offer(origin, expire=expire)
        except Refused as refusal:
            if refusal.reason != "TIME_OUT_OF_RANGE":
                raise
            return None

    async def _too_late(self, offer: Json) -> None:
        expire = instant_of(offer["currentRevision"]["terms"]["expireTime"])
        left = (expire - datetime.now(UTC)).total_seconds() + self.pace.after_expiry_seconds
        await asyncio.sleep(max(0.0, left))
        try:
            await self._do(self.buyer, f"{self.record.offer}:accept", self._acceptance(offer))
        except Refused as refusal:
            if refusal.reason != "OFFER_EXPIRED":
                raise
            return
        raise Unexpected(f"{self.record.offer} was accepted after it had expired")

    # ------------------------------------------------------------------------------------------ the moves

    async def _request(self) -> None:
        needs = {"text": f"{self._package.title}, please. Our trade fair opens in eight weeks."}
        answer = await self._do(self.buyer, "orderRequests", {"package": self._package.name, "needs": needs})
        self.record.request = answer["orderRequest"]["name"]
        if self._script.asks_information:
            await self._do(
                self.seller, f"{self.record.request}:askInformation", {"question": "How many of you decide?"}
            )
            await self._do(
                self.buyer, f"{self.record.request}:answerInformation", {"answer": "Two, and we answer fast."}
            )

    async def _send_offer(
        self,
        origin: Json,
        *,
        by: Party | None = None,
        send: bool = True,
        expire: datetime | None = None,
        offline: bool = False,
    ) -> Json:
        price = percent(self._package.price, _OPENING_PERCENT)
        terms = offer_terms(self._package, price, scope="As discussed.", expire=expire, offline=offline)
        answer = await self._do(by or self.seller, "offers", {**origin, "terms": terms, "send": send})
        offer: Json = answer["offer"]
        self.record.offer = offer["name"]
        return offer

    async def _haggle(self, offer: Json) -> Json:
        """The buyer asks for a better price; the seller agrees by a revision of his own."""
        seen = offer["currentRevision"]
        wanted = percent(money_of(seen["total"]), 100 - self._script.discount_percent)
        terms = {
            **seen["terms"],
            "lineItems": [{**seen["terms"]["lineItems"][0], "unitPrice": money_json(wanted)}],
        }
        body = {"revision": seen["number"], "terms": terms, "note": f"Would {wanted} do?"}
        countered = (await self._do(self.buyer, f"{self.record.offer}:counter", body))["offer"]
        number = countered["currentRevision"]["number"]
        body = {"revision": number, "terms": terms, "note": "It would."}
        revised: Json = (await self._do(self.seller, f"{self.record.offer}:revise", body))["offer"]
        return revised

    async def _accept(self, offer: Json) -> None:
        total = money_of(offer["currentRevision"]["total"])
        quoted = offer["onAccept"] == "ON_ACCEPT_UPDATE_ORDER_PRICE"
        self.record.order_possible = True
        if not quoted:
            self.record.captures = (0, self._captures()[1])
        answer = await self._do(self.buyer, f"{self.record.offer}:accept", self._acceptance(offer))
        self.record.promise = Promise(answer["order"], total, self.record.offer)
        if not quoted:
            self.record.captures = self._captures()

    async def _place(self) -> Json:
        body = {
            "package": self._package.name,
            "paymentMethod": "PAYMENT_METHOD_ONLINE",
            "paymentToken": CARD,
            "expectedTotal": money_json(self._package.price),
            "requirements": "As described, please.",
        }
        self.record.order_possible = True
        self.record.captures = (0, 1) if self._script.kind is Kind.INSTANT else (0, 0)
        order: Json = (await self._do(self.buyer, "orders", body))["order"]
        return order

    def _acceptance(self, offer: Json) -> Json:
        body: Json = {"revision": offer["currentRevision"]["number"]}
        if self._script.kind not in _OFFLINE:
            body["paymentToken"] = _CARDS.get(self._script.kind, CARD)
        return body

    def _captures(self) -> tuple[int, int]:
        none = self._script.kind in {*_OFFLINE, Kind.SOFT_DECLINE, Kind.HARD_DECLINE}
        return (0, 0) if none else (1, 1)

    def _promise(self, order: str, total: Money) -> None:
        self.record.promise = Promise(order, total)
        self.record.captures = (1, 1)

    async def _until_visible(self) -> None:
        promise = self.record.promise
        assert promise is not None
        started = time.monotonic()
        await self._until(lambda: self.buyer.get(promise.order), f"{promise.order} is visible to the buyer")
        self.record.visible_seconds = time.monotonic() - started
        self.record.steps.append("visible")

    async def _settle(self) -> None:
        """Wait until the payment is over, and pay by another card where the first was declined for now."""
        promise = self.record.promise
        assert promise is not None
        ends = {
            **dict.fromkeys(_OFFLINE, "OFFLINE"),
            Kind.SOFT_DECLINE: "FAILED",
            Kind.HARD_DECLINE: "FAILED",
        }
        await self._until_payment(promise.order, ends.get(self._script.kind, "PAID"))
        if self._script.kind is Kind.SOFT_DECLINE:
            (payment,) = (await self.buyer.get(f"{promise.order}/payments"))["payments"]
            self.record.captures = (0, 1)
            await self._do(self.buyer, f"{payment['name']}:retry", {"paymentToken": CARD})
            self.record.captures = (1, 1)
            await self._until_payment(promise.order, "PAID")

    # ------------------------------------------------------------------------------------------ the waits

    async def _until_payment(self, order: str, state: str) -> None:
        async def reached() -> bool:
            found = (await self.buyer.get(order))["order"]["paymentState"]
            return bool(found == f"PAYMENT_STATE_{state}")

        await self._until(reached, f"the payment state of {order} is {state}")
        self.record.steps.append(state.lower())

    async def _until_state(self, party: Party, name: str, state: str, *, key: str = "order") -> None:
        async def reached() -> bool:
            return bool((await party.get(name))[key]["state"] == f"STATE_{state}")

        await self._until(reached, f"{name} is {state}")

    async def _until(self, ask: Ask, what: str) -> None:
        await until(ask, what, seconds=self.pace.fact_seconds, pause_seconds=0.005)

    async def _do(self, party: Party, path: str, body: Json | None = None) -> Json:
        answer = await party.post(path, body)
        self.record.steps.append(path.partition(":")[2] or path)
        return answer
