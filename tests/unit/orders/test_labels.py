"""How labels are kept, and which an order has by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusal import Refusal
from services.orders.domain import labels
from services.orders.domain.labels import SystemLabel
from services.orders.domain.note import NOTES_LIMIT, write
from services.orders.domain.order import PaymentState, State
from tests.unit.orders.purchases import NOW, SELLER, in_state


def test_a_label_is_kept_in_one_way_and_once() -> None:
    written = [
        "  Rush \t order",
        "rush order",
        "RUSH ORDER",
        "\uff32\uff35\uff33\uff28 order",
        "a",
        "STRASSE",
    ]
    assert labels.normalized(written) == ("a", "rush order", "strasse")
    assert labels.normalized(["Straße"]) == ("strasse",)
    assert labels.normalized([]) == ()


@pytest.mark.parametrize("text", ["", "  ", "\u3000", "a" * 51, "a\u0007b", "\u202eabc", "\ufdfa" * 10])
def test_what_is_blank_too_long_or_invisible_is_no_label(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        labels.normalized(["fine", text])
    assert caught.value.metadata["field"] == "labels[1]"


def test_fifty_characters_are_a_label() -> None:
    assert labels.normalized(["é" * 50]) == ("é" * 50,)


@given(st.lists(st.text(min_size=1, max_size=60), max_size=8))
def test_normalizing_again_changes_nothing(texts: list[str]) -> None:
    try:
        once = labels.normalized(texts)
    except Refusal:
        return
    assert labels.normalized(once) == once
    assert labels.normalized(reversed(texts)) == once
    assert (labels.etag(once) == labels.etag(labels.normalized(texts[1:]))) == (
        once == labels.normalized(texts[1:])
    )


def test_the_labels_that_an_order_has_by_itself() -> None:
    assert {state: labels.system_labels(in_state(state)) for state in State} == {
        **dict.fromkeys(State, ()),
        State.AWAITING_ANSWER: (SystemLabel.AWAITING_ANSWER,),
    }
    failed = replace(in_state(State.CONFIRMED), payment_state=PaymentState.FAILED)
    assert labels.system_labels(failed) == (SystemLabel.PAYMENT_FAILED,)


def test_a_note_is_not_blank_and_there_are_not_too_many() -> None:
    order = in_state(State.PENDING)
    note = write(order, " Call her \n", note_id="n", author="users/a", held=NOTES_LIMIT - 1, now=NOW)
    assert (note.text, note.seller, note.name) == ("Call her", SELLER, f"{order.name}/notes/n")
    for text, held, reason in ((" \n ", 0, "VALIDATION_FAILED"), ("Too much", NOTES_LIMIT, "TOO_MANY_NOTES")):
        with pytest.raises(Refusal) as caught:
            write(order, text, note_id="n", author="users/a", held=held, now=NOW)
        assert caught.value.reason == reason
