"""The folders of a seller's desk: what lies in them, and that their counters never drift."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.db import Database, Transaction
from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import UuidV7
from chassis.kernel.page import PageRequest
from chassis.kernel.refusal import Kind
from chassis.testing.service import Backends, Identity, operator, refused
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1 import desk_methods_pb2, order_pb2
from parley.orders.v1 import orders_service_pb2 as pb
from services.orders.adapters.desk_repository import DeskRepository
from services.orders.adapters.repository import Repository
from services.orders.app.desk import recount_folders
from services.orders.app.ports import OrderFilter
from services.orders.domain import desk
from services.orders.domain.order import Folder, Order, State
from services.orders.wire.events import event_record
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    MINUTES,
    QUOTED,
    REVIEWED,
    RIVAL,
    Market,
    fresh_id,
    quote,
)
from tests.unit.orders.purchases import NOW, SELLER, in_state

FOLDERS = [folder for folder in Folder if folder is not Folder.ALL]
Counts = dict[str, tuple[int, int]]


async def counts(market: Market, who: Identity = ACME, seller: str = SELLER) -> Counts:
    """(orders, unread) by folder."""
    request = desk_methods_pb2.GetFolderCountsRequest(seller=seller)
    answer = await market.stub(who).GetFolderCounts(request)
    names = [order_pb2.Order.Folder.Name(one.folder).removeprefix("FOLDER_") for one in answer.folders]
    assert names == ["INBOX", "PROCESSING", "AWAITING_ANSWER", "CONFIRMED", "CLOSED", "ALL"]
    return {
        name: (one.order_count, one.unread_count) for name, one in zip(names, answer.folders, strict=True)
    }


async def listed(market: Market, folder: str, **fields: Any) -> list[str]:
    """The names in a folder, by pages of two."""
    found: list[str] = []
    request = pb.ListOrdersRequest(
        seller=SELLER, folder=order_pb2.Order.Folder.Value(f"FOLDER_{folder}"), page_size=2, **fields
    )
    while True:
        page = await market.stub(ACME).ListOrders(request)
        found += [order.name for order in page.orders]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


@pytest.mark.covers("B02")
async def test_orders_move_through_the_folders_and_the_counters_follow(market: Market) -> None:
    assert set((await counts(market)).values()) == {(0, 0)}
    names = []
    for package in (REVIEWED, QUOTED, REVIEWED, QUOTED, REVIEWED):
        names.append((await market.place(package=package)).name)
        market.service.clock.advance(MINUTES)
    first, second, third, fourth, fifth = names
    assert (await counts(market))["INBOX"] == (5, 5)
    await market.stub(ACME).MarkProcessing(pb.MarkProcessingRequest(name=first))
    await market.stub(ACME).ConfirmOrder(pb.ConfirmOrderRequest(name=third))
    reason = order_pb2.Order.DECLINE_REASON_PRICE
    await market.stub(ACME).DeclineOrder(pb.DeclineOrderRequest(name=fifth, reason=reason))
    offers = [f"offers/{fresh_id()}" for _ in range(2)]
    for name, offer in zip((second, fourth), offers, strict=True):
        sent = quote(offers_events.OfferSent, name, offer, state="OPEN", version=1)
        await market.publish_and_settle(sent, version=1)
    declined = quote(offers_events.OfferDeclined, fourth, offers[1], state="DECLINED", version=2)
    await market.publish_and_settle(declined, version=2)
    assert await counts(market) == await counts(market, AGENT) == await counts(market, operator())
    assert await counts(market) == {
        "INBOX": (1, 1),
        "PROCESSING": (1, 0),
        "AWAITING_ANSWER": (1, 0),
        "CONFIRMED": (1, 0),
        "CLOSED": (1, 0),
        "ALL": (5, 1),
    }
    by_folder = {
        "INBOX": [fourth],
        "PROCESSING": [first],
        "AWAITING_ANSWER": [second],
        "CONFIRMED": [third],
        "CLOSED": [fifth],
        "ALL": names[::-1],
    }
    assert {folder: await listed(market, folder) for folder in by_folder} == by_folder
    pending = await market.place(package=REVIEWED)
    assert await listed(market, "INBOX") == [pending.name, fourth]
    assert await listed(market, "INBOX", states=[order_pb2.Order.STATE_PROCESSING]) == [fourth]
    assert await listed(market, "CLOSED", states=[order_pb2.Order.STATE_PENDING]) == []


async def test_the_desk_is_the_teams(market: Market) -> None:
    request = desk_methods_pb2.GetFolderCountsRequest(seller=SELLER)
    for who in (ANA, RIVAL):
        refusal = await refused(market.stub(who).GetFolderCounts(request))
        assert (refusal.kind, refusal.metadata) == (Kind.NOT_FOUND, {"resource": SELLER})
    everything = pb.ListOrdersRequest(folder=order_pb2.Order.FOLDER_ALL)
    assert (await refused(market.stub(ANA).ListOrders(everything))).kind is Kind.INVALID
    malformed = desk_methods_pb2.GetFolderCountsRequest(seller="acme")
    assert (await refused(market.stub(ACME).GetFolderCounts(malformed))).kind is Kind.INVALID


async def test_orders_placed_at_once_are_all_counted(market: Market) -> None:
    await asyncio.gather(*(market.place(package=REVIEWED) for _ in range(30)))
    assert (await counts(market))["INBOX"] == (30, 30)
    (row,) = await market.rows("SELECT count(*) AS slots FROM order_folder_count")
    # As many as worked at the same moment, and no more than there are connections.
    assert row["slots"] <= 10


async def test_a_refused_command_is_not_counted(market: Market) -> None:
    order = await market.place(package=REVIEWED)
    before = await counts(market)
    stale = pb.ConfirmOrderRequest(name=order.name, etag="v7")
    assert (await refused(market.stub(ACME).ConfirmOrder(stale))).kind is Kind.STALE
    assert await counts(market) == before


@pytest.fixture
async def database(backends: Backends, clock: ManualClock) -> AsyncIterator[Database]:
    dsn = await backends.database("services.orders.migrations")
    encode = partial(event_record, ids=UuidV7(clock))
    opened = await Database.open(dsn, clock=clock, encode_event=encode, pool_size=6)
    yield opened
    await opened.close()


class TurnedBack(Exception):
    """The work is done, and then undone."""


async def history(database: Database, number: int, chance: random.Random) -> Order | None:
    """Leads an order through a dozen states, as moves, late facts and read marks do; some steps fail at the
    end of their transaction.
    """
    repository = Repository()
    order = replace(
        in_state(State.PENDING),
        id=f"order-{number:03}",
        seller=f"sellers/{number % 3}",
        create_time=NOW + timedelta(seconds=chance.randrange(60)),
    )
    kept = None
    for step in range(12):
        state = State.PENDING if step == 0 else chance.choice(list(State))
        like = in_state(state)
        changed = replace(
            like,
            id=order.id,
            seller=order.seller,
            create_time=order.create_time,
            version=1 if kept is None else kept.version + 1,
            unread=chance.randrange(3),
        )
        fails = chance.random() < 0.25
        if await _done(database, partial(_write, repository, changed, kept, fails)):
            kept = changed
    return kept


async def _write(
    repository: Repository, changed: Order, kept: Order | None, fails: bool, tx: Transaction
) -> None:
    if kept is None:
        assert await repository.add(tx, changed, None)
        assert not await repository.add(tx, changed, None)
    else:
        await repository.save(tx, changed, expected=kept.version)
    if fails:
        raise TurnedBack


async def _done(database: Database, work: Any) -> bool:
    try:
        await database.transact(work)
    except TurnedBack:
        return False
    return True


@pytest.mark.covers("B02")
@pytest.mark.parametrize("seed", range(3))
async def test_counters_and_lists_are_what_the_orders_say_after_any_history(
    database: Database, seed: int
) -> None:
    repository, counters = Repository(), DeskRepository()
    chance = random.Random(seed)
    randoms = [random.Random(chance.random()) for _ in range(45)]
    found = await asyncio.gather(*(history(database, n, one) for n, one in enumerate(randoms)))
    orders = [order for order in found if order is not None]
    assert len(orders) > 30
    for seller in {order.seller for order in orders}:
        mine = [order for order in orders if order.seller == seller]
        number, unread = Counter(o.folder for o in mine), Counter[Folder]()
        for order in mine:
            unread[order.folder] += order.unread
        held = desk.folder_counts(await database.read(partial(counters.counts, seller=seller)))
        assert {one.folder: (one.orders, one.unread) for one in held if one.folder is not Folder.ALL} == {
            folder: (number[folder], unread[folder]) for folder in FOLDERS
        }
        for folder in FOLDERS:
            wanted = OrderFilter(seller=seller, lanes=desk.lanes(folder, ()))
            page = await database.read(
                partial(repository.page, wanted=wanted, request=PageRequest(100, None))
            )
            newest = sorted(mine, key=lambda o: (o.create_time, o.id), reverse=True)
            assert [order.id for order in page.items] == [o.id for o in newest if o.folder is folder]
    assert (
        await recount_folders(database, desk=counters)
        == "the folders of 3 sellers were counted; those of 0 were wrong"
    )


async def test_what_was_changed_by_hand_is_counted_anew(market: Market) -> None:
    database, counters = market.service.host.database, DeskRepository()
    orders = [await market.place(package=REVIEWED) for _ in range(3)]
    right = await counts(market)
    await market.rows(
        "UPDATE order_folder_count SET orders = orders + 5, unread = 0 WHERE seller = $1", SELLER
    )
    assert await counts(market) != right
    # Placements go on meanwhile.
    said, *_ = await asyncio.gather(
        recount_folders(database, desk=counters), *(market.place(package=REVIEWED) for _ in range(8))
    )
    assert said == "the folders of 1 sellers were counted; those of 1 were wrong"
    assert (await counts(market))["INBOX"] == (11, 11)
    await market.rows("DELETE FROM order_folder_count")
    await market.rows("DELETE FROM orders WHERE id = $1", orders[0].name.removeprefix("orders/"))
    assert "those of 1 were wrong" in await recount_folders(database, desk=counters)
    assert (await counts(market))["ALL"] == (10, 10)
