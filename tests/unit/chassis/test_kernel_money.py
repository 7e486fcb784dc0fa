"""Money: integers only, exact on the wire, parts that add up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.money import MAX_MINOR_UNITS, Money, exponent, from_units_nanos
from chassis.kernel.refusal import Kind, Refusal

CURRENCIES = ("JPY", "EUR", "KWD", "CLF")
amounts = st.integers(-(10**12), 10**12)
moneys = st.builds(Money, st.sampled_from(CURRENCIES), amounts)


@pytest.mark.parametrize(
    ("currency", "units", "nanos", "amount", "text"),
    [
        ("EUR", 12, 340_000_000, 1_234, "12.34 EUR"),
        ("EUR", 0, 10_000_000, 1, "0.01 EUR"),
        ("EUR", -1, -500_000_000, -150, "-1.50 EUR"),
        ("EUR", 0, -10_000_000, -1, "-0.01 EUR"),
        ("JPY", 500, 0, 500, "500 JPY"),
        ("KWD", 1, 1_000_000, 1_001, "1.001 KWD"),
        ("CLF", 0, 100_000, 1, "0.0001 CLF"),
    ],
)
def test_the_wire_form_and_the_minor_units_say_the_same(
    currency: str, units: int, nanos: int, amount: int, text: str
) -> None:
    money = from_units_nanos(currency, units, nanos)
    assert money == Money(currency, amount)
    assert money.units_nanos() == (units, nanos)
    assert str(money) == text


@pytest.mark.parametrize(
    ("currency", "units", "nanos"),
    [
        ("EUR", 1, 5_000_000),  # half a cent
        ("JPY", 1, 500_000_000),  # half a yen
        ("EUR", 1, -10_000_000),  # mixed signs
        ("EUR", -1, 10_000_000),
        ("EUR", 0, 1_000_000_000),  # nanos that make a unit
        ("XXX", 1, 0),  # no currency
        ("eur", 1, 0),
        ("EUR", MAX_MINOR_UNITS, 0),  # out of range
    ],
)
def test_what_cannot_be_exact_is_refused(currency: str, units: int, nanos: int) -> None:
    with pytest.raises(Refusal) as refused:
        from_units_nanos(currency, units, nanos)
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "AMOUNT_INVALID")


@given(moneys)
def test_nothing_is_lost_on_the_wire(money: Money) -> None:
    assert from_units_nanos(money.currency, *money.units_nanos()) == money


@given(amounts, amounts, st.integers(-1_000, 1_000))
def test_arithmetic_is_that_of_integers(left: int, right: int, factor: int) -> None:
    one, other = Money("EUR", left), Money("EUR", right)
    assert (one + other).amount == left + right
    assert (one - other).amount == left - right
    assert (-one).amount == -left
    assert (one < other, one <= other, one > other, one >= other) == (
        left < right,
        left <= right,
        left > right,
        left >= right,
    )
    if abs(left * factor) <= MAX_MINOR_UNITS:
        assert one.times(factor).amount == left * factor
    assert (one.is_positive, one.is_zero) == (left > 0, left == 0)


@pytest.mark.parametrize("operator", ["__add__", "__sub__", "__lt__", "__le__"])
def test_two_currencies_never_mix(operator: str) -> None:
    with pytest.raises(Refusal) as refused:
        getattr(Money("EUR", 1), operator)(Money("USD", 1))
    assert refused.value.reason == "CURRENCY_MISMATCH"
    assert refused.value.metadata == {"expected": "EUR", "actual": "USD"}


@given(moneys, st.lists(st.integers(0, 1_000), min_size=1, max_size=20).filter(any))
def test_parts_add_up_and_stay_within_one_minor_unit_of_their_share(money: Money, weights: list[int]) -> None:
    parts = money.allocate(weights)
    total = sum(weights)
    assert sum(part.amount for part in parts) == money.amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.amount * total - money.amount * weight) < total


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [2, -1]])
def test_weights_must_be_a_proportion(weights: list[int]) -> None:
    with pytest.raises(ValueError):
        Money("EUR", 10).allocate(weights)


def test_exponents_follow_iso_4217() -> None:
    assert [exponent(currency) for currency in CURRENCIES] == [0, 2, 3, 4]
