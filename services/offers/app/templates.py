"""What a seller's team does with its templates. The chain has checked that the caller belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found, stale_etag
from services.offers.app.ports import Templates
from services.offers.domain import template as templates
from services.offers.domain.template import OfferTemplate, TemplateContent


@dataclass(frozen=True, slots=True)
class CreateTemplate:
    """`seller` is ``sellers/{seller}``."""

    seller: str
    content: TemplateContent


@dataclass(frozen=True, slots=True)
class GetTemplate:
    """`name` is ``sellers/{seller}/offerTemplates/{template}``."""

    name: str


@dataclass(frozen=True, slots=True)
class ListTemplates:
    """`seller` is ``sellers/{seller}``."""

    seller: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class UpdateTemplate:
    """`edit` answers the wanted content; `etag` is empty where the caller does not mind the version."""

    name: str
    etag: str
    edit: Callable[[OfferTemplate], TemplateContent]


@dataclass(frozen=True, slots=True)
class DeleteTemplate:
    """`etag` is empty where the caller does not mind the version."""

    name: str
    etag: str = ""


class TemplatesOfTeam:
    """One method per RPC."""

    def __init__(self, database: Database, templates: Templates, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._templates = templates
        self._clock = clock
        self._ids = ids

    async def create(self, call: Call, command: CreateTemplate) -> OfferTemplate:
        """A new template. Refusals AMOUNT_INVALID, CURRENCY_MISMATCH."""

        async def work(tx: Transaction) -> OfferTemplate:
            template = templates.create(
                seller=command.seller,
                template_id=self._ids.new(),
                content=command.content,
                now=self._clock.now(),
            )
            await self._templates.add(tx, template)
            return template

        return await self._database.command(call, work)

    async def get(self, call: Call, query: GetTemplate) -> OfferTemplate:
        """One template. Refusal NOT_FOUND."""
        found = await self._database.read(lambda tx: self._templates.find(tx, query.name))
        if found is None:
            raise not_found(query.name)
        return found

    async def list(self, call: Call, query: ListTemplates) -> Page[OfferTemplate]:
        """The templates of a seller, oldest first."""
        return await self._database.read(
            lambda tx: self._templates.list_of(tx, seller=query.seller, page=query.page)
        )

    async def update(self, call: Call, command: UpdateTemplate) -> OfferTemplate:
        """Other content. Refusals NOT_FOUND, ETAG_MISMATCH, and those of a new template."""

        async def work(tx: Transaction) -> OfferTemplate:
            found = await self._load(tx, command.name, etag=command.etag)
            changed = templates.update(found, content=command.edit(found), now=self._clock.now())
            if changed is not found:
                await self._templates.save(tx, changed)
            return changed

        return await self._database.command(call, work)

    async def delete(self, call: Call, command: DeleteTemplate) -> OfferTemplate:
        """Removes it; offers that were made of it stay as they are. Refusals NOT_FOUND, ETAG_MISMATCH."""

        async def work(tx: Transaction) -> OfferTemplate:
            found = await self._load(tx, command.name, etag=command.etag)
            await self._templates.remove(tx, found)
            return found

        return await self._database.command(call, work)

    async def _load(self, tx: Transaction, name: str, *, etag: str) -> OfferTemplate:
        found = await self._templates.find(tx, name, lock=True)
        if found is None:
            raise not_found(name)
        if etag and etag != found.etag:
            raise stale_etag(name, etag, found.etag)
        return found
