"""What of a buyer is still open, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.db import Transaction
from chassis.erasure import bound
from services.orders.adapters.personal_data import HOLDS
from services.orders.app.erasure_holds import Hold

_HOLDS = bound(HOLDS)


class OpenMattersRepository:
    """Implements `app.erasure_holds.OpenMatters`."""

    async def of_buyer(self, tx: Transaction, buyer: str) -> Sequence[Hold]:
        """At most 100 of it."""
        return [Hold(row.reason, row.resource) for row in await tx.fetch_all(_HOLDS, {"user": buyer})]
