"""Reads `marketplace.toml`: the sellers, listings and buyers of the demo, as the API wants them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from chassis.kernel.money import Money, exponent

Json = dict[str, Any]

FILE: Final = Path(__file__).with_name("marketplace.toml")
_DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody who buys. `address` is a JSON `Address`."""

    id: str
    name: str
    address: Json


@dataclass(frozen=True, slots=True)
class Package:
    """One way to buy a listing."""

    name: str
    title: str
    price: Money
    delivery_days: int
    plan: Json | None
    description: str

    @property
    def seller(self) -> str:
        """The id of who sells it."""
        return self.name.split("/")[1]

    def as_json(self) -> Json:
        """The JSON `Package`."""
        body: Json = {
            "packageId": self.name.rsplit("/", 1)[-1],
            "title": self.title,
            "description": self.description,
            "price": money_json(self.price),
            "deliveryDays": self.delivery_days,
        }
        return {**body, "plan": self.plan} if self.plan else body


@dataclass(frozen=True, slots=True)
class Listing:
    """Something that a seller sells. `intake` is `INSTANT`, `SELLER_REVIEW` or `BY_QUOTE`, and `kind` is
    `SERVICE` or `PRODUCT`.
    """

    name: str
    title: str
    description: str
    intake: str
    packages: tuple[Package, ...]
    kind: str = "SERVICE"

    @property
    def id(self) -> str:
        """The last segment of the name."""
        return self.name.rsplit("/", 1)[-1]

    def as_json(self) -> Json:
        """The JSON `Listing` without its name, published."""
        return {
            "title": self.title,
            "description": self.description,
            "intake": f"INTAKE_{self.intake}",
            "published": True,
            "packages": [package.as_json() for package in self.packages],
            "kind": f"LISTING_KIND_{self.kind}",
        }


@dataclass(frozen=True, slots=True)
class Seller:
    """Somebody who sells. `plan` is `BASIC` or `PREMIUM`, `settings` the JSON `OrderSettings`."""

    id: str
    title: str
    time_zone: str
    plan: str
    settings: Json
    listings: tuple[Listing, ...]


@dataclass(frozen=True, slots=True)
class Marketplace:
    """Everything in the file."""

    sellers: tuple[Seller, ...]
    buyers: tuple[Buyer, ...]

    def seller(self, seller_id: str) -> Seller:
        """One seller; KeyError if there is none of that id."""
        return {seller.id: seller for seller in self.sellers}[seller_id]

    def buyer(self, buyer_id: str) -> Buyer:
        """One buyer; KeyError if there is none of that id."""
        return {buyer.id: buyer for buyer in self.buyers}[buyer_id]

    def listings(self) -> tuple[Listing, ...]:
        """All listings of all sellers."""
        return tuple(listing for seller in self.sellers for listing in seller.listings)

    def package(self, path: str) -> Package:
        """The package at `seller/listing/package`; KeyError if there is none."""
        seller, listing, package = path.split("/")
        name = f"sellers/{seller}/listings/{listing}/packages/{package}"
        return {each.name: each for found in self.listings() for each in found.packages}[name]


def read(file: Path = FILE) -> Marketplace:
    """The marketplace in a file; KeyError or ValueError if it says too little or nonsense."""
    content = tomllib.loads(file.read_text("utf-8"))
    return Marketplace(
        sellers=tuple(_seller(entry) for entry in content["sellers"]),
        buyers=tuple(_buyer(entry) for entry in content["buyers"]),
    )


def money(text: str) -> Money:
    """`120.50 EUR` or `9800 JPY`; ValueError for anything finer than the currency's smallest unit."""
    amount, currency = text.split()
    minor = Decimal(amount).scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{text!r} is finer than the smallest unit of {currency}")
    return Money(currency, int(minor))


def money_json(amount: Money) -> Json:
    """The JSON `google.type.Money`."""
    units, nanos = amount.units_nanos()
    return {"currencyCode": amount.currency, "units": str(units), "nanos": nanos}


def money_of(body: Mapping[str, Any]) -> Money:
    """The amount in a JSON `google.type.Money` of the API."""
    currency = body["currencyCode"]
    scale = 10 ** exponent(currency)
    return Money(currency, int(body.get("units", 0)) * scale + int(body.get("nanos", 0)) * scale // 10**9)


def _buyer(entry: Json) -> Buyer:
    street, town, region = entry["address"]
    postal_code, _, locality = town.rpartition(" ")
    address = {
        "recipient": entry["name"],
        "addressLines": [street],
        "postalCode": postal_code,
        "locality": locality,
        "regionCode": region,
    }
    return Buyer(entry["id"], entry["name"], address)


def _seller(entry: Json) -> Seller:
    name = f"sellers/{entry['id']}"
    return Seller(
        id=entry["id"],
        title=entry["title"],
        time_zone=entry["time_zone"],
        plan=entry["plan"],
        settings=_settings(name, entry["time_zone"], entry["gate"]),
        listings=tuple(_listing(name, listing) for listing in entry["listings"]),
    )


def _listing(seller: str, entry: Json) -> Listing:
    name = f"{seller}/listings/{entry['id']}"
    packages = tuple(_package(name, package) for package in entry["packages"])
    description, kind = entry["description"].strip(), entry.get("kind", "SERVICE")
    return Listing(name, entry["title"], description, entry["intake"], packages, kind)


def _package(listing: str, entry: Json) -> Package:
    return Package(
        name=f"{listing}/packages/{entry['id']}",
        title=entry["title"],
        price=money(entry["price"]),
        delivery_days=entry["delivery_days"],
        plan=_plan(entry["plan"]) if "plan" in entry else None,
        description=entry.get("description", ""),
    )


def _plan(entry: Json) -> Json:
    count, unit = entry["every"].split()
    return {
        "price": money_json(money(entry["price"])),
        "interval": f"INTERVAL_{unit}",
        "intervalCount": int(count),
    }


def _settings(seller: str, time_zone: str, gate: Json) -> Json:
    settings: Json = {
        "name": f"{seller}/orderSettings",
        "enabled": gate.get("enabled", True),
        "audience": f"AUDIENCE_{gate['audience']}",
        "scope": _scope(seller, gate["scope"]),
        "timeZone": time_zone,
        "windows": [
            {"days": _days(window["days"]), "start": window["start"], "end": window["end"]}
            for window in gate.get("windows", [])
        ],
        "overrides": [_override(entry) for entry in gate.get("overrides", [])],
        "bypassPolicy": "BYPASS_POLICY_OPEN_OFFER",
    }
    if "request_ttl_days" in gate:
        settings["requestTtl"] = f"{gate['request_ttl_days'] * 86_400}s"
    return settings


def _scope(seller: str, scope: str | list[str]) -> Json:
    if scope == "all":
        return {"allPackages": True}
    paths = (path.split("/") for path in scope)
    return {"packages": [f"{seller}/listings/{listing}/packages/{package}" for listing, package in paths]}


def _days(span: str) -> list[str]:
    shorts = [day[:3] for day in _DAYS]
    first, _, last = span.partition("-")
    return list(_DAYS[shorts.index(first) : shorts.index(last or first) + 1])


def _override(entry: Json) -> Json:
    day = date.fromisoformat(entry["date"])
    override: Json = {
        "date": {"year": day.year, "month": day.month, "day": day.day},
        "label": entry.get("label", ""),
    }
    if entry["rule"] in ("open", "closed"):
        return {**override, entry["rule"]: True}
    start, _, end = entry["rule"].partition("-")
    return {**override, "windows": {"spans": [{"start": start, "end": end}]}}
