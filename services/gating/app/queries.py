"""Reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.caller import Caller, Role
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import denied, invalid, not_found
from services.gating.app.gate import Gate
from services.gating.app.order_requests import RequestView, id_of
from services.gating.app.ports import OrderRequests, Projections
from services.gating.domain.buyer_history import history_of
from services.gating.domain.gate import GateDecision
from services.gating.domain.order_request import State


class EvaluateGate(NamedTuple):
    """May `buyer` order `package`? Empty: the caller himself."""

    package: str
    buyer: str


@dataclass(frozen=True, slots=True)
class ListOrderRequests:
    """Requests to `seller`; empty: those of the caller. No states: all. `show_dismissed` is for sellers."""

    seller: str
    states: tuple[State, ...]
    show_dismissed: bool
    page: PageRequest


class Queries:
    """One method for each reading RPC."""

    def __init__(
        self,
        database: Database,
        *,
        requests: OrderRequests,
        projections: Projections,
        gate: Gate,
        clock: Clock,
    ) -> None:
        self._database = database
        self._requests = requests
        self._projections = projections
        self._gate = gate
        self._clock = clock

    async def evaluate_gate(self, call: Call, query: EvaluateGate) -> GateDecision:
        """The gate's answer at this instant."""
        return await self._gate.decide(query.package, _buyer(call.caller, query))

    def evaluate_gate_at_once(self, call: Call, query: EvaluateGate) -> GateDecision | None:
        """The same from memory alone; None where that is not enough."""
        return self._gate.decide_at_once(query.package, _buyer(call.caller, query))

    async def get_order_request(self, call: Call, name: str) -> RequestView:
        """A request, for its parties; for the seller with what he knows of the buyer."""
        request_id = id_of(name)

        async def work(tx: Transaction) -> RequestView:
            request = await self._requests.find(tx, request_id)
            if request is None:
                raise not_found(name)
            actor, now = call.party(buyer=request.buyer, seller=request.seller, name=name), self._clock.now()
            if actor is not Actor.SELLER:
                return RequestView(request, actor, now)
            earlier = await self._requests.earlier(tx, request, now)
            orders = await self._projections.confirmed_orders(tx, request.buyer, request.seller)
            known = history_of(earlier, orders, create_time=request.create_time)
            return RequestView(request, actor, now, known)

        return await self._database.read(work)

    async def list_order_requests(self, call: Call, query: ListOrderRequests) -> Page[RequestView]:
        """The requests of the caller, or to a team of his."""
        caller, actor = call.caller, Actor.BUYER
        if query.seller:
            if caller.role_in(query.seller) is not None:
                actor = Actor.SELLER
            elif caller.is_operator and Role.OPERATOR in call.rule.roles:
                actor = Actor.OPERATOR
            else:
                raise not_found(query.seller)
        call.scoped()

        async def work(tx: Transaction) -> Page[RequestView]:
            if query.seller:
                found = await self._requests.page_of_seller(
                    tx,
                    query.seller,
                    states=query.states,
                    show_dismissed=query.show_dismissed,
                    page=query.page,
                )
            else:
                found = await self._requests.page_of_buyer(
                    tx, caller.user, states=query.states, page=query.page
                )
            now = self._clock.now()
            views = tuple(RequestView(request, actor, now) for request in found.items)
            return Page(views, found.next_cursor)

        return await self._database.read(work)


def _buyer(caller: Caller, query: EvaluateGate) -> str:
    """For whom the caller asks. Refusals INVALID, DENIED."""
    if caller.is_service:
        if not query.buyer:
            raise invalid("buyer", "a service names the buyer for whom it asks")
        return query.buyer
    if query.buyer and query.buyer != caller.user:
        raise denied("evaluateGate", query.buyer)
    return caller.user
