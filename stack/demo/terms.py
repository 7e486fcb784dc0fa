"""What the people of the demo write into requests, offers and acceptances."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from chassis.kernel.money import Money
from stack.demo.marketplace import Json, Package, money_json

CARD: Final = "sandbox_success"
SOFT_CARD: Final = "sandbox_decline_soft"
HARD_CARD: Final = "sandbox_decline_hard"
LOST_ANSWER_CARD: Final = "sandbox_timeout_after_charge"


def wire_time(instant: datetime) -> str:
    """An aware instant as protobuf JSON wants it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant_of(text: str) -> datetime:
    """The instant in a protobuf JSON timestamp; digits beyond microseconds are cut."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{(fraction + '000000')[:6]}+00:00")


def next_monday(now: datetime, time_zone: str) -> datetime:
    """Nine o'clock local time on the first Monday after tomorrow."""
    local = now.astimezone(ZoneInfo(time_zone)) + timedelta(days=2)
    day = local + timedelta(days=(7 - local.weekday()) % 7)
    return day.replace(hour=9, minute=0, second=0, microsecond=0)


def offer_terms(
    package: Package,
    price: Money,
    *,
    scope: str = "",
    start: datetime | None = None,
    expire: datetime | None = None,
    offline: bool = False,
) -> Json:
    """The JSON `OfferTerms` for one package at a price."""
    terms: Json = {
        "lineItems": [{"title": package.title, "quantity": 1, "unitPrice": money_json(price)}],
        "package": package.name,
        "scope": scope,
        "deliveryDays": package.delivery_days,
        "paymentMethod": "PAYMENT_METHOD_OFFLINE" if offline else "PAYMENT_METHOD_ONLINE",
    }
    if start is not None:
        terms["startTime"] = wire_time(start)
    if expire is not None:
        terms["expireTime"] = wire_time(expire)
    return terms


def percent(price: Money, share: int) -> Money:
    """`share` percent of a price, rounded down to the smallest unit, at least one of it."""
    return Money(price.currency, max(1, price.amount * share // 100))
