"""One negotiation, told while it happens: from a gate that says no to an order that is charged once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rich.markup import escape

from stack.demo.api import Api, Json, Party, Refused, until
from stack.demo.marketplace import Buyer, Marketplace, Package, money_json, money_of
from stack.demo.narrator import Narrator
from stack.demo.terms import CARD, instant_of, next_monday, offer_terms, percent, wire_time

GATED: Final = "acme/brand-identity/standard"
UNGATED: Final = "acme/logo-check/express"
BUYER: Final = "ana"
LATE_BUYER: Final = "ben"

FACT_SECONDS: Final = 15.0
"""How long a fact of one service may take to show in another."""
EXPIRY_SECONDS: Final = 0.8
_OPEN_REQUESTS: Final = ("STATE_PENDING", "STATE_INFO_REQUESTED", "STATE_OFFERED")


class StoryBroken(Exception):
    """Something was allowed that the story expects to be refused."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the story made."""

    request: str
    offer: str
    order: str
    conversation: str


class Story:
    """The people, what they negotiate about, and the scenes in their order."""

    def __init__(
        self,
        api: Api,
        marketplace: Marketplace,
        narrator: Narrator,
        *,
        on_order: Callable[[], str] = lambda: "",
    ) -> None:
        """`on_order` is asked for a remark once the negotiated order is paid."""
        self._on_order = on_order
        self._tell = narrator
        self._package: Package = marketplace.package(GATED)
        self._quick: Package = marketplace.package(UNGATED)
        self._seller_zone = marketplace.seller(self._package.seller).time_zone
        self._person: Buyer = marketplace.buyer(BUYER)
        self._buyer = api.buyer(BUYER)
        self._late_buyer = api.buyer(LATE_BUYER)
        self._seller = api.seller(self._package.seller)
        self._request = ""
        self._offer = ""
        self._order = ""

    async def play(self) -> Told:
        """Tell all of it. Refused, NotYet or StoryBroken where it goes wrong."""
        await asyncio.gather(self._tidy(self._buyer), self._tidy(self._late_buyer))
        await self._gate()
        await self._ask()
        await self._negotiate()
        order = await self._agree()
        await self._timelines(order)
        await self._at_once()
        await self._too_late()
        return Told(self._request, self._offer, self._order, order["conversation"])

    async def _tidy(self, buyer: Party) -> None:
        """Withdraw what an interrupted story left open, since a second request for a package is refused."""
        left = await buyer.get("orderRequests", states=list(_OPEN_REQUESTS), pageSize=1_000)
        for request in left["orderRequests"]:
            await buyer.post(f"{request['name']}:withdraw")

    # ------------------------------------------------------------------------------------------- the scenes

    async def _gate(self) -> None:
        tell, package = self._tell, self._package
        tell.scene("The gate")
        decision = (await self._buyer.post(f"{package.name}:evaluateGate"))["decision"]
        tell.step(
            BUYER, f"asks whether {self._title} can be ordered at once ({package.price})", self._buyer.last
        )
        self._show_decision(decision)

        body = self._order_body(package)
        # Facts about listings may take a moment to reach every service: NOT_FOUND is asked again.
        refusal = await self._refused(
            until(lambda: self._buyer.post("orders", body), "the package", seconds=FACT_SECONDS), "ordered"
        )
        tell.step(BUYER, "orders it all the same", self._buyer.last)
        tell.refusal(refusal.reason, refusal.detail)
        tell.detail(
            "instead", f"POST {escape(refusal.metadata.get('create_order_request', '/v1/orderRequests'))}"
        )

    async def _ask(self) -> None:
        tell = self._tell
        tell.scene("The request")
        needs: Json = {
            "text": "Two bakeries, one van, and we look like five companies. One identity, please.",
            "answers": [
                {"question": "Who decides?", "answer": "My sister and I."},
                {"question": "What exists already?", "answer": "A name, a logo from 2009, a yellow van."},
            ],
        }
        request = (await self._buyer.post("orderRequests", {"package": self._package.name, "needs": needs}))[
            "orderRequest"
        ]
        self._request = request["name"]
        tell.step(BUYER, "turns the order into a request, with her needs", self._buyer.last)
        tell.detail("needs", escape(needs["text"]))
        tell.detail("name", self._request)
        tell.state("request", "", _state(request))

        question = "Does the van keep its yellow?"
        asked = await self._move_request(self._seller, "askInformation", {"question": question})
        tell.step(self._seller.name, f'asks for information: "{question}"', self._seller.last)
        tell.state("request", _state(request), _state(asked))

        answer = "It has to. The children know it."
        answered = await self._move_request(self._buyer, "answerInformation", {"answer": answer})
        tell.step(BUYER, f'answers: "{answer}"', self._buyer.last)
        tell.state("request", _state(asked), _state(answered))

    async def _negotiate(self) -> None:
        tell, now = self._tell, datetime.now(UTC)
        tell.scene("The offer")
        start = next_monday(now, self._seller_zone)
        asked = percent(self._package.price, 105)
        terms = offer_terms(
            self._package, asked, scope="Identity for two shops and one van.", start=start,
            expire=now + timedelta(days=7),
        )  # fmt: skip
        body = {
            "orderRequest": self._request,
            "terms": terms,
            "note": "The van is the hard part.",
            "send": True,
        }
        offer = (await self._seller.post("offers", body))["offer"]
        self._offer = offer["name"]
        tell.step(self._seller.name, "sends an offer, which is the approval", self._seller.last)
        self._show_revision(offer)
        tell.detail("name", self._offer)
        tell.state("offer", "", _state(offer))
        await self._until_request("OFFERED")
        tell.state("request", "PENDING", "OFFERED")

        opened = await self._move_offer(self._buyer, "open", {})
        tell.step(BUYER, "opens it", self._buyer.last)
        tell.detail("seen", f"first opened at {self._clock(opened['firstOpenTime'])}, and the seller knows")

        wanted = percent(asked, 92)
        terms = {**terms, "lineItems": [{**terms["lineItems"][0], "unitPrice": money_json(wanted)}]}
        body = {"revision": _revision(opened), "terms": terms, "note": "We would paint the van ourselves."}
        countered = await self._move_offer(self._buyer, "counter", body)
        tell.step(BUYER, 'makes a counter-offer: "We would paint the van ourselves."', self._buyer.last)
        self._show_revision(countered)

        body = {"revision": _revision(countered), "terms": terms, "note": "Deal. Send me a photo."}
        revised = await self._move_offer(self._seller, "revise", body)
        tell.step(self._seller.name, "agrees by a revision of the same terms", self._seller.last)
        self._show_revision(revised)

    async def _agree(self) -> Json:
        tell = self._tell
        tell.scene("The order")
        offer = (await self._buyer.get(self._offer))["offer"]
        body = {
            "revision": _revision(offer),
            "paymentToken": CARD,
            "billingAddress": self._person.address,
        }
        accepted = await self._buyer.post(f"{self._offer}:accept", body)
        self._order = accepted["order"]
        tell.step(BUYER, f"accepts revision {_revision(offer)}, the one she saw", self._buyer.last)
        tell.state("offer", _state(offer), _state(accepted["offer"]))

        order = await self._until_paid(self._order)
        await self._until_request("CONVERTED")
        tell.step("parley", "makes the order from the offer, confirms it and charges the card")
        tell.detail("name", self._order)
        tell.state("order", "", _state(order))
        tell.state("request", "OFFERED", "CONVERTED")
        await self._show_payment(order)
        started, due = self._clock(order["clockStartTime"]), self._clock(order["deliveryDueTime"])
        tell.detail("delivery", f"the clock starts at {started}, delivery is due at {due}")
        if remark := self._on_order():
            tell.detail("first", f"[green]{remark}[/]")
        return order

    async def _timelines(self, order: Json) -> None:
        self._tell.scene("The two timelines, the same for both sides")
        conversation = order["conversation"]
        origin = f"conversations/{self._request.rsplit('/', 1)[-1]}"
        await self._show_timeline("the request's conversation", origin, last="REQUEST_CONVERTED")
        await self._show_timeline("the order's conversation", conversation, last="ORDER_PAID")

    async def _at_once(self) -> None:
        tell = self._tell
        tell.scene("Without a gate")
        order = (await self._buyer.post("orders", self._order_body(self._quick)))["order"]
        tell.step(
            BUYER, f"orders {self._quick.title} of the logo check ({self._quick.price})", self._buyer.last
        )
        self._show_decision(order["gateDecision"])
        tell.state("order", "", _state(order))
        await self._show_payment(await self._until_paid(order["name"]))

    async def _too_late(self) -> None:
        tell, late = self._tell, self._late_buyer
        tell.scene("Too late")
        needs = {"text": "A logo by Friday."}
        asked = await late.post("orderRequests", {"package": self._package.name, "needs": needs})
        request = asked["orderRequest"]["name"]
        expire = datetime.now(UTC) + timedelta(seconds=EXPIRY_SECONDS)
        terms = offer_terms(self._package, self._package.price, expire=expire)
        offer = (await self._seller.post("offers", {"orderRequest": request, "terms": terms, "send": True}))[
            "offer"
        ]
        tell.step(
            self._seller.name,
            f"sends {late.name} an offer that ends at {self._clock(wire_time(expire))}",
            self._seller.last,
        )
        tell.state("offer", "", _state(offer))
        await asyncio.sleep(max(0.0, (expire - datetime.now(UTC)).total_seconds() + 0.02))
        body = {"revision": _revision(offer), "paymentToken": CARD}
        refusal = await self._refused(late.post(f"{offer['name']}:accept", body), "accepted")
        tell.step(late.name, "accepts it a moment later", late.last)
        tell.refusal(refusal.reason, refusal.detail)
        await late.post(f"{request}:withdraw")

    # -------------------------------------------------------------------------------------------- the moves

    @property
    def _title(self) -> str:
        return f"Brand identity, {self._package.title}"

    def _order_body(self, package: Package) -> Json:
        return {
            "package": package.name,
            "paymentMethod": "PAYMENT_METHOD_ONLINE",
            "paymentToken": CARD,
            "expectedTotal": money_json(package.price),
            "billingAddress": self._person.address,
        }

    async def _move_request(self, party: Party, verb: str, body: Json) -> Json:
        request: Json = (await party.post(f"{self._request}:{verb}", body))["orderRequest"]
        return request

    async def _move_offer(self, party: Party, verb: str, body: Json) -> Json:
        offer: Json = (await party.post(f"{self._offer}:{verb}", body))["offer"]
        return offer

    async def _refused(self, call: object, what: str) -> Refused:
        try:
            await call  # type: ignore[misc]
        except Refused as refusal:
            return refusal
        raise StoryBroken(f"it could be {what}, which should have been refused")

    async def _until_request(self, state: str) -> None:
        async def reached() -> bool:
            return _state((await self._buyer.get(self._request))["orderRequest"]) == state

        await until(reached, f"{self._request} is {state}", seconds=FACT_SECONDS)

    async def _until_paid(self, name: str) -> Json:
        async def paid() -> Json | None:
            order: Json = (await self._buyer.get(name))["order"]
            return order if order["paymentState"] == "PAYMENT_STATE_PAID" else None

        return await until(paid, f"{name} is paid", seconds=FACT_SECONDS)

    # -------------------------------------------------------------------------------------------- the facts

    def _clock(self, text: str) -> str:
        """A timestamp on the seller's wall clock."""
        local = instant_of(text).astimezone(ZoneInfo(self._seller_zone))
        return local.strftime("%a %Y-%m-%d %H:%M:%S %Z")

    def _show_decision(self, decision: Json) -> None:
        outcome = decision["outcome"].removeprefix("OUTCOME_")
        reason = decision["reason"].removeprefix("REASON_")
        color = "green" if outcome == "ALLOWED" else "yellow"
        self._tell.detail(
            "decision", f"[bold {color}]{outcome}[/] ({reason}): {escape(decision['explanation'])}"
        )
        change = decision.get("nextChangeTime")
        until_when = f"until {self._clock(change)}" if change else "until somebody changes the settings"
        self._tell.detail(
            "decided",
            f"at {escape(decision['localTime'])} in {decision['timeZone']}, "
            f"by settings version {decision['settingsVersion']}, {until_when}",
        )

    def _show_revision(self, offer: Json) -> None:
        revision = offer["currentRevision"]
        terms, author = revision["terms"], revision["author"].removeprefix("AUTHOR_").lower()
        facts = [f"[bold]{money_of(revision['total'])}[/]", f"{terms['deliveryDays']} days"]
        if "startTime" in terms:
            facts.append(f"start {self._clock(terms['startTime'])}")
        if "expireTime" in terms:
            facts.append(f"open until {self._clock(terms['expireTime'])}")
        self._tell.detail("terms", f"revision {revision['number']} by the {author}: {', '.join(facts)}")

    async def _show_payment(self, order: Json) -> None:
        payments = (await self._buyer.get(f"{order['name']}/payments"))["payments"]
        captured = [payment for payment in payments if payment["state"] == "STATE_CAPTURED"]
        if len(payments) != 1 or len(captured) != 1 or len(captured[0]["attempts"]) != 1:
            raise StoryBroken(f"{order['name']} should be charged once: {payments}")
        amount = money_of(captured[0]["amount"])
        self._tell.detail(
            "payment", f"[bold green]PAID[/] {amount}, charged once by {captured[0]['provider']}"
        )

    async def _show_timeline(self, title: str, conversation: str, *, last: str) -> None:
        async def complete() -> list[Json] | None:
            entries: list[Json] = (await self._buyer.get(f"{conversation}/timeline"))["entries"]
            kinds = {entry.get("event", {}).get("type", "") for entry in entries}
            return entries if f"TYPE_{last}" in kinds else None

        mine = await until(complete, f"{conversation} shows {last}", seconds=FACT_SECONDS)
        theirs = (await self._seller.get(f"{conversation}/timeline"))["entries"]
        if [entry["name"] for entry in mine] != [entry["name"] for entry in theirs]:
            raise StoryBroken(f"the two sides see different timelines of {conversation}")
        rows = [self._row(entry) for entry in mine]
        self._tell.table(f"{title}, {conversation}", ("time", "by", "what", "", ""), rows)

    def _row(self, entry: Json) -> tuple[str, ...]:
        event = entry["event"]
        people = {"SIDE_BUYER": self._buyer.name, "SIDE_SELLER": self._seller.name}
        side = event["side"]
        who = self._tell.person(people.get(side, "parley"))
        what = event["type"].removeprefix("TYPE_").replace("_", " ").lower()
        revision = f"revision {event['revision']}" if event["revision"] else ""
        amount = str(money_of(event["amount"])) if "amount" in event else ""
        local = instant_of(entry["createTime"]).astimezone(ZoneInfo(self._seller_zone))
        moment = local.strftime("%H:%M:%S.%f")[:-3]
        return (f"[dim]{moment}[/]", who, what, revision, amount)


def _state(resource: Json) -> str:
    return str(resource["state"]).removeprefix("STATE_")


def _revision(offer: Json) -> int:
    return int(offer["currentRevision"]["number"])
