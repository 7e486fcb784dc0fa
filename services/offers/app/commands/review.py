"""What a seller's team does with drafts that need the owner's approval."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from services.offers.app.commands.steps import OfferSteps
from services.offers.app.views import OfferView
from services.offers.domain import reviewing


@dataclass(frozen=True, slots=True)
class SubmitOffer:
    """`name` is ``offers/{offer}``; `etag` is empty where the caller does not mind the version."""

    name: str
    text: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ApproveOffer:
    """The owner's yes."""

    name: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ReturnOffer:
    """Back to the draft; `text` says what is to be changed."""

    name: str
    text: str = ""
    etag: str = ""


class ReviewCommands:
    """One method per mutating RPC. A draft has no buyer, so nobody outside the team is told of anything."""

    def __init__(self, database: Database, *, steps: OfferSteps) -> None:
        self._database = database
        self._steps = steps

    async def submit(self, call: Call, command: SubmitOffer) -> OfferView:
        """Asks the owner. Refusals APPROVAL_NOT_NEEDED, TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed = reviewing.submit(
                offer,
                actor=actor,
                user=call.principal,
                clearance=await self._steps.clearance(tx, call, offer.seller),
                text=command.text,
                now=now,
            )
            if changed is not offer:
                await self._steps.store(tx, changed, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def approve(self, call: Call, command: ApproveOffer) -> OfferView:
        """Clears the draft for sending. Refusal TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed = reviewing.approve(offer, actor=actor, user=call.principal, now=now)
            if changed is not offer:
                await self._steps.store(tx, changed, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def give_back(self, call: Call, command: ReturnOffer) -> OfferView:
        """Gives the draft back. Refusal TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed = reviewing.give_back(offer, actor=actor, user=call.principal, text=command.text, now=now)
            await self._steps.store(tx, changed, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)
