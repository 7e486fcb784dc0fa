"""People in copy, forwards and blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from services.messaging.app.conversations import check_etag
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import participants
from services.messaging.domain.conversation import MACHINE, Conversation
from services.messaging.domain.events import ParticipantAdded, ParticipantRemoved
from services.messaging.domain.participants import Forward
from services.messaging.domain.side import Seat
from services.messaging.domain.timeline import Entry, EventType, Happening


@dataclass(frozen=True, slots=True)
class AddParticipant:
    """`user` is `users/{user}`; `etag` may be empty."""

    name: str
    user: str
    share_history: bool
    etag: str


@dataclass(frozen=True, slots=True)
class RemoveParticipant:
    """`user` is `users/{user}`; `etag` may be empty."""

    name: str
    user: str
    etag: str


@dataclass(frozen=True, slots=True)
class ForwardConversation:
    """`address` is an e-mail address; `user` and `etag` may be empty."""

    name: str
    address: str
    user: str
    etag: str


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What was archived."""

    conversation: ConversationView
    forward: Forward


class AddressBook(Protocol):
    """Knows e-mail addresses."""

    async def has_bounced(self, tx: Transaction, address: str) -> bool:
        """Whether somebody had it for his own until mails to it came back."""
        ...


Change = Callable[[Conversation, Seat], tuple[Conversation, ParticipantAdded | ParticipantRemoved | None]]


class ParticipantCommands:
    """Who else reads, and who may not write."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        timelines: Timelines,
        feed: LiveFeed,
        people: AddressBook,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._people = people
        self._database = database
        self._store = store
        self._timelines = timelines
        self._feed = feed
        self._clock = clock
        self._ids = ids

    async def add(self, call: Call, command: AddParticipant) -> ConversationView:
        """Refusals: NOT_FOUND, ETAG_MISMATCH, ALREADY_A_PARTY, TOO_MANY_PARTICIPANTS."""

        def change(found: Conversation, seat: Seat) -> tuple[Conversation, ParticipantAdded | None]:
            return participants.add(
                found,
                seat=seat,
                user=command.user,
                share_history=command.share_history,
                now=self._clock.now(),
            )

        return await self._change(call, command, change, EventType.PARTICIPANT_ADDED)

    async def remove(self, call: Call, command: RemoveParticipant) -> ConversationView:
        """Refusals: NOT_FOUND, PERMISSION_DENIED, ETAG_MISMATCH."""

        def change(found: Conversation, seat: Seat) -> tuple[Conversation, ParticipantRemoved | None]:
            return participants.remove(found, seat=seat, user=command.user, now=self._clock.now())

        return await self._change(call, command, change, EventType.PARTICIPANT_REMOVED)

    async def forward(self, call: Call, command: ForwardConversation) -> Forwarded:
        """Refusals: NOT_FOUND, ETAG_MISMATCH, RECIPIENT_BOUNCED, ALREADY_A_PARTY, TOO_MANY_PARTICIPANTS."""

        async def work(tx: Transaction) -> Forwarded:
            found = await self._store.load_for_update(tx, command.name)
            seat = seat_of(call, found)
            check_etag(found, command.etag)
            now = self._clock.now()
            changed, forward, event = participants.forward(
                found,
                seat=seat,
                address=command.address,
                user=command.user,
                forward_id=self._ids.new(),
                is_bounced=await self._people.has_bounced(tx, command.address),
                now=now,
            )
            happening = Happening(
                EventType.CONVERSATION_FORWARDED, seat.side, forward.name, address=forward.address
            )
            await self._timelines.append(tx, Entry(found.name, forward.id, now, happening))
            await self._store.add_forward(tx, forward)
            await self._store.save(tx, changed, expected=found.version)
            await self._store.save_copies(tx, found, changed)
            tx.record(event)
            if command.user:
                # With the name of whom it put in copy.
                changed = await self._store.load(tx, command.name)
            return Forwarded(ConversationView(changed, seat, now), forward)

        forwarded = await self._database.command(call, work)
        self._feed.announce(command.name)
        return forwarded

    async def block(self, call: Call, name: str) -> ConversationView:
        """Refusal NOT_FOUND."""
        return await self._block(call, name, "block", blocked=True)

    async def unblock(self, call: Call, name: str) -> ConversationView:
        """Refusal NOT_FOUND."""
        return await self._block(call, name, "unblock", blocked=False)

    async def _change(
        self, call: Call, command: AddParticipant | RemoveParticipant, change: Change, kind: EventType
    ) -> ConversationView:
        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, command.name)
            seat = seat_of(call, found)
            check_etag(found, command.etag)
            changed, event = change(found, seat)
            if event is not None:
                happening = Happening(kind, seat.side, command.user)
                entry = Entry(found.name, self._ids.new(), changed.update_time, happening)
                await self._timelines.append(tx, entry)
                await self._store.save(tx, changed, expected=found.version)
                await self._store.save_copies(tx, found, changed)
                tx.record(event)
                # With the name of whom it added.
                changed = await self._store.load(tx, command.name)
            return ConversationView(changed, seat, self._clock.now())

        view = await self._database.command(call, work)
        self._feed.announce(command.name)
        return view

    async def _block(self, call: Call, name: str, action: str, *, blocked: bool) -> ConversationView:
        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, name)
            seat = seat_of(call, found)
            MACHINE.move(found.state, action, seat.actor, name=name)
            now = self._clock.now()
            await self._store.set_block(tx, found, seat=seat, blocked=blocked, now=now)
            return ConversationView(await self._store.load(tx, name), seat, now)

        return await self._database.command(call, work)
