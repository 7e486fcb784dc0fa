"""Searching the listings of one seller: by words, facets and price."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chassis.kernel.refusal import invalid
from services.offers.domain.listing import Intake, Listing, ListingKind, ListingState

QUERY_WORDS_LIMIT: Final = 8
LISTING_WORDS_LIMIT: Final = 300
"""Different words of one listing that can be found; the title's come first."""
WORD_LIMIT_CHARACTERS: Final = 40
"""Longer words are cut, on both sides alike."""

_WORD: Final = re.compile(r"[^\W_]+")


class ListingOrder(StrEnum):
    """How listings are ordered."""

    NAME = "NAME"
    NEWEST_FIRST = "NEWEST_FIRST"
    PRICE_ASCENDING = "PRICE_ASCENDING"
    PRICE_DESCENDING = "PRICE_DESCENDING"


BY_PRICE: Final = frozenset({ListingOrder.PRICE_ASCENDING, ListingOrder.PRICE_DESCENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingSearch:
    """What is looked for. Empty and None mean any; prices are the lowest of a listing, in minor units, both
    ends included.
    """

    words: tuple[str, ...] = ()
    intake: Intake | None = None
    state: ListingState | None = None
    has_plan: bool | None = None
    kind: ListingKind | None = None
    currency: str = ""
    min_price: int | None = None
    max_price: int | None = None
    order: ListingOrder = ListingOrder.NAME


def words_of(text: str) -> tuple[str, ...]:
    """The different words of a text in the order of their first occurrence, without case and accents."""
    plain = "".join(
        character
        for character in unicodedata.normalize("NFKD", text.casefold())
        if not unicodedata.combining(character)
    )
    # What a compatibility decomposition makes of a character may have a case again.
    words = (found[:WORD_LIMIT_CHARACTERS] for found in _WORD.findall(plain.casefold()))
    return tuple(dict.fromkeys(words))


def listing_words(listing: Listing) -> frozenset[str]:
    """The words by which a listing is found."""
    content = listing.content
    return frozenset(words_of(f"{content.title}\n{content.description}")[:LISTING_WORDS_LIMIT])


def query_words(text: str) -> tuple[str, ...]:
    """The words that a search asks for, none for an empty text. Refusal VALIDATION_FAILED for no word or more
    than QUERY_WORDS_LIMIT.
    """
    words = words_of(text)
    if text and not words:
        raise invalid("text", "contains no word")
    if len(words) > QUERY_WORDS_LIMIT:
        raise invalid("text", f"contains more than {QUERY_WORDS_LIMIT} words")
    return words


def check(search: ListingSearch) -> None:
    """A range that is one, and a currency where prices are compared. Refusal VALIDATION_FAILED."""
    if search.order in BY_PRICE and not search.currency:
        raise invalid("currency_code", "is needed to order by price")
    low, high = search.min_price, search.max_price
    if low is not None and high is not None and low > high:
        raise invalid("max_price", "must not be less than min_price")
