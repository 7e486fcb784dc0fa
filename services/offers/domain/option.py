"""Options: what the buyer of a package by quote decides on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chassis.kernel.money import Money
from chassis.kernel.refusal import invalid
from services.offers.domain.refusals import amount_invalid, currency_mismatch, duplicate_option

LARGEST_NUMBER: Final = 100_000
"""The greatest number that an option can take."""

LONGEST_TEXT_CHARACTERS: Final = 2_000

CHOSEN_VALUES_LIMIT: Final = 90
"""How many values of one package can be chosen together: each is a position of the order and of its quote."""

LISTING_LIMIT: Final = 500
"""How many options and values the packages of a listing have in all: they are part of its events."""


@dataclass(frozen=True, slots=True)
class OptionValue:
    """One value to choose; `price_difference` is for one package, None for nothing."""

    value_id: str
    title: str
    price_difference: Money | None = None


@dataclass(frozen=True, slots=True)
class ValueInput:
    """Up to `max_values` of some values."""

    values: tuple[OptionValue, ...]
    max_values: int = 1


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text of the buyer."""

    max_characters: int = LONGEST_TEXT_CHARACTERS


@dataclass(frozen=True, slots=True)
class NumberInput:
    """A whole number within bounds, both inclusive; each adds `unit_price` to one package."""

    min_number: int = 0
    max_number: int = LARGEST_NUMBER
    unit: str = ""
    unit_price: Money | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """Something to decide on; `required` where the package cannot be ordered without."""

    option_id: str
    title: str
    input: ValueInput | TextInput | NumberInput
    description: str = ""
    required: bool = False


def size_of(options: Sequence[Option]) -> int:
    """How many options and values these are."""
    return sum(1 + len(one.input.values if isinstance(one.input, ValueInput) else ()) for one in options)


def check_options(options: Sequence[Option], *, currency: str, field: str) -> None:
    """Options that can be answered. Refusals DUPLICATE_OPTION, AMOUNT_INVALID, CURRENCY_MISMATCH, and
    VALIDATION_FAILED.
    """
    _check_unique((option.option_id for option in options), path=f"{field}[{{}}].option_id")
    together = 0
    for index, option in enumerate(options):
        path = f"{field}[{index}]"
        match option.input:
            case ValueInput(values, max_values):
                together += min(max_values, len(values))
                _check_unique(
                    (value.value_id for value in values), path=f"{path}.values.values[{{}}].value_id"
                )
                for number, value in enumerate(values):
                    at = f"{path}.values.values[{number}].price_difference"
                    _check_price(value.price_difference, currency=currency, field=at)
            case NumberInput(least, greatest, _, price):
                if least > greatest:
                    raise invalid(f"{path}.number.max_number", "is less than min_number")
                _check_price(price, currency=currency, field=f"{path}.number.unit_price")
            case TextInput():
                pass
    if together > CHOSEN_VALUES_LIMIT:
        raise invalid(field, f"let {together} values be chosen together, {CHOSEN_VALUES_LIMIT} are possible")


def _check_unique(ids: Iterable[str], *, path: str) -> None:
    seen: set[str] = set()
    for index, one in enumerate(ids):
        if one in seen:
            raise duplicate_option(path.format(index), one)
        seen.add(one)


def _check_price(price: Money | None, *, currency: str, field: str) -> None:
    if price is None:
        return
    if price.currency != currency:
        raise currency_mismatch(field, expected=currency, actual=price.currency)
    if price.amount < 0:
        raise amount_invalid(field, "must not be negative", price)
