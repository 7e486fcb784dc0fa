"""Options and what buyers choose among them, from the wire and to it."""

from __future__ import annotations

from google.protobuf.message import Message

from chassis.kernel.money import Money
from chassis.wire import money, wire_money
from parley.offers.v1 import option_pb2
from parley.orders.v1 import option_choice_pb2
from services.orders.domain.option import (
    ChosenOption,
    NumberInput,
    Option,
    OptionChoice,
    OptionValue,
    TextInput,
    ValueInput,
)


def option(message: option_pb2.Option) -> Option:
    """An option of a listing."""
    return Option(message.option_id, message.title, message.required, _input(message))


def _input(message: option_pb2.Option) -> ValueInput | TextInput | NumberInput:
    match message.WhichOneof("input"):
        case "text":
            return TextInput(message.text.max_characters)
        case "number":
            number = message.number
            return NumberInput(
                number.min_number, number.max_number, number.unit, _optional_money(number, "unit_price")
            )
        case _:
            values = tuple(
                OptionValue(one.value_id, one.title, _optional_money(one, "price_difference"))
                for one in message.values.values
            )
            return ValueInput(values, message.values.max_values)


def _optional_money(message: Message, field: str) -> Money | None:
    return money(getattr(message, field), field=field) if message.HasField(field) else None


def option_choice(message: option_choice_pb2.OptionChoice) -> OptionChoice:
    """What a buyer answers to one option."""
    return OptionChoice(
        option_id=message.option_id,
        value_ids=tuple(message.value_ids),
        text=message.text,
        number=message.number if message.HasField("number") else None,
    )


def wire_chosen_option(chosen: ChosenOption) -> option_choice_pb2.ChosenOption:
    """The wire form of a chosen option."""
    return option_choice_pb2.ChosenOption(
        option_id=chosen.option_id,
        title=chosen.title,
        values=[_wire_value(value) for value in chosen.values],
        text=chosen.text,
        number=chosen.number,
        unit=chosen.unit,
        unit_price=wire_money(chosen.unit_price) if chosen.unit_price is not None else None,
    )


def _wire_value(value: OptionValue) -> option_choice_pb2.ChosenValue:
    difference = value.price_difference
    return option_choice_pb2.ChosenValue(
        value_id=value.value_id,
        title=value.title,
        price_difference=wire_money(difference) if difference is not None else None,
    )
