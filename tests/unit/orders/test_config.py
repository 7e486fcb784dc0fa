"""Settings of the orders service that are wrong in more than their type."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis import config
from chassis.config import ConfigError
from services.orders.config import OrdersConfig, Provider


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    jwks = tmp_path / "jwks.json"
    jwks.touch()
    return {"PARLEY_ORDERS_DSN": "postgresql://u:p@h/d", "PARLEY_AUTH_JWKS_FILE": str(jwks)}


def loaded(environment: dict[str, str], **more: str) -> OrdersConfig:
    given = {f"PARLEY_ORDERS_{name.upper()}": value for name, value in more.items()}
    return config.load(OrdersConfig, "orders", environment | given)


def test_payments_go_to_the_sandbox_unless_another_provider_is_named(environment: dict[str, str]) -> None:
    found = loaded(environment)
    assert (found.payment_provider, found.dunning_retry_days) == (Provider.SANDBOX, (1, 3, 5, 7))
    found = loaded(environment, payment_provider="stripe", stripe_key="sk_test_1", dunning_retry_days="2, 4")
    assert (found.payment_provider, found.dunning_retry_days) == (Provider.STRIPE, (2, 4))
    found = loaded(environment, payment_event_secrets=f"{'n' * 16}, {'o' * 16}")
    assert [one.reveal() for one in found.payment_event_secrets] == ["n" * 16, "o" * 16]
    assert "nnn" not in repr(found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"payment_provider": "stripe"}, "PARLEY_ORDERS_STRIPE_KEY: is not set"),
        ({"payment_provider": "paypal"}, "PARLEY_ORDERS_PAYMENT_PROVIDER: is not one of the values"),
        ({"dunning_retry_days": "3,1"}, "PARLEY_ORDERS_DUNNING_RETRY_DAYS: has days that do not rise"),
        ({"dunning_retry_days": "0,1"}, "PARLEY_ORDERS_DUNNING_RETRY_DAYS: has days that do not rise"),
        (
            {"payment_event_secrets": "short"},
            "PARLEY_ORDERS_PAYMENT_EVENT_SECRETS: has one that is too short",
        ),
        ({"dunning_retry_days": "1,soon"}, "PARLEY_ORDERS_DUNNING_RETRY_DAYS: is not a number"),
    ],
)
def test_each_mistake_is_told_before_anything_starts(
    environment: dict[str, str], settings: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(environment, **settings)
