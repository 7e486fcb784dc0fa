"""Commands and queries on what sellers and the operator declare: settings and plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.caller import Role
from chassis.kernel.clock import Clock
from chassis.kernel.page import Page, PageRequest
from services.gating.app.first_saves import until_won
from services.gating.app.gate import Gate
from services.gating.app.ports import Sellers
from services.gating.domain import plan, settings
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import OrderSettings, SettingsChange
from services.gating.domain.settings_history import SettingsVersion


@dataclass(frozen=True, slots=True)
class UpdateOrderSettings:
    """Save some fields of `sellers/{seller}`'s settings."""

    seller: str
    change: SettingsChange
    etag: str


@dataclass(frozen=True, slots=True)
class ListOrderSettingsVersions:
    """The history of `sellers/{seller}`'s settings."""

    seller: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class SetSellerPlan:
    """Set what `sellers/{seller}` is entitled to."""

    seller: str
    tier: Tier
    expire_time: datetime | None
    etag: str


@dataclass(frozen=True, slots=True)
class SettingsView:
    """Settings as one caller sees them at an instant; `split_windows` only after a save."""

    settings: OrderSettings
    plan: SellerPlan
    now: datetime
    may_update: bool
    split_windows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan at an instant."""

    plan: SellerPlan
    now: datetime


class SellerCommands:
    """One method for each RPC about a seller's declarations."""

    def __init__(self, database: Database, *, sellers: Sellers, gate: Gate, clock: Clock) -> None:
        self._database = database
        self._sellers = sellers
        self._gate = gate
        self._clock = clock

    async def get_order_settings(self, call: Call, seller: str) -> SettingsView:
        """The settings, straight from the database."""

        async def work(tx: Transaction) -> SettingsView:
            found = await self._sellers.settings(tx, seller)
            held = await self._sellers.plan(tx, seller)
            return SettingsView(found, held, self._clock.now(), _may_update(call, seller))

        return await self._database.read(work)

    async def update_order_settings(self, call: Call, command: UpdateOrderSettings) -> SettingsView:
        """One atomic new version, or nothing where nothing changes."""
        seller = command.seller

        async def attempt(tx: Transaction) -> SettingsView | None:
            current = await self._sellers.settings(tx, seller, lock=True)
            now = self._clock.now()
            saved = settings.save(current, command.change, etag=command.etag, now=now)
            if saved.event is not None:
                if not await self._sellers.save_settings(tx, saved.settings, author=call.principal):
                    return None
                tx.record(saved.event)
            held = await self._sellers.plan(tx, seller)
            return SettingsView(saved.settings, held, now, _may_update(call, seller), saved.split_windows)

        view = await self._database.command(call, until_won(attempt))
        self._gate.rules_changed(seller)
        return view

    async def list_order_settings_versions(
        self, _call: Call, query: ListOrderSettingsVersions
    ) -> Page[SettingsVersion]:
        """Who saved what, newest first."""
        return await self._database.read(
            lambda tx: self._sellers.settings_versions(tx, query.seller, query.page)
        )

    async def set_seller_plan(self, call: Call, command: SetSellerPlan) -> PlanView:
        """The plan as the operator wants it."""

        async def attempt(tx: Transaction) -> PlanView | None:
            current = await self._sellers.plan(tx, command.seller, lock=True)
            now = self._clock.now()
            changed, event = plan.set_plan(
                current, tier=command.tier, expire_time=command.expire_time, etag=command.etag, now=now
            )
            if event is not None:
                if not await self._sellers.save_plan(tx, changed):
                    return None
                tx.record(event)
            return PlanView(changed, now)

        view = await self._database.command(call, until_won(attempt))
        self._gate.rules_changed(command.seller)
        return view


def _may_update(call: Call, seller: str) -> bool:
    return call.caller.role_in(seller) is Role.SELLER_OWNER
