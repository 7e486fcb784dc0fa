"""A seller of a test's own, with one listing of two packages, and the moves that many tests make."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest

from chassis.kernel.money import Money
from stack.demo.api import Api, Json, Party, Refused, until
from stack.demo.marketplace import money, money_json
from stack.demo.terms import CARD, wire_time

Value = TypeVar("Value")

FACT_SECONDS = 20.0
"""How long a fact of one service may take to show in another, on a machine that is busy."""

BASIC_PRICE = money("100.00 EUR")
PLUS_PRICE = money("250.00 EUR")


@dataclass(frozen=True, slots=True)
class Shop:
    """`basic` and `plus` are the names of the two packages of `listing`."""

    api: Api
    id: str
    owner: Party
    listing: str

    @property
    def name(self) -> str:
        return f"sellers/{self.id}"

    @property
    def basic(self) -> str:
        return f"{self.listing}/packages/basic"

    @property
    def plus(self) -> str:
        return f"{self.listing}/packages/plus"

    async def gate(self, **settings: Any) -> Json:
        """Save the whole settings: switched on, always, for everything, unless `settings` say otherwise."""
        body = {
            "enabled": True,
            "audience": "AUDIENCE_ALL_BUYERS",
            "scope": {"allPackages": True},
            "timeZone": "Europe/Berlin",
            **settings,
        }
        return await self.owner.patch(f"{self.name}/orderSettings", body, updateMask="*")

    async def add_listing(self, listing_id: str, intake: str, **more: Any) -> str:
        """One more listing with the same two packages; its name, once every service knows of it."""
        await self.owner.post(f"{self.name}/listings", {**listing_body(intake), **more}, listingId=listing_id)
        name = f"{self.name}/listings/{listing_id}"
        await _until_known(self.api, name)
        return name


async def open_shop(api: Api, *, intake: str = "INSTANT") -> Shop:
    """A seller with the premium plan; every service knows of the listing when this returns."""
    seller_id = fresh("shop")
    shop = Shop(api, seller_id, api.seller(seller_id), f"sellers/{seller_id}/listings/work")
    await asyncio.gather(
        api.operator().post(f"{shop.name}:setPlan", {"tier": "TIER_PREMIUM"}),
        shop.owner.post(f"{shop.name}/listings", listing_body(intake), listingId="work"),
    )
    await _until_known(api, shop.listing)
    return shop


async def _until_known(api: Api, listing: str) -> None:
    """Gating and orders learn of a listing by its events. An order at the wrong price leaves no trace."""
    probe, package = api.buyer("probe"), f"{listing}/packages/basic"
    await seen(lambda: probe.post(f"{package}:evaluateGate"), f"gating knows {listing}")
    body = {**order_body(package), "expectedTotal": money_json(money("1.00 EUR"))}

    async def orders_knows() -> bool:
        try:
            await probe.post("orders", body)
        except Refused as refusal:
            return refusal.reason != "NOT_FOUND"
        raise AssertionError("an order at a wrong price was taken")

    await seen(orders_knows, f"orders knows {listing}")


def listing_body(intake: str, *, price: Money = BASIC_PRICE) -> Json:
    packages = (("basic", price), ("plus", PLUS_PRICE))
    return {
        "title": "Work",
        "intake": f"INTAKE_{intake}",
        "published": True,
        "packages": [
            {"packageId": name, "title": name.title(), "price": money_json(amount), "deliveryDays": 5}
            for name, amount in packages
        ],
    }


def order_body(package: str, *, online: bool = True, **more: Any) -> Json:
    method = {"paymentMethod": "PAYMENT_METHOD_ONLINE", "paymentToken": CARD}
    return {"package": package, **(method if online else {"paymentMethod": "PAYMENT_METHOD_OFFLINE"}), **more}


PLAN = {
    "price": {"currencyCode": "EUR", "units": "9"},
    "interval": "INTERVAL_MONTH",
    "intervalCount": 1,
}
"""What is charged again and again."""


def terms(
    package: str, price: str = "120.00 EUR", *, expire_seconds: float | None = None, online: bool = True
) -> Json:
    """An offer's terms; with `expire_seconds` it ends so long from now."""
    body: Json = {
        "lineItems": [{"title": "Work", "quantity": 1, "unitPrice": money_json(money(price))}],
        "package": package,
        "deliveryDays": 7,
        "paymentMethod": "PAYMENT_METHOD_ONLINE" if online else "PAYMENT_METHOD_OFFLINE",
    }
    if expire_seconds is not None:
        body["expireTime"] = wire_time(datetime.now(UTC) + timedelta(seconds=expire_seconds))
    return body


async def request(buyer: Party, package: str, text: str = "Something fine.") -> Json:
    body = {"package": package, "needs": {"text": text}}
    found: Json = (await buyer.post("orderRequests", body))["orderRequest"]
    return found


async def offer(shop: Shop, origin: Json, proposal: Json, **more: Any) -> Json:
    """Create and send."""
    found: Json = (await shop.owner.post("offers", {**origin, "terms": proposal, "send": True, **more}))[
        "offer"
    ]
    return found


async def offered(shop: Shop, buyer: Party, proposal: Json | None = None) -> Json:
    """A request of the buyer, and the seller's offer that answers it."""
    asked = await request(buyer, shop.basic)
    return await offer(shop, {"orderRequest": asked["name"]}, proposal or terms(shop.basic))


async def accept(buyer: Party, found: Json, **more: Any) -> Json:
    body = {"revision": found["currentRevision"]["number"], "paymentToken": CARD, **more}
    return await buyer.post(f"{found['name']}:accept", body)


async def refusal(call: Awaitable[object], reason: str, status: int) -> Refused:
    """The refusal that a call must meet."""
    with pytest.raises(Refused) as caught:
        await call
    assert (caught.value.status, caught.value.reason) == (status, reason), caught.value
    return caught.value


async def seen(ask: Callable[[], Awaitable[Value | None]], what: str) -> Value:
    """Ask until the answer is true; NOT_FOUND is no answer yet."""
    return await until(ask, what, seconds=FACT_SECONDS)


async def in_state(party: Party, name: str, state: str, *, key: str = "order") -> Json:
    """Read a resource until it is in a state; it."""

    async def reached() -> Json | None:
        found: Json = (await party.get(name))[key]
        return found if found["state"] == f"STATE_{state}" else None

    return await seen(reached, f"{name} is {state}")


async def paid(party: Party, order: str, state: str = "PAID") -> Json:
    """Read an order until its payment is in a state; the order."""

    async def reached() -> Json | None:
        found: Json = (await party.get(order))["order"]
        return found if found["paymentState"] == f"PAYMENT_STATE_{state}" else None

    return await seen(reached, f"{order} is {state}")


def fresh(prefix: str) -> str:
    """A name that nobody used before."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"
