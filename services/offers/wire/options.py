"""Options of packages, from the wire and to it."""

from __future__ import annotations

from google.protobuf.message import Message

from chassis.kernel.money import Money
from chassis.wire import wire_money
from parley.offers.v1 import option_pb2
from services.offers.domain.option import (
    LARGEST_NUMBER,
    LONGEST_TEXT_CHARACTERS,
    NumberInput,
    Option,
    OptionValue,
    TextInput,
    ValueInput,
)
from services.offers.domain.terms import check_text
from services.offers.wire.values import read_money


def read_option(message: option_pb2.Option, *, field: str) -> Option:
    """An option of a checked request. Refusals AMOUNT_INVALID, VALIDATION_FAILED."""
    return Option(
        option_id=message.option_id,
        title=check_text(message.title, field=f"{field}.title"),
        description=check_text(message.description, field=f"{field}.description"),
        required=message.required,
        input=_read_input(message, field=field),
    )


def _read_input(message: option_pb2.Option, *, field: str) -> ValueInput | TextInput | NumberInput:
    match message.WhichOneof("input"):
        case "text":
            return TextInput(message.text.max_characters or LONGEST_TEXT_CHARACTERS)
        case "number":
            number = message.number
            return NumberInput(
                min_number=number.min_number,
                max_number=number.max_number or LARGEST_NUMBER,
                unit=check_text(number.unit, field=f"{field}.number.unit"),
                unit_price=_read_price(number, "unit_price", field=f"{field}.number"),
            )
        case _:
            path = f"{field}.values.values"
            values = tuple(
                _read_value(value, field=f"{path}[{index}]")
                for index, value in enumerate(message.values.values)
            )
            return ValueInput(values, message.values.max_values or 1)


def _read_value(message: option_pb2.OptionValue, *, field: str) -> OptionValue:
    return OptionValue(
        value_id=message.value_id,
        title=check_text(message.title, field=f"{field}.title"),
        price_difference=_read_price(message, "price_difference", field=field),
    )


def _read_price(message: Message, name: str, *, field: str) -> Money | None:
    if not message.HasField(name):
        return None
    return read_money(getattr(message, name), field=f"{field}.{name}")


def wire_option(option: Option) -> option_pb2.Option:
    """The wire form of an option."""
    message = option_pb2.Option(
        option_id=option.option_id,
        title=option.title,
        description=option.description,
        required=option.required,
    )
    match option.input:
        case ValueInput(values, max_values):
            message.values.max_values = max_values
            message.values.values.extend(_wire_value(value) for value in values)
        case TextInput(max_characters):
            message.text.max_characters = max_characters
        case NumberInput(least, greatest, unit, price):
            message.number.CopyFrom(
                option_pb2.NumberInput(
                    min_number=least,
                    max_number=greatest,
                    unit=unit,
                    unit_price=wire_money(price) if price is not None else None,
                )
            )
    return message


def _wire_value(value: OptionValue) -> option_pb2.OptionValue:
    difference = value.price_difference
    return option_pb2.OptionValue(
        value_id=value.value_id,
        title=value.title,
        price_difference=wire_money(difference) if difference is not None else None,
    )
