"""The labels of an order: what the team wrote on it, and what it has by itself. For the team only."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from chassis.kernel.refusal import invalid
from services.orders.domain.order import Order, PaymentState, State

LENGTH_LIMIT_CHARACTERS: Final = 50
_ETAG_BYTES: Final = 8


class SystemLabel(StrEnum):
    """A label that follows from where the order stands."""

    AWAITING_ANSWER = "AWAITING_ANSWER"
    PAYMENT_FAILED = "PAYMENT_FAILED"


def system_labels(order: Order) -> tuple[SystemLabel, ...]:
    """What the team has to see at a glance."""
    found = []
    if order.state is State.AWAITING_ANSWER:
        found.append(SystemLabel.AWAITING_ANSWER)
    if order.payment_state is PaymentState.FAILED:
        found.append(SystemLabel.PAYMENT_FAILED)
    return tuple(found)


def normalized(texts: Iterable[str]) -> tuple[str, ...]:
    """The labels as they are kept: one way to write each, each once, sorted. Refusal VALIDATION_FAILED for
    one that is blank, too long or not printable.
    """
    return tuple(sorted({_normalized(text, f"labels[{index}]") for index, text in enumerate(texts)}))


def _normalized(text: str, field: str) -> str:
    label = unicodedata.normalize("NFKC", " ".join(text.split()).casefold())
    if not label:
        raise invalid(field, "is blank")
    if len(label) > LENGTH_LIMIT_CHARACTERS:
        raise invalid(field, f"has more than {LENGTH_LIMIT_CHARACTERS} characters")
    if not label.isprintable():
        raise invalid(field, "has characters that cannot be seen")
    return label


def etag(labels: Iterable[str]) -> str:
    """The same for the same labels."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()[: 2 * _ETAG_BYTES]
