"""What an order is to its buyer: a state of his own, and what he has not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import Actor
from services.orders.domain.order import Order, State


class BuyerState(StrEnum):
    """Where the order stands, as the buyer has to know it."""

    WAITING = "WAITING"
    QUOTED = "QUOTED"
    CONFIRMED = "CONFIRMED"
    IN_PROGRESS = "IN_PROGRESS"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    CANCELLED = "CANCELLED"


_OTHERS: Final[Mapping[State, BuyerState]] = {
    State.PENDING: BuyerState.WAITING,
    State.PROCESSING: BuyerState.WAITING,
    State.AWAITING_ANSWER: BuyerState.QUOTED,
}


def buyer_state(order: Order) -> BuyerState:
    """How the seller's team organizes its decision makes no difference to it."""
    return _OTHERS.get(order.state) or BuyerState(order.state.value)


def mark_read(order: Order, actor: Actor) -> Order:
    """One side has read everything. No move: neither the version nor anything else changes."""
    return replace(order, buyer_unread=0) if actor is Actor.BUYER else replace(order, unread=0)
