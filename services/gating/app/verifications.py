"""Commands and queries on verified buyers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.page import Page, PageRequest
from services.gating.app.first_saves import until_won
from services.gating.app.gate import Gate
from services.gating.app.ports import Verifications
from services.gating.domain import verification
from services.gating.domain.verification import BuyerVerification, Vouched


@dataclass(frozen=True, slots=True)
class SetBuyerVerification:
    """Say whether `buyer` is verified."""

    buyer: str
    vouched: Vouched
    etag: str


@dataclass(frozen=True, slots=True)
class ListBuyerVerifications:
    """Everything that was said of `buyer`."""

    buyer: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class VerificationView:
    """A verification at an instant."""

    verification: BuyerVerification
    now: datetime


@dataclass(frozen=True, slots=True)
class VerificationsView:
    """Versions of a verification at an instant, and the newest of all, which alone has effect."""

    page: Page[BuyerVerification]
    newest: BuyerVerification
    now: datetime


class VerificationCommands:
    """One method for each RPC about verified buyers."""

    def __init__(self, database: Database, *, verifications: Verifications, gate: Gate, clock: Clock) -> None:
        self._database = database
        self._verifications = verifications
        self._gate = gate
        self._clock = clock

    async def set_buyer_verification(self, call: Call, command: SetBuyerVerification) -> VerificationView:
        """The verification as the operator or a service wants it."""

        async def attempt(tx: Transaction) -> VerificationView | None:
            current = await self._verifications.verification(tx, command.buyer)
            now = self._clock.now()
            changed, event = verification.set_verification(
                current, command.vouched, etag=command.etag, now=now
            )
            if event is not None:
                if not await self._verifications.add_verification(tx, changed):
                    return None
                tx.record(event)
            return VerificationView(changed, now)

        view = await self._database.command(call, until_won(attempt))
        self._gate.verification_changed(command.buyer)
        return view

    async def list_buyer_verifications(self, _call: Call, query: ListBuyerVerifications) -> VerificationsView:
        """Who said what when, newest first."""

        async def work(tx: Transaction) -> VerificationsView:
            page = await self._verifications.page_of_verifications(tx, query.buyer, query.page)
            newest = await self._verifications.verification(tx, query.buyer)
            return VerificationsView(page, newest, self._clock.now())

        return await self._database.read(work)
