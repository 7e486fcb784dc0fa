"""What gating's application needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.gating.domain.availability import Availability
from services.gating.domain.buyer_history import ConfirmedOrders, EarlierRequests
from services.gating.domain.catalogue import Listing
from services.gating.domain.facts import Fact, Visit
from services.gating.domain.gate import BuyerFacts
from services.gating.domain.metrics import OrderLife, SettingsSave
from services.gating.domain.order_request import OfferFact, OrderRequest, State
from services.gating.domain.plan import SellerPlan
from services.gating.domain.responses import Declaration, Interval, RequestLife
from services.gating.domain.settings import OrderSettings
from services.gating.domain.settings_history import SettingsVersion
from services.gating.domain.simulation import BuyerHistory, Placement, Workload

Monotonic = Callable[[], float]
"""Seconds that only grow; the age of cached values is measured by it."""


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


@dataclass(frozen=True, slots=True)
class OrderFact:
    """What the orders service said of an order at a version. `place_time` only where the placement was told,
    `confirm_time` None before it was confirmed, `close_time` where it is not open. `intake` as
    `parley.orders.v1` names it, without prefix; empty where it says nothing known.
    """

    name: str
    version: int
    seller: str
    buyer: str
    package: str
    intake: str
    place_time: datetime | None
    confirm_time: datetime | None
    is_open: bool
    close_time: datetime | None = None


class Projections(Protocol):
    """What gating keeps of the facts of others."""

    async def listing(self, tx: Transaction, name: str) -> Listing | None:
        """A listing, published or not; None when nothing is known of it."""
        ...

    async def store_listing(self, tx: Transaction, listing: Listing) -> None:
        """Keeps a listing unless a newer version is kept."""
        ...

    async def buyer_facts(self, tx: Transaction, buyer: str, seller: str) -> BuyerFacts:
        """What is known of a buyer towards a seller."""
        ...

    async def store_offer(self, tx: Transaction, offer: OfferFact, *, time: datetime) -> None:
        """Keeps the facts of an offer, which hold since `time`, unless newer ones are kept."""
        ...

    async def offers_for(self, tx: Transaction, order_request: str) -> Sequence[OfferFact]:
        """Every offer that answers a request."""
        ...

    async def store_order(self, tx: Transaction, order: OrderFact, fact: Fact) -> bool:
        """Keeps what is known of an order, in whatever order the facts come, and the fact that told it, by
        one statement; answers whether anything about the order was news.
        """
        ...

    async def open_orders(self, tx: Transaction, seller: str) -> int:
        """How many orders of a seller are open."""
        ...

    async def confirmed_orders(self, tx: Transaction, buyer: str, seller: str) -> ConfirmedOrders:
        """How many orders of a buyer a seller has had confirmed, and since when."""
        ...


class Record(Protocol):
    """What happened, for the figures. What is there already stays as it is."""

    async def keep(self, tx: Transaction, fact: Fact) -> None:
        """Keeps a fact, in one statement."""
        ...

    async def add_visit(self, tx: Transaction, found: Visit) -> bool:
        """Keeps a visit, in one statement; False where that buyer's of that day is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Restored:
    """How many facts were added, and from which event on to continue; empty: there are no more."""

    added: int
    cursor: str


