"""What sellers and the operator declared, and what is planned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.gating.domain.availability import Availability
from services.gating.domain.calendar import Absence, Calendar
from services.gating.domain.plan import SellerPlan
from services.gating.domain.settings import OrderSettings
from services.gating.domain.settings_history import SettingsVersion
from services.gating.domain.verification import BuyerVerification


class Sellers(Protocol):
    """What sellers and the operator declared. What was never saved is answered as version 0.

    `save_...` answers whether the row was still at the version before; a lost race of two first saves answers
    False, and the transaction sees the winner's row when it looks again.
    """

    async def settings(self, tx: Transaction, seller: str, *, lock: bool = False) -> OrderSettings:
        """The settings of a seller."""
        ...

    async def save_settings(self, tx: Transaction, settings: OrderSettings, *, author: str) -> bool:
        """Stores a version, and keeps it in the history with who saved it."""
        ...

    async def settings_versions(
        self, tx: Transaction, seller: str, page: PageRequest
    ) -> Page[SettingsVersion]:
        """The history of a seller, newest first; fewer than asked for where versions are large."""
        ...

    async def settings_version(self, tx: Transaction, seller: str, version: int) -> OrderSettings | None:
        """One version of the history."""
        ...

    async def plan(self, tx: Transaction, seller: str, *, lock: bool = False) -> SellerPlan:
        """The plan of a seller."""
        ...

    async def save_plan(self, tx: Transaction, plan: SellerPlan) -> bool:
        """Stores a version."""
        ...

    async def availability(self, tx: Transaction, subject: str, *, lock: bool = False) -> Availability:
        """The availability of a seller or a listing."""
        ...

    async def save_availability(self, tx: Transaction, availability: Availability) -> bool:
        """Stores a version."""
        ...


class Calendars(Protocol):
    """What sellers planned."""

    async def calendar(self, tx: Transaction, subject: str) -> Calendar:
        """Everything that keeps a seller or a listing from taking orders."""
        ...

    async def forget_ended(self, tx: Transaction, subject: str, *, now: datetime) -> int:
        """How many absences of `subject` have not ended; the others are forgotten."""
        ...

    async def add_absence(self, tx: Transaction, absence: Absence) -> bool:
        """Stores a new absence; False where somebody else took the place that it would have had, whose
        absence is then counted.
        """
        ...

    async def lock_absence(self, tx: Transaction, name: str) -> Absence | None:
        """An absence; None where there is none of that name."""
        ...

    async def lock_begun(self, tx: Transaction, subject: str, *, now: datetime) -> Sequence[Absence]:
        """The absences of `subject` that have begun and not ended."""
        ...

    async def remove_absence(self, tx: Transaction, absence: Absence) -> None:
        """Takes a locked absence off the calendar."""
        ...

    async def page_of_absences(
        self, tx: Transaction, parent: str, *, include_listings: bool, now: datetime, page: PageRequest
    ) -> Page[Absence]:
        """Absences that have not ended, by their beginning; those of a seller's listings where asked for."""
        ...


class Verifications(Protocol):
    """What was said of buyers."""

    async def verification(self, tx: Transaction, buyer: str) -> BuyerVerification:
        """What was said last; version 0 where nothing was."""
        ...

    async def add_verification(self, tx: Transaction, added: BuyerVerification) -> bool:
        """Stores a version; False where somebody else stored it first, whose version is then found."""
        ...

    async def page_of_verifications(
        self, tx: Transaction, buyer: str, page: PageRequest
    ) -> Page[BuyerVerification]:
        """Everything that was said, newest first."""
        ...
