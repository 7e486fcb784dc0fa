"""Why a person cannot be erased yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chassis.call import Call
from chassis.db import Database, Transaction


@dataclass(frozen=True, slots=True)
class Hold:
    """What has to end first; `reason` is a name of `ErasureHold.Reason` without the prefix."""

    reason: str
    resource: str


class OpenMatters(Protocol):
    """Knows what of a buyer is still open."""

    async def of_buyer(self, tx: Transaction, buyer: str) -> Sequence[Hold]:
        """At most 100 of it."""
        ...


class ErasureHolds:
    """Looking for them."""

    def __init__(self, database: Database, matters: OpenMatters) -> None:
        self._database = database
        self._matters = matters

    async def list(self, _call: Call, user: str) -> Sequence[Hold]:
        """What stands in the way of erasing `users/{user}`."""
        return await self._database.read(lambda tx: self._matters.of_buyer(tx, user))
