"""What messaging needs from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from chassis.db import Single, Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from services.messaging.domain.conversation import Conversation, State
from services.messaging.domain.events import MessageSent
from services.messaging.domain.message import Message
from services.messaging.domain.outcome import ObservedInquiry, Outcome
from services.messaging.domain.participants import Forward
from services.messaging.domain.rating import Rating, RatingEntry
from services.messaging.domain.side import Seat, Side
from services.messaging.domain.timeline import Entry, Happening


class Topic(StrEnum):
    """What a conversation is about."""

    INQUIRY = "inquiry"
    ORDER_REQUEST = "orderRequests"
    ORDER = "orders"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which conversations a list holds. None and empty: any."""

    archived: bool = False
    unread_only: bool = False
    state: State | None = None
    topic: Topic | None = None
    marketplace: str = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """An entry that was added, or changed, at `position`. `change` is when it last changed, 0 for never."""

    position: int
    entry: Entry
    change: int


class Conversations(Protocol):
    """Keeps conversations."""

    async def load(self, tx: Transaction, name: str) -> Conversation:
        """The conversation; Refusal NOT_FOUND."""
        ...

    async def load_for_update(self, tx: Transaction, name: str) -> Conversation:
        """The same, locked until the transaction ends: entries are made one after another."""
        ...

    async def load_if_quiet(
        self, tx: Transaction, name: str, *, author: str
    ) -> tuple[Conversation, int] | None:
        """The conversation and the number of its entries; None where it does not exist, or where somebody may
        have to be told, or shown in his language, what `author` says in it.
        """
        ...

    async def save(self, tx: Transaction, conversation: Conversation, *, expected: int) -> None:
        """Stores the state after version `expected`."""
        ...

    async def list_for(
        self, tx: Transaction, *, actor: Actor, participant: str, selection: Selection, page: PageRequest
    ) -> Page[Conversation]:
        """The conversations of a buyer or somebody in copy (`users/…`), or of a team (`sellers/…`), most
        recently active first.
        """
        ...

    async def save_copies(self, tx: Transaction, before: Conversation, after: Conversation) -> None:
        """Makes those in copy find the conversation, and those no longer in copy not."""
        ...

    async def add_forward(self, tx: Transaction, forward: Forward) -> None:
        """Archives a forward."""
        ...

    async def blocks(self, tx: Transaction, *, seller: str, buyer: str) -> frozenset[Side]:
        """Which of the two has blocked the other."""
        ...

    async def set_block(
        self, tx: Transaction, conversation: Conversation, *, seat: Seat, blocked: bool, now: datetime
    ) -> None:
        """Blocks the other side, or takes it back."""
        ...


class Timelines(Protocol):
    """Keeps the entries of conversations."""

    async def append(self, tx: Transaction, entry: Entry) -> bool:
        """Adds an entry to the timeline of a conversation, which is locked from then on. False where that
        does not exist.
        """
        ...

    async def begin(self, tx: Transaction, begun: Conversation, entry: Entry) -> bool:
        """Adds a conversation with its first entry. False where another transaction was first."""
        ...

    async def append_and_save(
        self, tx: Transaction, entry: Entry, changed: Conversation, *, expected: int
    ) -> None:
        """Adds an entry to the timeline of a locked conversation, and stores its state after version
        `expected`, in one go.
        """
        ...

    def addition(self, said: MessageSent, *, seen: Conversation, length: int) -> Single[Message]:
        """A message in a quiet conversation of `length` entries, and its state after `seen`: a command of one
        statement, which does nothing where either has changed or is being changed.
        """
        ...

    async def timeline(
        self, tx: Transaction, *, conversation: str, seat: Seat, newest_first: bool, page: PageRequest
    ) -> Page[Entry]:
        """What may be seen from `seat`, by (create time, id)."""
        ...

    async def entries_after(
        self, tx: Transaction, *, conversation: str, seat: Seat, position: int, limit: int
    ) -> list[Growth]:
        """What may be seen from `seat` of what was added or changed after `position`, in that order."""
        ...

    async def position_of(self, tx: Transaction, *, conversation: str, entry_id: str) -> int | None:
        """The position of an entry; None where it is not part of the conversation."""
        ...

    async def last_position(self, tx: Transaction, conversation: str) -> int:
        """The position of what was last added or changed; 0 before the first."""
        ...

    async def standing(self, tx: Transaction, *, conversation: str, resource: str) -> Happening | None:
        """By what an offer is open, as the timeline tells it: its sending, revision, counter-offer or
        revival; None where it was answered or ended since.
        """
        ...

    async def message(self, tx: Transaction, *, conversation: str, message_id: str) -> Message | None:
        """A message with its translations; None where it is not part of the conversation."""
        ...

    async def count_unread(self, tx: Transaction, *, seat: Seat, after: Message) -> int:
        """How many public messages stand after `after` that others wrote: the other side, or for somebody in
        copy anybody else.
        """
        ...

    async def mark_read(self, tx: Transaction, *, seat: Seat, upto: Message, now: datetime) -> None:
        """Notes on the public messages that the other side wrote, up to `upto`, that they were read."""
        ...


class Ratings(Protocol):
    """Keeps what ratings are made of."""

    async def add(self, tx: Transaction, entry: RatingEntry) -> None:
        """Adds an entry; nothing where its event was seen before."""
        ...

    async def rating(self, tx: Transaction, seller: str, *, since: datetime) -> Rating:
        """What the entries since then come to."""
        ...

    async def entries(self, tx: Transaction, *, seller: str, page: PageRequest) -> Page[RatingEntry]:
        """The entries of a seller, the newest first."""
        ...


class Outcomes(Protocol):
    """Keeps what observers may know. Facts may come in any order and more than once."""

    async def began(self, tx: Transaction, inquiry: ObservedInquiry, *, time: datetime) -> None:
        """An inquiry with an observer began."""
        ...

    async def contacted(self, tx: Transaction, conversation: str, *, time: datetime) -> None:
        """The seller answered; only the earliest time counts."""
        ...

    async def sold(self, tx: Transaction, conversation: str, *, time: datetime) -> None:
        """An order that came from it was confirmed; only the earliest time counts."""
        ...

    async def load(self, tx: Transaction, conversation: str) -> Outcome | None:
        """The outcome; None where nobody observes."""
        ...

    async def list_for(self, tx: Transaction, *, observer: str, page: PageRequest) -> Page[Outcome]:
        """Those of an observer, the newest inquiry first."""
        ...


class LiveFeed(Protocol):
    """Tells watchers that a timeline has grown, across all replicas.

    It may miss: watchers look again by themselves.
    """

    def announce(self, conversation: str) -> None:
        """Something was added."""
        ...

    def watch(self, conversation: str) -> AbstractAsyncContextManager[AsyncIterator[None]]:
        """One item at once, then one each time something was added or a few seconds have passed."""
        ...
