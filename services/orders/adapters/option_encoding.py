"""Options of listings, and those that were chosen for orders, as JSON columns, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.kernel.money import Money
from services.orders.domain.option import (
    ChosenOption,
    NumberInput,
    Option,
    OptionValue,
    TextInput,
    ValueInput,
)

Json = dict[str, Any]


def write_options(options: Sequence[Option]) -> list[Json]:
    """What a package offers."""
    return [
        {
            "option_id": option.option_id,
            "title": option.title,
            "required": option.required,
            **_write_input(option.input),
        }
        for option in options
    ]


def read_options(values: Sequence[Mapping[str, Any]]) -> tuple[Option, ...]:
    """The options again."""
    return tuple(Option(one["option_id"], one["title"], one["required"], _read_input(one)) for one in values)


def write_chosen(chosen: Sequence[ChosenOption]) -> list[Json]:
    """What was chosen for an order."""
    return [
        {
            "option_id": one.option_id,
            "title": one.title,
            "values": [_write_value(value) for value in one.values],
            "text": one.text,
            "number": one.number,
            "unit": one.unit,
            "unit_price": _write_money(one.unit_price),
        }
        for one in chosen
    ]


def read_chosen(values: Sequence[Mapping[str, Any]]) -> tuple[ChosenOption, ...]:
    """The chosen options again."""
    return tuple(
        ChosenOption(
            option_id=one["option_id"],
            title=one["title"],
            values=tuple(_read_value(value) for value in one["values"]),
            text=one["text"],
            number=one["number"],
            unit=one["unit"],
            unit_price=_read_money(one["unit_price"]),
        )
        for one in values
    )


def _write_input(given: ValueInput | TextInput | NumberInput) -> Json:
    match given:
        case ValueInput(values, max_values):
            return {"values": [_write_value(value) for value in values], "max_values": max_values}
        case TextInput(max_characters):
            return {"max_characters": max_characters}
        case NumberInput(least, greatest, unit, price):
            number = {"min_number": least, "max_number": greatest, "unit": unit}
            return {**number, "unit_price": _write_money(price)}


def _read_input(value: Mapping[str, Any]) -> ValueInput | TextInput | NumberInput:
    if "values" in value:
        return ValueInput(tuple(_read_value(one) for one in value["values"]), value["max_values"])
    if "max_characters" in value:
        return TextInput(value["max_characters"])
    price = _read_money(value["unit_price"])
    return NumberInput(value["min_number"], value["max_number"], value["unit"], price)


def _write_value(value: OptionValue) -> Json:
    difference = _write_money(value.price_difference)
    return {"value_id": value.value_id, "title": value.title, "price_difference": difference}


def _read_value(value: Mapping[str, Any]) -> OptionValue:
    return OptionValue(value["value_id"], value["title"], _read_money(value["price_difference"]))


def _write_money(money: Money | None) -> list[Any] | None:
    return None if money is None else [money.currency, money.amount]


def _read_money(value: Sequence[Any] | None) -> Money | None:
    return None if value is None else Money(value[0], value[1])
