"""The order requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.gating.domain.buyer_history import EarlierRequests
from services.gating.domain.order_request import OrderRequest, State


class OrderRequests(Protocol):
    """The requests."""

    async def find(self, tx: Transaction, request_id: str, *, lock: bool = False) -> OrderRequest | None:
        """A request; None for an id that nobody knows."""
        ...

    async def find_open(self, tx: Transaction, buyer: str, package: str) -> OrderRequest | None:
        """The open request of a buyer for a package, locked."""
        ...

    async def add(self, tx: Transaction, request: OrderRequest) -> bool:
        """Stores a new request; False where the buyer has an open one for the package."""
        ...

    async def save(self, tx: Transaction, request: OrderRequest) -> None:
        """Stores the next version of a locked request."""
        ...

    async def save_dismissal(self, tx: Transaction, request_id: str) -> None:
        """Notes that a locked request was dismissed; its version stays what the buyer saw."""
        ...

    async def page_of_buyer(
        self, tx: Transaction, buyer: str, *, states: Sequence[State], page: PageRequest
    ) -> Page[OrderRequest]:
        """Requests of a buyer, newest first."""
        ...

    async def page_of_seller(
        self,
        tx: Transaction,
        seller: str,
        *,
        states: Sequence[State],
        show_dismissed: bool,
        page: PageRequest,
    ) -> Page[OrderRequest]:
        """Requests to a seller, newest first; dismissed ones only where they are asked for."""
        ...

    async def earlier(self, tx: Transaction, request: OrderRequest, now: datetime) -> EarlierRequests:
        """What the buyer of a request had asked the same seller before."""
        ...
