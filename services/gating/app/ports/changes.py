"""What was committed, by whichever replica."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from chassis.db import Transaction

Monotonic = Callable[[], float]
"""Seconds that only grow; the age of cached values is measured by it."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a committed transaction touched: the rules of a seller or a listing (`subject`), the number of his
    open orders (`open_orders_of`), the verification of the buyer who is the subject, or, with a `buyer`, what
    is known of this buyer at the seller `subject`.
    """

    subject: str
    buyer: str


OPEN_ORDERS: Final = "/openOrders"


def open_orders_of(seller: str) -> str:
    """The subject of a change in the number of a seller's open orders, as the log names it."""
    return f"{seller}{OPEN_ORDERS}"


def seller_of_open_orders(subject: str) -> str:
    """The other way round."""
    return subject.removesuffix(OPEN_ORDERS)


@dataclass(frozen=True, slots=True)
class Changes:
    """What was committed between two looks. `epoch` differs when earlier snapshots mean nothing any more;
    `changes` is None when they are too many to be told.
    """

    snapshot: str
    epoch: str
    changes: tuple[Change, ...] | None


class ChangeLog(Protocol):
    """What was committed, by whichever replica."""

    async def since(self, tx: Transaction, snapshot: str) -> Changes:
        """What was committed after `snapshot`; nothing for an empty one. The answer's own comes with it."""
        ...

    async def prune(self, tx: Transaction) -> None:
        """Deletes what no replica can want to see any more."""
        ...
