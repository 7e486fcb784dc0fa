"""What people decide about their contact data, and who saw it."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.page import Page, PageRequest
from services.messaging.app.lead_ports import Consents, Disclosures
from services.messaging.app.leads import LeadBook
from services.messaging.app.profiles import Profiles, require_own
from services.messaging.domain.consent import ConsentType, Decision
from services.messaging.domain.lead import Disclosure


@dataclass(frozen=True, slots=True)
class SetConsent:
    """`user` is `users/{user}`; `seller` is empty for all."""

    user: str
    seller: str
    type: ConsentType
    granted: bool


@dataclass(frozen=True, slots=True)
class OwnList:
    """A page of what is kept about `user`."""

    user: str
    page: PageRequest


class ConsentCommands:
    """Deciding."""

    def __init__(self, database: Database, book: LeadBook, people: Profiles, clock: Clock) -> None:
        self._database = database
        self._book = book
        self._people = people
        self._clock = clock

    async def set(self, call: Call, command: SetConsent) -> Decision:
        """Gives or withdraws it. Refusal NOT_FOUND."""
        require_own(call, command.user)

        async def work(tx: Transaction) -> Decision:
            await self._people.load_for_update(tx, command.user)
            decision = Decision(
                command.user, command.seller, command.type, command.granted, self._clock.now()
            )
            return await self._book.decided(tx, decision)

        return await self._database.command(call, work)


class PrivacyQueries:
    """Reading what is kept about oneself."""

    def __init__(self, database: Database, consents: Consents, disclosures: Disclosures) -> None:
        self._database = database
        self._consents = consents
        self._disclosures = disclosures

    async def consents(self, call: Call, query: OwnList) -> Page[Decision]:
        """The caller's decisions. Refusal NOT_FOUND."""
        require_own(call, query.user)
        return await self._database.read_for(
            call, lambda tx: self._consents.history(tx, query.user, query.page)
        )

    async def disclosures(self, call: Call, query: OwnList) -> Page[Disclosure]:
        """Who saw the caller's contact data. Refusal NOT_FOUND."""
        require_own(call, query.user)
        return await self._database.read_for(
            call, lambda tx: self._disclosures.of_person(tx, query.user, query.page)
        )
