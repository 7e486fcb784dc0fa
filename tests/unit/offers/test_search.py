"""Which words a text has, without any I/O."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.refusal import Refusal
from services.offers.domain import search as searches
from services.offers.domain.search import ListingOrder, ListingSearch, query_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("Logo, logo; LOGO!", ("logo",)),
        ("snake_case and-dash 3D", ("snake", "case", "and", "dash", "3d")),
        ("Straße à la façon", ("strasse", "a", "la", "facon")),
        ("\N{LATIN SMALL LIGATURE FI}ne", ("fine",)),
        ("x" * 41, ("x" * 40,)),
    ],
)
def test_the_words_of_a_text(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=60))
def test_case_and_composition_never_matter(text: str) -> None:
    words = words_of(text)
    assert words_of(unicodedata.normalize("NFC", text)) == words_of(unicodedata.normalize("NFD", text))
    # What was found once is found again, so that a listing is found by any of its own words.
    assert words_of(" ".join(words)) == words
    assert not any(" " in word or not word for word in words)


@pytest.mark.parametrize("text", ["!", "a b c d e f g h i"])
def test_texts_that_cannot_be_searched_for(text: str) -> None:
    with pytest.raises(Refusal):
        query_words(text)
    assert query_words("a b c d e f g h a") == tuple("abcdefgh")


def test_prices_are_compared_in_one_currency_and_in_order() -> None:
    searches.check(
        ListingSearch(currency="EUR", min_price=1, max_price=1, order=ListingOrder.PRICE_ASCENDING)
    )
    for wrong in (
        ListingSearch(order=ListingOrder.PRICE_DESCENDING),
        ListingSearch(currency="EUR", min_price=2, max_price=1),
    ):
        with pytest.raises(Refusal):
            searches.check(wrong)
