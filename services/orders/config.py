"""The settings of the orders service: `PARLEY_ORDERS_*`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from chassis.config import GRPC_ADDRESS, METRICS_ADDRESS, Address, Secret, ServiceConfig, setting

EVENT_SECRET_CHARACTERS = 16
"""The least length of a secret that events are signed with."""


class Provider(StrEnum):
    """Who takes the money of online payments."""

    SANDBOX = "sandbox"
    STRIPE = "stripe"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersConfig(ServiceConfig):
    """What orders needs beside what every service needs."""

    grpc_address: Address = setting(Address("127.0.0.1", 9102), about=GRPC_ADDRESS)
    metrics_address: Address = setting(Address("127.0.0.1", 9202), about=METRICS_ADDRESS)
    gating_target: Address = setting(Address("127.0.0.1", 9101), about="Where gating is dialled.")
    offers_target: Address = setting(Address("127.0.0.1", 9103), about="Where offers is dialled.")
    auto_accept_hours: float = setting(
        72.0,
        about="After how long a delivery that the buyer says nothing about counts as accepted.",
        minimum=1,
        maximum=8_760,
    )
    dunning_retry_days: tuple[int, ...] = setting(
        (1, 3, 5, 7),
        about="On which days after it was declined a payment of a subscription is tried again.",
        shape="rising whole numbers of days, such as 1,3,5,7",
    )
    dunning_grace_days: int = setting(
        3,
        about="How long after the last of these tries the subscription is cancelled.",
        minimum=0,
        maximum=90,
    )
    payment_provider: Provider = setting(
        Provider.SANDBOX, about="Who takes the money; `sandbox` moves none, and is for trying things out."
    )
    stripe_key: Secret = setting(
        Secret(""),
        about="Needed with `stripe`: the account that is paid.",
        shape="the secret key of an account at Stripe, sk_…",
    )
    stripe_url: str = setting(
        "",
        about="Another server that speaks Stripe's protocol, for tests; without it, Stripe.",
        shape="http://host:port",
    )
    stripe_return_url: str = setting(
        "",
        about="Where Stripe sends a buyer who proved that a card is his, with `?payment=orders/…` added; "
        "without it, a program that speaks to Stripe has to ask him.",
        shape="https://…",
    )
    payment_event_secrets: tuple[Secret, ...] = setting(
        (),
        about="By which the payment provider signs its events; several while one replaces another.",
        shape="secrets of 16 or more characters separated by commas",
    )
    payment_answer_seconds: float = setting(
        10.0, about="How long the answer of the payment provider is waited for.", minimum=0.1, maximum=60
    )
    payment_janitor_seconds: float = setting(
        300.0,
        about="After how long the payment provider is asked what became of a charge without an answer.",
        minimum=0.1,
        maximum=86_400,
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
