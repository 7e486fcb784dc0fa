"""Commands on order requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids, is_id
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import not_found
from services.gating.app.gate import Gate
from services.gating.app.ports import OrderRequests, Projections, Sellers
from services.gating.domain import order_request, refusals
from services.gating.domain.buyer_history import BuyerHistory
from services.gating.domain.catalogue import listing_of, seller_of, unorderable
from services.gating.domain.order_request import DeclineReason, Moved, Needs, OrderRequest, Submission

EXPIRY: Final = "order_request_expiry"
"""The timer that ends a request which nobody answers; its key is the request's id."""
REMINDER: Final = "order_request_reminder"
"""The timer of the next reminder to the seller; its key is the request's id."""
ANSWER: Final = "order_request_answer"
"""The timer that ends a request whose buyer does not answer a question; its key is the request's id."""


@dataclass(frozen=True, slots=True)
class CreateOrderRequest:
    """Ask for `package`."""

    package: str
    needs: Needs


@dataclass(frozen=True, slots=True)
class AskInformation:
    """Ask the buyer."""

    name: str
    question: str
    etag: str


@dataclass(frozen=True, slots=True)
class AnswerInformation:
    """Answer the seller."""

    name: str
    answer: str
    etag: str


@dataclass(frozen=True, slots=True)
class DeclineOrderRequest:
    """Say no."""

    name: str
    reason: DeclineReason
    text: str
    etag: str


