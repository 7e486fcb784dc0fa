"""Commands and queries on when sellers and listings take orders."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.gating.app.first_saves import until_won
from services.gating.app.gate import Gate
from services.gating.app.ports import Calendars, Sellers
from services.gating.domain import availability, calendar
from services.gating.domain.availability import Availability, Declared
from services.gating.domain.calendar import Absence, Planned


@dataclass(frozen=True, slots=True)
class SetAvailability:
    """Declare a seller or a listing available or unavailable."""

    subject: str
    declared: Declared
    etag: str


@dataclass(frozen=True, slots=True)
class CreateAbsence:
    """Plan an absence of a seller or a listing."""

    subject: str
    planned: Planned


@dataclass(frozen=True, slots=True)
class ListAbsences:
    """What is planned for a seller or a listing; of a seller's listings too where asked for."""

    parent: str
    include_listings: bool
    page: PageRequest


@dataclass(frozen=True, slots=True)
class DeleteAbsence:
    """Take an absence of `subject` off the calendar."""

    name: str
    subject: str


@dataclass(frozen=True, slots=True)
class AbsencesView:
    """A page of absences, what is declared beside them, and whether the seller's team looks at it."""

    absences: Page[Absence]
    declared: Availability
    is_team: bool


class CalendarCommands:
    """One method for each RPC about availability."""

    def __init__(
        self,
        database: Database,
        *,
        sellers: Sellers,
        calendars: Calendars,
        gate: Gate,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._sellers = sellers
        self._calendars = calendars
        self._gate = gate
        self._clock = clock
        self._ids = ids

    async def set_availability(self, call: Call, command: SetAvailability) -> Availability:
        """The availability as declared; whoever is back ends the absences that have begun. Refusal NOT_FOUND
        for a listing that does not exist.
        """
        subject = command.subject
        known = await self._is_known(subject)

        async def attempt(tx: Transaction) -> Availability | None:
            if not known:
                raise not_found(subject)
            current = await self._sellers.availability(tx, subject, lock=True)
            now = self._clock.now()
            changed, event = availability.declare(current, command.declared, etag=command.etag, now=now)
            if event is not None:
                if not await self._sellers.save_availability(tx, changed):
                    return None
                tx.record(event)
            if changed.available:
                for absence in await self._calendars.lock_begun(tx, subject, now=now):
                    await self._remove(tx, absence)
            return changed

        changed = await self._database.command(call, until_won(attempt))
        self._gate.rules_changed(subject)
        return changed

    async def create_absence(self, call: Call, command: CreateAbsence) -> Absence:
        """A planned absence. Refusal NOT_FOUND for a listing that does not exist."""
        subject = command.subject
        known = await self._is_known(subject)
        absence_id = self._ids.new()

        async def attempt(tx: Transaction) -> Absence | None:
            if not known:
                raise not_found(subject)
            now = self._clock.now()
            already = await self._calendars.forget_ended(tx, subject, now=now)
            absence, event = calendar.plan_absence(
                absence_id, subject, command.planned, already=already, now=now
            )
            if not await self._calendars.add_absence(tx, absence):
                return None
            tx.record(event)
            return absence

        absence = await self._database.command(call, until_won(attempt))
        self._gate.rules_changed(subject)
        return absence

    async def list_absences(self, call: Call, query: ListAbsences) -> AbsencesView:
        """What is planned and has not ended."""

        async def work(tx: Transaction) -> AbsencesView:
            found = await self._calendars.page_of_absences(
                tx,
                query.parent,
                include_listings=query.include_listings,
                now=self._clock.now(),
                page=query.page,
            )
            seller = query.parent.partition("/listings/")[0]
            is_team = call.caller.role_in(seller) is not None
            return AbsencesView(found, await self._sellers.availability(tx, query.parent), is_team)

        return await self._database.read(work)

    async def delete_absence(self, call: Call, command: DeleteAbsence) -> None:
        """One absence less. Refusal NOT_FOUND where it is not there or has ended."""

        async def work(tx: Transaction) -> None:
            absence = await self._calendars.lock_absence(tx, command.name)
            if absence is None or not await self._remove(tx, absence):
                raise not_found(command.name)

        await self._database.command(call, work)
        self._gate.rules_changed(command.subject)

    async def _remove(self, tx: Transaction, absence: Absence) -> bool:
        event = calendar.delete_absence(absence, now=self._clock.now())
        if event is None:
            return False
        await self._calendars.remove_absence(tx, absence)
        tx.record(event)
        return True

    async def _is_known(self, subject: str) -> bool:
        return "/listings/" not in subject or await self._gate.know_listing(subject)
