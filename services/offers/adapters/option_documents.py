"""Options of packages as JSON documents, read back exactly as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.kernel.money import Money
from services.offers.domain.option import NumberInput, Option, OptionValue, TextInput, ValueInput

Document = dict[str, Any]


def options_document(options: Sequence[Option]) -> list[Document]:
    """The stored form of a package's options."""
    return [
        {
            "option_id": option.option_id,
            "title": option.title,
            "description": option.description,
            "required": option.required,
            **_input_document(option.input),
        }
        for option in options
    ]


def read_options(documents: Sequence[Document]) -> tuple[Option, ...]:
    """What `options_document` stored."""
    return tuple(
        Option(
            option_id=document["option_id"],
            title=document["title"],
            description=document["description"],
            required=document["required"],
            input=_read_input(document),
        )
        for document in documents
    )


def _input_document(given: ValueInput | TextInput | NumberInput) -> Document:
    match given:
        case ValueInput(values, max_values):
            return {"values": [_value_document(value) for value in values], "max_values": max_values}
        case TextInput(max_characters):
            return {"max_characters": max_characters}
        case NumberInput(least, greatest, unit, price):
            return {"min_number": least, "max_number": greatest, "unit": unit, "unit_price": _money(price)}


def _read_input(document: Document) -> ValueInput | TextInput | NumberInput:
    if "values" in document:
        values = tuple(
            OptionValue(one["value_id"], one["title"], _read_money(one["price_difference"]))
            for one in document["values"]
        )
        return ValueInput(values, document["max_values"])
    if "max_characters" in document:
        return TextInput(document["max_characters"])
    price = _read_money(document["unit_price"])
    return NumberInput(document["min_number"], document["max_number"], document["unit"], price)


def _value_document(value: OptionValue) -> Document:
    return {
        "value_id": value.value_id,
        "title": value.title,
        "price_difference": _money(value.price_difference),
    }


def _money(money: Money | None) -> Document | None:
    return None if money is None else {"currency": money.currency, "amount": money.amount}


def _read_money(document: Document | None) -> Money | None:
    return None if document is None else Money(document["currency"], document["amount"])