@dataclass(frozen=True, slots=True)
class EndOrderRequest:
    """Withdraw, close or dismiss."""

    name: str
    etag: str


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request as `actor` sees it at an instant; `history` where the seller reads it by itself."""

    request: OrderRequest
    actor: Actor
    now: datetime
    history: BuyerHistory | None = None


def id_of(name: str) -> str:
    """The id in `orderRequests/{id}`. Refusal NOT_FOUND for one that no request can have."""
    request_id = name.removeprefix("orderRequests/")
    if not is_id(request_id):
        raise not_found(name)
    return request_id


class OrderRequestCommands:
    """One method for each mutating RPC about a request."""

    def __init__(
        self,
        database: Database,
        *,
        requests: OrderRequests,
        sellers: Sellers,
        projections: Projections,
        gate: Gate,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._requests = requests
        self._sellers = sellers
        self._projections = projections
        self._gate = gate
        self._clock = clock
        self._ids = ids

    async def create_order_request(self, call: Call, command: CreateOrderRequest) -> RequestView:
        """A new request, where the gate asks for one at this instant."""
        buyer, package, name = call.caller.user, command.package, listing_of(command.package)
        seller = seller_of(package)
        # Peers are asked before the transaction opens; what is refused, is refused inside, after the key.
        await self._gate.know_listing(name)
        request_id = self._ids.new()

        async def work(tx: Transaction) -> RequestView:
            if call.caller.role_in(seller) is not None:
                raise refusals.own_listing(seller)
            now = self._clock.now()
            decision = await self._gate.decide_in(tx, package, buyer, now)
            listing = await self._projections.listing(tx, name)
            chosen = None if listing is None else listing.package(package)
            if listing is None or chosen is None:
                raise unorderable(listing, package)
            rules = (await self._sellers.settings(tx, seller)).request_rules
            submission = Submission(request_id, listing, chosen, command.needs, decision, rules)
            request, event = order_request.submit(submission, now=now)
            await self._make_room(tx, buyer, package, now)
            if not await self._requests.add(tx, request):
                await self._make_room(tx, buyer, package, now)
                raise AssertionError("an open request that forbids another one can be found")
            tx.record(event)
            reschedule(tx, request)
            return RequestView(request, Actor.BUYER, now)

        return await self._database.command(call, work)

    async def ask_information(self, call: Call, command: AskInformation) -> RequestView:
        """The seller asks; his deadline rests."""

        def move(request: OrderRequest, actor: Actor, now: datetime) -> Moved:
            return order_request.ask_information(request, command.question, actor=actor, now=now)

        return await self._move(call, command.name, command.etag, move)

    async def answer_information(self, call: Call, command: AnswerInformation) -> RequestView:
        """The buyer answers; the deadline runs on."""

        def move(request: OrderRequest, actor: Actor, now: datetime) -> Moved:
            return order_request.answer_information(request, command.answer, actor=actor, now=now)

        return await self._move(call, command.name, command.etag, move)

    async def decline_order_request(self, call: Call, command: DeclineOrderRequest) -> RequestView:
        """The seller says no."""

        def move(request: OrderRequest, actor: Actor, now: datetime) -> Moved:
            return order_request.decline(request, command.reason, command.text, actor=actor, now=now)

        return await self._move(call, command.name, command.etag, move)

    async def withdraw_order_request(self, call: Call, command: EndOrderRequest) -> RequestView:
        """The buyer takes it back."""

        def move(request: OrderRequest, actor: Actor, now: datetime) -> Moved:
            return order_request.withdraw(request, actor=actor, now=now)

        return await self._move(call, command.name, command.etag, move)

    async def close_order_request(self, call: Call, command: EndOrderRequest) -> RequestView:
        """The operator ends it."""

        def move(request: OrderRequest, actor: Actor, now: datetime) -> Moved:
            return order_request.close(request, actor=actor, now=now)

        return await self._move(call, command.name, command.etag, move)

    async def dismiss_order_request(self, call: Call, command: EndOrderRequest) -> RequestView:
        """Takes an ended request off the team's list. The buyer notices nothing: no version, no event."""

        async def work(tx: Transaction) -> RequestView:
            request = await self._requests.find(tx, id_of(command.name), lock=True)
            if request is None:
                raise not_found(command.name)
            actor = call.party(buyer=request.buyer, seller=request.seller, name=command.name)
            order_request.check_etag(request, command.etag)
            now = self._clock.now()
            expired = order_request.expire(request, now=now)
            if expired is not None:
                # Its timer is late; what is dismissed has ended.
                await save_moved(tx, self._requests, expired)
                request = expired[0]
            dismissed = order_request.dismiss(request, actor=actor)
            if dismissed != request:
                await self._requests.save_dismissal(tx, request.id)
            return RequestView(dismissed, actor, now)

        return await self._database.command(call, work)

    async def _move(
        self, call: Call, name: str, etag: str, move: Callable[[OrderRequest, Actor, datetime], Moved]
    ) -> RequestView:
        async def work(tx: Transaction) -> RequestView:
            request = await self._requests.find(tx, id_of(name), lock=True)
            if request is None:
                raise not_found(name)
            actor = call.party(buyer=request.buyer, seller=request.seller, name=name)
            order_request.check_etag(request, etag)
            now = self._clock.now()
            moved = move(request, actor, now)
            await save_moved(tx, self._requests, moved)
            return RequestView(moved[0], actor, now)

        return await self._database.command(call, work)

    async def _make_room(self, tx: Transaction, buyer: str, package: str, now: datetime) -> None:
        """Refuses beside an open request; one whose time is over already expires first."""
        other = await self._requests.find_open(tx, buyer, package)
        if other is None:
            return
        expired = order_request.expire(other, now=now)
        if expired is None:
            raise refusals.open_request_exists(other.name)
        await save_moved(tx, self._requests, expired)


async def save_moved(tx: Transaction, requests: OrderRequests, moved: Moved) -> None:
    """Stores a moved request with its event and its timers."""
    request, event = moved
    await requests.save(tx, request)
    tx.record(event)
    reschedule(tx, request)


def reschedule(tx: Transaction, request: OrderRequest) -> None:
    """Brings the timers in line with the request."""
    for kind, due in (
        (EXPIRY, request.expire_time),
        (REMINDER, request.next_reminder_time),
        (ANSWER, request.answer_expire_time),
    ):
        if due is None:
            tx.unschedule(kind, request.id)
        else:
            tx.schedule(kind, request.id, due)
