"""What a seller's team does with its settings for offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.caller import Role
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import stale_etag
from services.offers.app.ports import Listings, SettingsOfSellers
from services.offers.app.views import SettingsView
from services.offers.domain import offer_settings
from services.offers.domain.listing import Listing
from services.offers.domain.offer_settings import OfferSettings, SettingsContent


@dataclass(frozen=True, slots=True)
class GetOfferSettings:
    """`seller` is ``sellers/{seller}``."""

    seller: str


@dataclass(frozen=True, slots=True)
class UpdateOfferSettings:
    """`edit` answers the wanted content; `etag` is empty where the caller does not mind the version."""

    seller: str
    etag: str
    edit: Callable[[OfferSettings], SettingsContent]


class OfferSettingsOfTeam:
    """One method per RPC. The chain has checked the caller's role in the team."""

    def __init__(
        self, database: Database, settings: SettingsOfSellers, *, listings: Listings, clock: Clock
    ) -> None:
        self._database = database
        self._settings = settings
        self._listings = listings
        self._clock = clock

    async def get(self, call: Call, query: GetOfferSettings) -> SettingsView:
        """The settings; the defaults where nothing was saved."""
        found = await self._database.read(lambda tx: self._settings.find(tx, query.seller))
        return _view(call, found)

    async def update(self, call: Call, command: UpdateOfferSettings) -> SettingsView:
        """Other content. Refusals ETAG_MISMATCH, UNKNOWN_TIME_ZONE, COUNTER_RULE_INVALID."""

        async def work(tx: Transaction) -> SettingsView:
            found = await self._settings.find_for_update(tx, command.seller)
            if command.etag and command.etag != found.etag:
                raise stale_etag(found.name, command.etag, found.etag)
            changed = offer_settings.save(found, command.edit(found), now=self._clock.now())
            if changed is not found:
                await self._check_packages(tx, changed, before=found)
                await self._settings.save(tx, changed)
            return _view(call, changed)

        return await self._database.command(call, work)

    async def _check_packages(
        self, tx: Transaction, settings: OfferSettings, *, before: OfferSettings
    ) -> None:
        """Refusal COUNTER_RULE_INVALID for a new rule that is for a package which is not there."""
        listings: dict[str, Listing | None] = {}
        for index, package in offer_settings.newly_named(settings, before=before):
            name = package.partition("/packages/")[0]
            if name not in listings:
                listings[name] = await self._listings.find(tx, name)
            offer_settings.check_package(package, listings[name], index=index)


def _view(call: Call, settings: OfferSettings) -> SettingsView:
    is_owner = call.caller.role_in(settings.seller) is Role.SELLER_OWNER
    return SettingsView(settings, may_update=is_owner)
