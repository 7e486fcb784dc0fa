"""Reads who changed what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.orders.app.ports import Repository
from services.orders.app.subscription_ports import Subscriptions
from services.orders.domain import audit
from services.orders.domain.audit import AuditEntry


class AuditRecord(Protocol):
    """The record of changes."""

    async def page(
        self, tx: Transaction, subject: str, request: PageRequest, *, for_buyer: bool
    ) -> Page[AuditEntry]:
        """The changes of `subject`, oldest first; for the buyer those that hold something that he may see."""
        ...


@dataclass(frozen=True, slots=True)
class ListAuditEntries:
    """The record of the order or subscription `parent`."""

    parent: str
    page: PageRequest


class AuditQueries:
    """The reads of the record. It is written by the database itself (`chassis.audit`)."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        record: AuditRecord,
        *,
        subscriptions: Subscriptions,
    ) -> None:
        self._database = database
        self._repository = repository
        self._subscriptions = subscriptions
        self._record = record

    async def list(self, call: Call, query: ListAuditEntries) -> Page[AuditEntry]:
        """The record of an order or a subscription, as far as the caller may see it."""

        async def work(tx: Transaction) -> Page[AuditEntry]:
            kept = self._repository if query.parent.startswith("orders/") else self._subscriptions
            subject = await kept.load(tx, query.parent)
            if subject is None:
                raise not_found(query.parent)
            buyer, seller = subject.buyer, subject.seller
            actor = call.party(buyer=buyer, seller=seller, name=query.parent)
            found = await self._record.page(tx, subject.name, query.page, for_buyer=actor is Actor.BUYER)
            seen = (audit.as_seen(one, actor=actor, buyer=buyer, seller=seller) for one in found.items)
            return Page(tuple(seen), found.next_cursor)

        return await self._database.read(work)
