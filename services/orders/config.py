"""The settings of the orders service: `PARLEY_ORDERS_*`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chassis.config import Address, Secret, ServiceConfig, setting

EVENT_SECRET_CHARACTERS = 16
"""The least length of a secret that events are signed with."""


class Provider(StrEnum):
    """Who takes the money of online payments."""

    SANDBOX = "sandbox"
    STRIPE = "stripe"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersConfig(ServiceConfig):
    """What orders needs beside what every service needs."""

    grpc_address: Address = setting(Address("127.0.0.1", 9102))
    metrics_address: Address = setting(Address("127.0.0.1", 9202))
    gating_target: Address = setting(Address("127.0.0.1", 9101))
    offers_target: Address = setting(Address("127.0.0.1", 9103))
    auto_accept_hours: float = setting(
        72.0, minimum=1, maximum=8_760, shape="hours after which a delivery counts as accepted"
    )
    dunning_retry_days: tuple[int, ...] = setting(
        (1, 3, 5, 7),
        shape="rising days after the first decline on which a payment of a subscription is tried again",
    )
    dunning_grace_days: int = setting(
        3,
        minimum=0,
        maximum=90,
        shape="days after the last try until a subscription whose payment failed is cancelled",
    )
    payment_provider: Provider = setting(Provider.SANDBOX)
    stripe_key: Secret = setting(Secret(""), shape="the secret key of an account at Stripe, sk_…")
    stripe_url: str = setting("", shape="http://host:port of another server that speaks Stripe's protocol")
    stripe_return_url: str = setting(
        "",
        shape="https://… where Stripe sends a buyer who proved that a card is his, with ?payment=orders/…; "
        "without it, to a program",
    )
    payment_event_secrets: tuple[Secret, ...] = setting(
        (),
        shape="secrets of 16 or more characters by which the payment provider signs its events",
    )
    payment_answer_seconds: float = setting(
        10.0, minimum=0.1, maximum=60, shape="seconds to wait for the answer of the payment provider"
    )
    payment_janitor_seconds: float = setting(
        300.0,
        minimum=0.1,
        maximum=86_400,
        shape="seconds after which the payment provider is asked what became of a charge without an answer",
    )

    def contradictions(self) -> Iterable[tuple[str, str, str]]:
        """Retries whose days do not rise, and Stripe without a key."""
        days = self.dunning_retry_days
        if list(days) != sorted({*days}) or any(day < 1 for day in days):
            yield "dunning_retry_days", "has days that do not rise", "rising days such as 1,3,5,7"
        if any(len(secret.reveal()) < EVENT_SECRET_CHARACTERS for secret in self.payment_event_secrets):
            yield "payment_event_secrets", "has one that is too short", "secrets of 16 or more characters"
        if self.payment_provider is Provider.STRIPE and not self.stripe_key:
            yield "stripe_key", "is not set", "the secret key of an account at Stripe, sk_…"
