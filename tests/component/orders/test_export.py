"""The table of a seller's orders: what is in it, what is not, and that it is never silently short."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.kernel.refusal import Kind
from chassis.testing.service import Identity, operator, refused
from parley.orders.v1 import export_pb2, order_pb2
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as pb
from parley.type.v1.download_pb2 import Download
from services.orders.app.export import PAGE_ROWS
from services.orders.domain.listing import ListingIntake
from tests.component.orders.market import (
    ACME,
    AGENT,
    ANA,
    MINUTES,
    ONLINE,
    REVIEWED,
    RIVAL,
    Market,
    accepted,
    fresh_id,
    sold_as,
)
from tests.unit.orders.purchases import PACKAGE, SELLER

COPIES = """
INSERT INTO orders SELECT (jsonb_populate_record(orders, jsonb_build_object(
    'id', gen_random_uuid(), 'create_time', create_time + n * interval '1 second'))).*
FROM orders, generate_series(1, $1::int) AS n
"""


async def pieces(market: Market, who: Identity = ACME, **fields: Any) -> list[Any]:
    request = export_pb2.ExportOrdersRequest(**{"seller": SELLER, **fields})
    return [piece async for piece in market.stub(who).ExportOrders(request)]


async def table(market: Market, who: Identity = ACME, **fields: Any) -> list[dict[str, str]]:
    text = b"".join(piece.data for piece in await pieces(market, who, **fields)).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def at(when: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(when)
    return stamp


@pytest.mark.covers("B08")
async def test_a_line_for_each_order_without_what_only_the_team_or_the_parties_know(market: Market) -> None:
    clock = market.service.clock
    paid = await market.place(
        payment_method=ONLINE, payment_token="sandbox_success", quantity=2, requirements="secret wish"
    )
    await market.service.settle()
    clock.advance(MINUTES)
    declined = await market.place(package=REVIEWED)
    reason = order_pb2.Order.DECLINE_REASON_PRICE
    request = pb.DeclineOrderRequest(name=declined.name, reason=reason, text="secret words")
    await market.stub(ACME).DeclineOrder(request)
    await market.stub(AGENT).StartOrder(work.StartOrderRequest(name=paid.name))
    clock.advance(MINUTES)
    offer = f"offers/{fresh_id()}"
    yen = {"currency_code": "JPY", "units": 5001}
    made = accepted(offer, at=clock.now(), total=yen)
    made.offer.line_items[0].unit_price.CopyFrom(made.offer.total)
    await market.publish_and_settle(made, version=5)
    clock.advance(MINUTES)

    (piece,) = await pieces(market)
    named = Download()
    assert piece.extensions[0].Unpack(named)
    assert (piece.content_type, named.filename) == ("text/csv; charset=utf-8; header=present", "orders.csv")
    assert piece.data.count(b"\r\n") == piece.data.count(b"\n") == 4
    assert not any(word in piece.data for word in (b"secret", b"unread", b"folder", b"label", b"note"))
    first, second, third = await table(market, AGENT)
    assert first == first | {
        "order": paid.name,
        "buyer": ANA.subject,
        "package": PACKAGE,
        "items": "2 x Logo: Basic",
        "state": "IN_PROGRESS",
        "place_time": "2026-06-01T12:00:00Z",
        "currency": "EUR",
        "total": "200.00",
        "payment_state": "PAID",
        "refunded": "0.00",
        "price_agreed_elsewhere": "false",
        "cancel_time": "",
    }
    assert (second["state"], second["decline_reason"], second["confirm_time"]) == ("DECLINED", "PRICE", "")
    assert (third["currency"], third["total"], third["offer"]) == ("JPY", "5001", offer)

    everything = [first, second, third]
    assert await table(market, operator()) == everything
    declined_only = await table(market, states=[order_pb2.Order.STATE_DECLINED])
    assert declined_only == [second]
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert await table(market, start_time=at(noon + MINUTES)) == [second, third]
    assert await table(market, end_time=at(noon + MINUTES)) == [first]


async def test_nothing_in_it_is_computed_by_a_spreadsheet(market: Market) -> None:
    for number, title in enumerate(("=1+1", '@SUM("a"),b', "-2\n+3", "plain")):
        listing = sold_as(f"{SELLER}/listings/hostile{number}", ListingIntake.INSTANT, title=title)
        market.offers.listings[listing.name] = listing
        await market.place(package=f"{listing.name}/packages/basic")
        # Whatever writes it, and wherever it comes from.
        await market.rows("UPDATE orders SET offer = $1 WHERE offer = '' RETURNING 1", title)
        market.service.clock.advance(MINUTES)
    cells = [line["offer"] for line in await table(market)]
    assert cells == ["'=1+1", '\'@SUM("a"),b', "'-2\n+3", "plain"]


async def test_a_long_table_comes_in_pieces_and_in_order(market: Market) -> None:
    await market.place()
    await market.rows(COPIES, 2 * PAGE_ROWS)
    market.service.clock.advance(timedelta(days=1))
    found = await pieces(market)
    assert [piece.data.count(b"\r\n") for piece in found] == [PAGE_ROWS + 1, PAGE_ROWS, 1]
    assert [bool(piece.extensions) for piece in found] == [True, False, False]
    lines = await table(market)
    assert len({line["order"] for line in lines}) == 2 * PAGE_ROWS + 1
    assert [line["place_time"] for line in lines] == sorted(line["place_time"] for line in lines)


async def test_a_table_that_cannot_be_finished_fails(market: Market) -> None:
    await market.place()
    await market.rows(COPIES, PAGE_ROWS + 1)
    market.service.clock.advance(timedelta(days=1))
    await market.rows(
        "UPDATE orders SET line_items = '7' WHERE create_time = (SELECT max(create_time) FROM orders)"
    )
    request = export_pb2.ExportOrdersRequest(seller=SELLER)
    answer = market.stub(ACME).ExportOrders(request)
    assert (await answer.read()).extensions
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer.read()
    assert caught.value.code() is grpc.StatusCode.INTERNAL


async def test_an_empty_table_has_headings(market: Market) -> None:
    market.service.clock.advance(MINUTES)
    (piece,) = await pieces(market)
    assert piece.data.startswith(b"order,buyer,package,")
    assert piece.data.count(b"\r\n") == 1


async def test_who_may_have_it(market: Market) -> None:
    for who in (ANA, RIVAL):
        assert (await refused(pieces(market, who))).reason == "NOT_FOUND"
    noon = market.service.clock.now()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"seller": "acme"}, "seller"),
        ({"states": [0]}, "states[0]"),
        ({"start_time": at(noon)}, "start_time"),
        ({"start_time": at(noon - MINUTES), "end_time": at(noon - MINUTES)}, "start_time"),
    ]
    for fields, field in bad:
        refusal = await refused(pieces(market, **fields))
        assert (refusal.kind, [one.field for one in refusal.violations]) == (Kind.INVALID, [field]), fields
