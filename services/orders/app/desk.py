"""The desk of a seller's team."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found, stale_etag
from services.orders.app.loading import load_for_change
from services.orders.app.ports import Repository
from services.orders.app.views import OrderView
from services.orders.domain import buyer_side, labels
from services.orders.domain import note as notes
from services.orders.domain.desk import FolderCount, folder_counts
from services.orders.domain.note import Note
from services.orders.domain.order import Order

SELLERS_AT_ONCE: Final = 500


class Desk(Protocol):
    """The counters of the folders."""

    async def counts(self, tx: Transaction, seller: str) -> tuple[FolderCount, ...]:
        """The folders of a seller in which something lies or lay."""
        ...

    async def sellers(self, tx: Transaction, after: str, size: int) -> tuple[str, ...]:
        """The next sellers with orders or counters, by name."""
        ...

    async def recount(self, tx: Transaction, seller: str) -> bool:
        """Counts the orders of a seller anew; answers whether a counter was wrong."""
        ...

    async def set_labels(self, tx: Transaction, order: Order) -> None:
        """Keeps the labels of a locked order, and nothing else of it."""
        ...

    async def set_read(self, tx: Transaction, order: Order) -> None:
        """Keeps what both sides have not read of a locked order, and nothing else of it."""
        ...

    async def add_note(self, tx: Transaction, note: Note) -> None:
        """Stores a new note."""
        ...

    async def count_notes(self, tx: Transaction, order: Order) -> int:
        """How many notes an order has."""
        ...

    async def notes(self, tx: Transaction, order: Order, request: PageRequest) -> Page[Note]:
        """The notes of an order, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class SetLabels:
    """The normalized labels that an order shall have; `etag` is that of the labels."""

    name: str
    labels: tuple[str, ...]
    etag: str = ""


@dataclass(frozen=True, slots=True)
class CreateNote:
    """What is to be written down about the order `parent`."""

    parent: str
    text: str


@dataclass(frozen=True, slots=True)
class ListNotes:
    """The notes about the order `parent`."""

    parent: str
    page: PageRequest


class DeskCommands:
    """What each side does for itself. The other is not told: no event, no new version of the order."""

    def __init__(
        self, database: Database, repository: Repository, desk: Desk, *, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._repository = repository
        self._desk = desk
        self._clock = clock
        self._ids = ids

    async def set_labels(self, call: Call, command: SetLabels) -> OrderView:
        """Replaces the labels of an order."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await load_for_change(self._repository, tx, call, name=command.name, etag="")
            held = labels.etag(order.labels)
            if command.etag and command.etag != held:
                raise stale_etag(order.name, command.etag, held)
            changed = replace(order, labels=command.labels)
            if changed != order:
                await self._desk.set_labels(tx, changed)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def mark_read(self, call: Call, name: str) -> OrderView:
        """The caller's side has read everything; the buyer for himself, a member of the team for the team."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await load_for_change(self._repository, tx, call, name=name, etag="")
            changed = buyer_side.mark_read(order, actor)
            if changed != order:
                await self._desk.set_read(tx, changed)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def create_note(self, call: Call, command: CreateNote) -> Note:
        """Writes a note."""

        async def work(tx: Transaction) -> Note:
            order, _ = await load_for_change(self._repository, tx, call, name=command.parent, etag="")
            note = notes.write(
                order,
                command.text,
                note_id=self._ids.new(),
                author=call.caller.user,
                held=await self._desk.count_notes(tx, order),
                now=self._clock.now(),
            )
            await self._desk.add_note(tx, note)
            return note

        return await self._database.command(call, work)


class DeskQueries:
    """The reads."""

    def __init__(self, database: Database, repository: Repository, desk: Desk) -> None:
        self._database = database
        self._repository = repository
        self._desk = desk

    async def folder_counts(self, _call: Call, seller: str) -> tuple[FolderCount, ...]:
        """Every folder, the empty ones too. The method's declaration lets the team ask and nobody else."""
        return folder_counts(await self._database.read(lambda tx: self._desk.counts(tx, seller)))

    async def list_notes(self, call: Call, query: ListNotes) -> Page[Note]:
        """The notes about an order, oldest first."""

        async def work(tx: Transaction) -> Page[Note]:
            order = await self._repository.load(tx, query.parent)
            if order is None:
                raise not_found(query.parent)
            call.party(buyer=order.buyer, seller=order.seller, name=query.parent)
            return await self._desk.notes(tx, order, query.page)

        return await self._database.read(work)


async def recount_folders(database: Database, *, desk: Desk) -> str:
    """Counts every seller's folders anew, one seller in each transaction; says what was wrong.

    The service cannot miscount; a restore that left the triggers out, or a change by hand, can. Nobody's
    orders change while one seller is counted.
    """
    counted, wrong, last = 0, 0, ""
    while names := await _sellers(database, desk, last):
        for name in names:
            wrong += await _recount(database, desk, name)
        counted, last = counted + len(names), names[-1]
    return f"the folders of {counted} sellers were counted; those of {wrong} were wrong"


async def _sellers(database: Database, desk: Desk, last: str) -> tuple[str, ...]:
    return await database.read(lambda tx: desk.sellers(tx, last, SELLERS_AT_ONCE))


async def _recount(database: Database, desk: Desk, name: str) -> bool:
    return await database.transact(lambda tx: desk.recount(tx, name))
