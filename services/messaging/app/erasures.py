"""Erasing people: asked for once, done by every service for itself, here by a timer in bounded steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.envelope import Delivery
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import not_found
from services.messaging.app.attachments import REMOVE
from services.messaging.app.leads import LeadBook
from services.messaging.app.profiles import Profiles, require_own_or_operator
from services.messaging.domain import erasure as domain
from services.messaging.domain import refusals
from services.messaging.domain.erasure import Erasure, ErasureRequested

ERASE: Final = "erasure"
"""The timer that does this service's part of an erasure, step by step."""
OWN: Final = "messaging"
FILE_CHECK: Final = timedelta(seconds=1)
"""How long the files that are being removed are given before they are looked for again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why somebody cannot be erased yet."""

    reason: str
    resource: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A service has done its part."""

    erasure: str
    service: str


class Holds(Protocol):
    """Knows what of a person is still open."""

    async def of_person(self, user: str) -> Sequence[Hold]:
        """What stands in the way. Refusal UNAVAILABLE where nobody can say."""
        ...


class Erasures(Protocol):
    """Keeps erasures, and knows what they erase here."""

    async def add(self, tx: Transaction, found: Erasure) -> None:
        """A new one; the profile of its person is locked."""
        ...

    async def find(self, tx: Transaction, erasure_id: str, *, lock: bool = False) -> Erasure | None:
        """It; None where there is none."""
        ...

    async def find_open(self, tx: Transaction, user: str) -> Erasure | None:
        """The one of a person that is under way."""
        ...

    async def save(self, tx: Transaction, changed: Erasure) -> None:
        """Stores a locked one."""
        ...

    async def erase_words(self, tx: Transaction, user: str, *, now: datetime) -> bool:
        """What he wrote, as far as one transaction goes; whether something was left to do."""
        ...

    async def erase_rest(self, tx: Transaction, user: str) -> None:
        """What is kept about him; his profile is locked."""
        ...

    async def forget_answers(
        self, tx: Transaction, user: str, place: Sequence[str] | None
    ) -> list[str] | None:
        """Empties stored answers that were given to him or name him, as far as one transaction goes: from a
        place on, from the beginning where it is None. Answers where to go on; None at the end.
        """
        ...

    async def give_up_files(self, tx: Transaction, user: str) -> Sequence[tuple[str, str]]:
        """Takes his files out of use: the ids and keys of those that were not before."""
        ...

    async def files_left(self, tx: Transaction, user: str) -> int:
        """How many files of his are not removed yet."""
        ...


class OldConversations(Protocol):
    """Knows which conversations were closed long ago."""

    async def erase(
        self, tx: Transaction, before: datetime, most: int, *, now: datetime
    ) -> tuple[bool, Sequence[tuple[str, str]]]:
        """Makes words in those that were closed before a time unreadable, at most so many messages; whether
        there may be more, and the ids and keys of the files that go.
        """
        ...


class Policy:
    """Erases what was said in conversations that were closed long ago, where the operator wants that."""

    def __init__(self, store: OldConversations, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def forget(self, tx: Transaction, before: datetime, most: int) -> int:
        """One step; answers `most` where there may be more."""
        now = self._clock.now()
        more, files = await self._store.erase(tx, before, most, now=now)
        for attachment, key in files:
            tx.schedule(REMOVE, attachment, now, {"key": key})
        return most if more else 0


class ErasureCommands:
    """Asking for it."""

    def __init__(
        self, database: Database, store: Erasures, people: Profiles, holds: Holds, *, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._store = store
        self._people = people
        self._holds = holds
        self._clock = clock
        self._ids = ids

    async def erase(self, call: Call, user: str) -> Erasure:
        """Begins it. Refusals: NOT_FOUND, ERASURE_HELD, UNAVAILABLE."""
        require_own_or_operator(call, user, user)
        await self._database.replay(call)
        under_way = await self._database.read(lambda tx: self._store.find_open(tx, user))
        if under_way is None:
            await self._require_nothing_open(user)

        async def work(tx: Transaction) -> Erasure:
            # Two who ask at once meet at the profile.
            await self._people.load_for_update(tx, user)
            found = await self._store.find_open(tx, user)
            if found is None and under_way is not None:
                # It ended meanwhile, and nobody has asked what stands in the way of another one.
                found = await self._store.find(tx, under_way.id)
            if found is not None:
                return found
            now = self._clock.now()
            made = Erasure(self._ids.new(), user, call.principal, now)
            await self._store.add(tx, made)
            tx.schedule(ERASE, made.id, now)
            tx.record(ErasureRequested(made))
            return made

        return await self._database.command(call, work)

    async def _require_nothing_open(self, user: str) -> None:
        held = await self._holds.of_person(user)
        if held:
            raise refusals.erasure_held(user, [f"{each.resource} {each.reason}" for each in held])

    async def get(self, call: Call, name: str) -> Erasure:
        """How far it is. Refusal NOT_FOUND."""
        found = await self._database.read(lambda tx: self._store.find(tx, name.rpartition("/")[2]))
        if found is None:
            raise not_found(name)
        require_own_or_operator(call, found.user, name)
        return found


class ErasureSteps:
    """Doing this service's part, and hearing of the others'."""

    def __init__(
        self, database: Database, store: Erasures, people: Profiles, leads: LeadBook, clock: Clock
    ) -> None:
        self._database = database
        self._store = store
        self._people = people
        self._leads = leads
        self._clock = clock

    async def step(self, timer: DueTimer) -> None:
        """One transaction of it. What is left is done by the next one: a crash in between costs nothing."""

        async def work(tx: Transaction) -> None:
            found = await self._store.find(tx, timer.key, lock=True)
            if found is None or OWN in found.confirmed:
                return
            now = self._clock.now()
            if "place" not in timer.payload:
                if await self._erase(tx, found, now):
                    # Only now are answers looked through: from here on none is given that has his words.
                    tx.schedule(ERASE, found.id, now, {"place": None})
                return
            place = await self._store.forget_answers(tx, found.user, timer.payload["place"])
            if place is None:
                await self._confirm(tx, found, OWN)
            else:
                tx.schedule(ERASE, found.id, now, {"place": place})

        await self._database.fire(timer, work)

    async def _erase(self, tx: Transaction, found: Erasure, now: datetime) -> bool:
        """As much as one transaction does; whether nothing is left but the answers."""
        await self._store.save(tx, domain.begun(found))
        # Words first: their conversations are locked before any profile, as everywhere.
        if await self._store.erase_words(tx, found.user, now=now):
            tx.schedule(ERASE, found.id, now)
            return False
        for attachment, key in await self._store.give_up_files(tx, found.user):
            tx.schedule(REMOVE, attachment, now, {"key": key})
        if await self._store.files_left(tx, found.user):
            tx.schedule(ERASE, found.id, now + FILE_CHECK)
            return False
        await self._people.load_for_update(tx, found.user)
        await self._leads.erased(tx, found.user)
        await self._store.erase_rest(tx, found.user)
        return True

    async def confirmed(self, delivery: Delivery, told: Confirmation) -> None:
        """Another service has done its part."""

        async def work(tx: Transaction) -> None:
            found = await self._store.find(tx, told.erasure.rpartition("/")[2], lock=True)
            if found is not None:
                await self._confirm(tx, found, told.service)

        await self._database.react(delivery, work)

    async def _confirm(self, tx: Transaction, found: Erasure, service: str) -> None:
        changed, done = domain.confirm(found, service, now=self._clock.now())
        await self._store.save(tx, changed)
        if done is not None:
            tx.record(done)
