"""Options of a package by quote: what is offered, what a buyer chose, and the positions that follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chassis.kernel.money import Money
from chassis.kernel.refusal import invalid
from services.orders.domain import refusals
from services.orders.domain.commerce import LineItem

QUANTITY_LIMIT: Final = 100_000
"""How many pieces a position may have."""

TITLE_LIMIT_CHARACTERS: Final = 200
"""How long the title of a position may be."""


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
    max_values: int


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text of the buyer."""

    max_characters: int


@dataclass(frozen=True, slots=True)
class NumberInput:
    """A whole number within bounds, both inclusive; each adds `unit_price` to one package."""

    min_number: int
    max_number: int
    unit: str
    unit_price: Money | None


@dataclass(frozen=True, slots=True)
class Option:
    """Something to decide on; `required` where the package cannot be ordered without."""

    option_id: str
    title: str
    required: bool
    input: ValueInput | TextInput | NumberInput


@dataclass(frozen=True, slots=True)
class OptionChoice:
    """What a buyer answers to one option, in whichever of the fields fits it."""

    option_id: str
    value_ids: tuple[str, ...] = ()
    text: str = ""
    number: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it leaves the option out."""
        return not self.value_ids and not self.text.strip() and self.number is None


@dataclass(frozen=True, slots=True)
class ChosenOption:
    """An option and the answer to it, frozen with the order."""

    option_id: str
    title: str
    values: tuple[OptionValue, ...] = ()
    text: str = ""
    number: int | None = None
    unit: str = ""
    unit_price: Money | None = None


def choose(offered: Sequence[Option], choices: Sequence[OptionChoice]) -> tuple[ChosenOption, ...]:
    """What was chosen, in the order of the listing.

    Refusals UNKNOWN_OPTION, OPTION_REQUIRED, DUPLICATE_OPTION, OPTION_OUT_OF_RANGE.
    """
    options = {option.option_id: option for option in offered}
    chosen: dict[str, ChosenOption] = {}
    named: set[str] = set()
    for index, choice in enumerate(choices):
        field = f"options[{index}]"
        option = options.get(choice.option_id)
        if option is None:
            raise refusals.unknown_option(f"{field}.option_id", choice.option_id)
        if choice.option_id in named:
            raise refusals.duplicate_option(f"{field}.option_id", choice.option_id)
        named.add(choice.option_id)
        if not choice.is_empty:
            chosen[choice.option_id] = _answered(option, choice, field=field)
    for option in offered:
        if option.required and option.option_id not in chosen:
            raise refusals.option_required(option.option_id)
    return tuple(chosen[option.option_id] for option in offered if option.option_id in chosen)


def _answered(option: Option, choice: OptionChoice, *, field: str) -> ChosenOption:
    _check_kind(option, choice, field=field)
    match option.input:
        case ValueInput():
            values = _values(option, option.input, choice, field=field)
            return ChosenOption(option.option_id, option.title, values=values)
        case TextInput(max_characters):
            if "\x00" in choice.text:
                raise invalid(f"{field}.text", "must not contain the character U+0000")
            if len(choice.text) > max_characters:
                text = f"has more than {max_characters} characters"
                raise refusals.option_out_of_range(f"{field}.text", option.option_id, text)
            return ChosenOption(option.option_id, option.title, text=choice.text)
        case NumberInput(least, greatest, unit, price):
            number = choice.number
            if number is None or not least <= number <= greatest:
                bounds = f"must be between {least} and {greatest}"
                raise refusals.option_out_of_range(f"{field}.number", option.option_id, bounds)
            return ChosenOption(option.option_id, option.title, number=number, unit=unit, unit_price=price)


def _check_kind(option: Option, choice: OptionChoice, *, field: str) -> None:
    """An answer in a field that the option does not ask for is a misunderstanding, not to be passed over."""
    given = {
        ("value_ids", ValueInput): bool(choice.value_ids),
        ("text", TextInput): bool(choice.text),
        ("number", NumberInput): choice.number is not None,
    }
    for (name, kind), is_given in given.items():
        if is_given and not isinstance(option.input, kind):
            text = "is no answer to this option"
            raise refusals.option_out_of_range(f"{field}.{name}", option.option_id, text)


def _values(
    option: Option, offered: ValueInput, choice: OptionChoice, *, field: str
) -> tuple[OptionValue, ...]:
    known = {value.value_id for value in offered.values}
    wanted: set[str] = set()
    for index, value_id in enumerate(choice.value_ids):
        path = f"{field}.value_ids[{index}]"
        if value_id not in known:
            raise refusals.unknown_option(path, option.option_id, value_id)
        if value_id in wanted:
            raise refusals.duplicate_option(path, option.option_id)
        wanted.add(value_id)
    if len(wanted) > offered.max_values:
        text = f"takes up to {offered.max_values} values"
        raise refusals.option_out_of_range(f"{field}.value_ids", option.option_id, text)
    return tuple(value for value in offered.values if value.value_id in wanted)


def positions(chosen: Sequence[ChosenOption], *, quantity: int, currency: str) -> tuple[LineItem, ...]:
    """A position for each value and number, for `quantity` packages; the buyer's texts are in none of them.

    Refusal OPTION_OUT_OF_RANGE where a position would have too many pieces.
    """
    return tuple(item for option in chosen for item in _positions(option, quantity, currency))


def _positions(option: ChosenOption, quantity: int, currency: str) -> Iterator[LineItem]:
    nothing = Money(currency, 0)
    for value in option.values:
        title = f"{option.title}: {value.title}"[:TITLE_LIMIT_CHARACTERS]
        yield LineItem(title, quantity, value.price_difference or nothing)
    if option.number is None:
        return
    if option.unit_price is None:
        # Nothing is counted: it says how each of the packages shall be.
        title = f"{option.title}: {option.number} {option.unit}".rstrip()
        yield LineItem(title[:TITLE_LIMIT_CHARACTERS], quantity, nothing)
    elif option.number:
        pieces = option.number * quantity
        if pieces > QUANTITY_LIMIT:
            text = f"makes {pieces} pieces, {QUANTITY_LIMIT} are possible"
            raise refusals.option_out_of_range("options", option.option_id, text)
        title = f"{option.title} ({option.unit})" if option.unit else option.title
        yield LineItem(title[:TITLE_LIMIT_CHARACTERS], pieces, option.unit_price)