class Journal(Protocol):
    """What the record of facts says, for one seller. An empty listing: all of his."""

    async def requests(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Sequence[RequestLife]:
        """Requests and inquiries that began in an interval."""
        ...

    async def orders(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Sequence[OrderLife]:
        """Orders that were placed in an interval."""
        ...

    async def declarations(self, tx: Transaction, seller: str, *, before: datetime) -> Sequence[Declaration]:
        """Every declaration of availability, those for listings included, oldest first."""
        ...

    async def saves(self, tx: Transaction, seller: str, *, before: datetime) -> Sequence[SettingsSave]:
        """Every save of the order settings, oldest first."""
        ...

    async def visits(
        self, tx: Transaction, seller: str, listing: str, intervals: Sequence[Interval]
    ) -> Sequence[int]:
        """How many visits each of some intervals had."""
        ...

    async def visited_listings(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Mapping[str, int]:
        """How many visits each listing had, where it had any."""
        ...

    async def visit_names(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Sequence[str]:
        """The newest visits, as many as an answer names, and one more."""
        ...


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    """How many placements of a period can be judged, and how many not: orders made by accepting an offer, and
    requests that were sent while nobody took orders.
    """

    total: int
    accepted: int
    unavailable: int


class Placements(Protocol):
    """Orders that were placed and requests that were submitted."""

    async def sample(self, tx: Transaction, seller: str, period: Period) -> Sample:
        """How many there are."""
        ...

    async def portion(
        self, tx: Transaction, seller: str, period: Period, *, after: Placement | None, limit: int
    ) -> Sequence[Placement]:
        """Those that follow `after`, in the order of time and name."""
        ...

    async def histories(
        self, tx: Transaction, seller: str, buyers: Collection[str]
    ) -> Mapping[str, BuyerHistory]:
        """What is known of those buyers of whom anything is."""
        ...

    async def workload(self, tx: Transaction, seller: str, period: Period) -> Workload:
        """When orders became open and when they ended to be, as far as it matters for the period."""
        ...


class Upkeep(Protocol):
    """Makes the record whole again, and what is derived from it anew."""

    async def restore(self, tx: Transaction, after: str) -> Restored:
        """Adds the facts that kept events after `after` tell and the record lacks, a batch at a time."""
        ...

    async def sellers(self, tx: Transaction, after: str) -> Sequence[str]:
        """The next sellers of whom anything is recorded or derived, by name; none behind the last one."""
        ...

    async def derive(self, tx: Transaction, seller: str) -> None:
        """Derives everything of one seller from his facts, and drops what was derived before."""
        ...


class OrderRequests(Protocol):
    """The requests."""

    async def find(self, tx: Transaction, request_id: str, *, lock: bool = False) -> OrderRequest | None:
        """A request; None for an id that nobody knows."""
        ...

    async def find_open(self, tx: Transaction, buyer: str, package: str) -> OrderRequest | None:
        """The open request of a buyer for a package, locked."""
        ...

    async def add(self, tx: Transaction, request: OrderRequest) -> bool:
        """Stores a new request; False where the buyer has an open one for the package."""
        ...

    async def save(self, tx: Transaction, request: OrderRequest) -> None:
        """Stores the next version of a locked request."""
        ...

    async def save_dismissal(self, tx: Transaction, request_id: str) -> None:
        """Notes that a locked request was dismissed; its version stays what the buyer saw."""
        ...

    async def page_of_buyer(
        self, tx: Transaction, buyer: str, *, states: Sequence[State], page: PageRequest
    ) -> Page[OrderRequest]:
        """Requests of a buyer, newest first."""
        ...

    async def page_of_seller(
        self,
        tx: Transaction,
        seller: str,
        *,
        states: Sequence[State],
        show_dismissed: bool,
        page: PageRequest,
    ) -> Page[OrderRequest]:
        """Requests to a seller, newest first; dismissed ones only where they are asked for."""
        ...

    async def earlier(self, tx: Transaction, request: OrderRequest, now: datetime) -> EarlierRequests:
        """What the buyer of a request had asked the same seller before."""
        ...


class ListingSource(Protocol):
    """The service that owns the listings."""

    async def listing(self, name: str) -> Listing | None:
        """The listing as its owner has it; None when there is none. Refusal UNAVAILABLE without answer."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What a committed transaction touched: the rules of a seller or a listing (`subject`), the number of his
    open orders (`open_orders_of`), or, with a `buyer`, what is known of this buyer at the seller `subject`.
    """

    subject: str
    buyer: str


OPEN_ORDERS: Final = "/openOrders"


def open_orders_of(seller: str) -> str:
    """The subject of a change in the number of a seller's open orders, as the log names it."""
    return f"{seller}{OPEN_ORDERS}"


def seller_of_open_orders(subject: str) -> str:
    """The other way round."""
    return subject.removesuffix(OPEN_ORDERS)


@dataclass(frozen=True, slots=True)
class Changes:
    """What was committed between two looks. `epoch` differs when earlier snapshots mean nothing any more;
    `changes` is None when they are too many to be told.
    """

    snapshot: str
    epoch: str
    changes: tuple[Change, ...] | None


class ChangeLog(Protocol):
    """What was committed, by whichever replica."""

    async def since(self, tx: Transaction, snapshot: str) -> Changes:
        """What was committed after `snapshot`; nothing for an empty one. The answer's own comes with it."""
        ...

    async def prune(self, tx: Transaction) -> None:
        """Deletes what no replica can want to see any more."""
        ...
