"""Options: what can be chosen, what is refused, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain.commerce import LineItem, total_of
from services.orders.domain.option import (
    ChosenOption,
    NumberInput,
    Option,
    OptionChoice,
    OptionValue,
    TextInput,
    ValueInput,
    choose,
    positions,
)
from tests.unit.orders.purchases import eur

RED, BLUE, GOLD = (
    OptionValue("red", "Red"),
    OptionValue("blue", "Blue"),
    OptionValue("gold", "Gold", eur(500)),
)
COLOUR = Option("colour", "Colour", True, ValueInput((RED, BLUE, GOLD), 2))
ENGRAVING = Option("engraving", "Engraving", False, TextInput(10))
PAGES = Option("pages", "Pages", False, NumberInput(1, 40, "pages", eur(250)))
WIDTH = Option("width", "Width", False, NumberInput(0, 3_000, "mm", None))
OFFERED = (COLOUR, ENGRAVING, PAGES, WIDTH)


def red(*more: str) -> OptionChoice:
    return OptionChoice("colour", ("red", *more))


def test_what_is_chosen_stands_in_the_order_of_the_listing() -> None:
    choices = (
        OptionChoice("width", number=0),
        OptionChoice("engraving", text=" For Bo "),
        OptionChoice("pages", number=40),
        OptionChoice("colour", ("gold", "red")),
    )
    assert choose(OFFERED, choices) == (
        ChosenOption("colour", "Colour", values=(RED, GOLD)),
        ChosenOption("engraving", "Engraving", text=" For Bo "),
        ChosenOption("pages", "Pages", number=40, unit="pages", unit_price=eur(250)),
        ChosenOption("width", "Width", number=0, unit="mm"),
    )


def test_positions_name_what_the_seller_wrote_and_nothing_else() -> None:
    chosen = choose(
        OFFERED,
        (
            red("gold"),
            OptionChoice("engraving", text="For Bo"),
            OptionChoice("pages", number=3),
            OptionChoice("width", number=1_200),
        ),
    )
    assert positions(chosen, quantity=2, currency="EUR") == (
        LineItem("Colour: Red", 2, eur(0)),
        LineItem("Colour: Gold", 2, eur(500)),
        LineItem("Pages (pages)", 6, eur(250)),
        LineItem("Width: 1200 mm", 2, eur(0)),
    )


def test_nothing_of_something_is_no_position() -> None:
    free = Option("extra", "Extra", False, NumberInput(0, 9, "", eur(100)))
    chosen = choose((free,), (OptionChoice("extra", number=0),))
    assert [one.number for one in chosen] == [0]
    assert positions(chosen, quantity=1, currency="EUR") == ()


def test_an_option_without_an_answer_is_left_out() -> None:
    for empty in (OptionChoice("engraving"), OptionChoice("engraving", text=" \n")):
        assert [one.option_id for one in choose(OFFERED, (red(), empty))] == ["colour"]


@pytest.mark.parametrize(
    ("choices", "reason", "metadata"),
    [
        ((), "OPTION_REQUIRED", {"field": "options", "option": "colour"}),
        ((OptionChoice("colour"),), "OPTION_REQUIRED", {"field": "options", "option": "colour"}),
        (
            (red(), OptionChoice("size", ("xl",))),
            "UNKNOWN_OPTION",
            {"field": "options[1].option_id", "option": "size"},
        ),
        (
            (red("pink"),),
            "UNKNOWN_OPTION",
            {"field": "options[0].value_ids[1]", "option": "colour", "value": "pink"},
        ),
        ((red(), red()), "DUPLICATE_OPTION", {"field": "options[1].option_id", "option": "colour"}),
        (
            (red(), OptionChoice("engraving"), OptionChoice("engraving")),
            "DUPLICATE_OPTION",
            {"field": "options[2].option_id", "option": "engraving"},
        ),
        ((red("red"),), "DUPLICATE_OPTION", {"field": "options[0].value_ids[1]", "option": "colour"}),
        (
            (red("blue", "gold"),),
            "OPTION_OUT_OF_RANGE",
            {"field": "options[0].value_ids", "option": "colour"},
        ),
        (
            (red(), OptionChoice("engraving", text="x" * 11)),
            "OPTION_OUT_OF_RANGE",
            {"field": "options[1].text", "option": "engraving"},
        ),
        (
            (red(), OptionChoice("engraving", text="a\x00b")),
            "VALIDATION_FAILED",
            {"field": "options[1].text"},
        ),
        *(
            (
                (red(), OptionChoice("pages", number=number)),
                "OPTION_OUT_OF_RANGE",
                {"field": "options[1].number", "option": "pages"},
            )
            for number in (-1, 0, 41)
        ),
        *(
            (
                (red(), OptionChoice("pages", number=1, **other)),
                "OPTION_OUT_OF_RANGE",
                {"field": f"options[1].{next(iter(other))}", "option": "pages"},
            )
            for other in ({"text": "many"}, {"value_ids": ("red",)})
        ),
        (
            (OptionChoice("colour", number=3),),
            "OPTION_OUT_OF_RANGE",
            {"field": "options[0].number", "option": "colour"},
        ),
    ],
)
def test_choices_that_are_refused(
    choices: tuple[OptionChoice, ...], reason: str, metadata: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        choose(OFFERED, choices)
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, reason)
    assert refused.value.metadata == metadata


def test_a_position_has_a_limit_too() -> None:
    chosen = choose(OFFERED, (red(), OptionChoice("pages", number=40)))
    assert positions(chosen, quantity=2_500, currency="EUR")[-1].quantity == 100_000
    with pytest.raises(Refusal) as refused:
        positions(chosen, quantity=2_501, currency="EUR")
    assert refused.value.reason == "OPTION_OUT_OF_RANGE"
    assert refused.value.metadata == {"field": "options", "option": "pages"}


@given(st.sets(st.sampled_from([RED, BLUE, GOLD]), max_size=2), st.integers(1, 40), st.integers(1, 2_500))
def test_the_total_is_what_the_choices_add_for_each_package(
    values: set[OptionValue], pages: int, quantity: int
) -> None:
    free = Option("colour", "Colour", False, COLOUR.input)
    choices = (
        OptionChoice("colour", tuple(value.value_id for value in values)),
        OptionChoice("pages", number=pages),
    )
    items = positions(choose((free, PAGES), choices), quantity=quantity, currency="EUR")
    assert total_of(items) == eur(quantity * (500 * (GOLD in values) + 250 * pages))
