"""What gating's application needs from outside."""

from services.gating.app.ports.changes import (
    Change,
    ChangeLog,
    Changes,
    Monotonic,
    open_orders_of,
    seller_of_open_orders,
)
from services.gating.app.ports.declarations import Calendars, Sellers, Verifications
from services.gating.app.ports.projections import ListingSource, OrderFact, Projections
from services.gating.app.ports.record import Journal, Placements, Record, Restored, Sample, Upkeep
from services.gating.app.ports.requests import OrderRequests

__all__ = [
    "Calendars",
    "Change",
    "ChangeLog",
    "Changes",
    "Journal",
    "ListingSource",
    "Monotonic",
    "OrderFact",
    "OrderRequests",
    "Placements",
    "Projections",
    "Record",
    "Restored",
    "Sample",
    "Sellers",
    "Upkeep",
    "Verifications",
    "open_orders_of",
    "seller_of_open_orders",
]
