"""Searching the listings of a seller: filters, orders, pages, and what does not fit together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import product
from typing import Any

import asyncpg
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis import migrations
from chassis.testing import ANONYMOUS, Backends, Identity, refused
from parley.offers.v1 import listing_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.type.v1 import commerce_pb2
from services.offers.__main__ import DEFINITION
from services.offers.adapters.repository import listing_search
from tests.component.offers.scene import (
    ACME,
    ANA,
    OPERATOR,
    ORDERS,
    OTHER,
    Scene,
    listing,
    money,
    package,
)

INSTANT, BY_QUOTE = listing_pb2.Listing.INTAKE_INSTANT, listing_pb2.Listing.INTAKE_BY_QUOTE
SERVICE, PRODUCT = commerce_pb2.LISTING_KIND_SERVICE, commerce_pb2.LISTING_KIND_PRODUCT
PUBLISHED, UNPUBLISHED = listing_pb2.Listing.STATE_PUBLISHED, listing_pb2.Listing.STATE_UNPUBLISHED
MONTHLY = commerce_pb2.Plan(price=money(9), interval=commerce_pb2.Plan.INTERVAL_MONTH, interval_count=1)
NEWEST, CHEAPEST = pb.LISTING_ORDER_NEWEST_FIRST, pb.LISTING_ORDER_PRICE_ASCENDING
DEAREST, BY_NAME = pb.LISTING_ORDER_PRICE_DESCENDING, pb.LISTING_ORDER_NAME

# As they were stored before listings could be searched.
OLD_LISTINGS = """
INSERT INTO listing
SELECT 'sellers/acme', id, 'Logo für Café', 'x', 'INSTANT', id = 'a', packages::jsonb, 1, now(), now()
FROM (VALUES
    ('a', '[{"price": {"currency": "EUR", "amount": 5}, "plan": null},
            {"price": {"currency": "EUR", "amount": 3}, "plan": null}]'),
    ('b', '[{"price": {"currency": "USD", "amount": 0}, "plan": {"interval": "MONTH"}}]')
) AS old (id, packages)
"""


def sold(*prices: int, currency: str = "EUR", plan: bool = False) -> list[listing_pb2.Package]:
    packages = [package(f"p{index}", price, currency) for index, price in enumerate(prices)]
    if plan:
        packages[-1].plan.CopyFrom(MONTHLY)
    return packages


async def add(scene: Scene, listing_id: str, packages: Sequence[listing_pb2.Package], **fields: Any) -> None:
    made = listing(published=fields.pop("published", True))
    del made.packages[:]
    made.packages.extend(packages)
    for name, value in fields.items():
        setattr(made, name, value)
    await scene.by(ACME).CreateListing(
        pb.CreateListingRequest(parent="sellers/acme", listing_id=listing_id, listing=made)
    )
    scene.clock.advance(timedelta(minutes=1))


async def shop(scene: Scene) -> None:
    """Created in this order, a minute apart; another seller's listing is never found."""
    await add(scene, "logo", sold(300, 100), title="Logo design", description="Vector files, big & small")
    await add(scene, "cafe", sold(50, plan=True), title="Menü für das Café", intake=BY_QUOTE)
    await add(scene, "banner", sold(100), title="Banner", description="Large LOGO banner", kind=PRODUCT)
    await add(scene, "draft", sold(20), title="Poster design", published=False)
    await add(scene, "dollar", sold(75, currency="USD"), title="Straße sign")
    await scene.by(OTHER).CreateListing(
        pb.CreateListingRequest(parent="sellers/other", listing_id="logo", listing=listing())
    )


async def found(scene: Scene, who: Identity = ANONYMOUS, **search: Any) -> list[str]:
    answer = await scene.by(who).ListListings(pb.ListListingsRequest(parent="sellers/acme", **search))
    assert not answer.next_page_token
    return [each.name.removeprefix("sellers/acme/listings/") for each in answer.listings]


async def test_everybody_finds_what_is_published_and_the_team_everything(scene: Scene) -> None:
    await shop(scene)
    published = ["banner", "cafe", "dollar", "logo"]
    for who in (ANONYMOUS, ANA, OTHER):
        assert await found(scene, who) == published
        assert await found(scene, who, state=PUBLISHED) == published
        assert await found(scene, who, state=UNPUBLISHED) == []
        assert await found(scene, who, text="poster") == []
    for who in (ACME, OPERATOR, ORDERS):
        assert await found(scene, who) == ["banner", "cafe", "dollar", "draft", "logo"]
        assert await found(scene, who, state=PUBLISHED) == published
        assert await found(scene, who, state=UNPUBLISHED) == ["draft"]
        assert await found(scene, who, text="poster") == ["draft"]
    (draft,) = (
        await scene.by(ACME).ListListings(pb.ListListingsRequest(parent="sellers/acme", state=UNPUBLISHED))
    ).listings
    assert (draft.state, draft.published) == (UNPUBLISHED, False)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"text": "logo"}, ["banner", "logo"]),
        ({"text": "LOGO, design!"}, ["logo"]),
        ({"text": "logo poster"}, []),
        ({"text": "lo"}, []),
        ({"text": "MENU cafe"}, ["cafe"]),
        ({"text": "strasse"}, ["dollar"]),
        ({"intake": INSTANT}, ["banner", "dollar", "logo"]),
        ({"intake": BY_QUOTE}, ["cafe"]),
        ({"has_plan": True}, ["cafe"]),
        ({"has_plan": False}, ["banner", "dollar", "logo"]),
        ({"kind": PRODUCT}, ["banner"]),
        ({"kind": SERVICE}, ["cafe", "dollar", "logo"]),
        ({"kind": PRODUCT, "text": "logo"}, ["banner"]),
        ({"kind": PRODUCT, "text": "large logo"}, ["banner"]),
        ({"kind": SERVICE, "min_price": money(51), "order_by": NEWEST}, ["logo"]),
        ({"currency_code": "USD"}, ["dollar"]),
        ({"currency_code": "CHF"}, []),
        # The lowest price of a listing counts, both ends included, and the lowest comes first.
        ({"min_price": money(50), "max_price": money(100)}, ["cafe", "banner", "logo"]),
        ({"min_price": money(51)}, ["banner", "logo"]),
        ({"max_price": money(99)}, ["cafe"]),
        ({"max_price": money(99, "USD")}, ["dollar"]),
        ({"min_price": money(1), "order_by": BY_NAME}, ["banner", "cafe", "logo"]),
        ({"order_by": NEWEST}, ["dollar", "banner", "cafe", "logo"]),
        ({"order_by": NEWEST, "text": "logo"}, ["banner", "logo"]),
        ({"order_by": DEAREST, "currency_code": "EUR"}, ["logo", "banner", "cafe"]),
        ({"order_by": CHEAPEST, "currency_code": "EUR", "has_plan": False}, ["banner", "logo"]),
        ({"text": "logo", "min_price": money(1), "intake": INSTANT}, ["banner", "logo"]),
        ({"text": "logo", "intake": BY_QUOTE}, []),
    ],
)
async def test_what_is_found(scene: Scene, search: dict[str, Any], expected: list[str]) -> None:
    await shop(scene)
    assert await found(scene, **search) == expected


@pytest.mark.parametrize(
    ("search", "reason", "field"),
    [
        ({"text": "!?"}, "VALIDATION_FAILED", "text"),
        ({"text": "a b c d e f g h i"}, "VALIDATION_FAILED", "text"),
        ({"text": "a\0b"}, "VALIDATION_FAILED", "text"),
        ({"text": "x" * 201}, "VALIDATION_FAILED", "text"),
        ({"intake": 99}, "VALIDATION_FAILED", "intake"),
        ({"state": 99}, "VALIDATION_FAILED", "state"),
        ({"kind": 99}, "VALIDATION_FAILED", "kind"),
        ({"order_by": 99}, "VALIDATION_FAILED", "order_by"),
        ({"order_by": CHEAPEST}, "VALIDATION_FAILED", "currency_code"),
        ({"order_by": DEAREST}, "VALIDATION_FAILED", "currency_code"),
        ({"currency_code": "eur"}, "VALIDATION_FAILED", "currency_code"),
        ({"currency_code": "XYZ"}, "AMOUNT_INVALID", "currency_code"),
        ({"min_price": money(-1)}, "AMOUNT_INVALID", "min_price"),
        ({"min_price": money(1, "XYZ")}, "AMOUNT_INVALID", "min_price"),
        ({"min_price": money(2), "max_price": money(1)}, "VALIDATION_FAILED", "max_price"),
        ({"min_price": money(1), "max_price": money(2, "USD")}, "CURRENCY_MISMATCH", "max_price"),
        ({"min_price": money(1), "currency_code": "USD"}, "CURRENCY_MISMATCH", "min_price"),
    ],
)
async def test_searches_that_are_refused(
    scene: Scene, search: dict[str, Any], reason: str, field: str
) -> None:
    refusal = await refused(
        scene.by(ANA).ListListings(pb.ListListingsRequest(parent="sellers/acme", **search))
    )
    assert (refusal.reason, refusal.metadata["field"]) == (reason, field)


async def test_an_edit_is_found_at_once_and_what_it_removed_no_more(scene: Scene) -> None:
    await shop(scene)
    for fields in (
        {"title": "Website"},
        {"published": False},
        {"packages": sold(700, plan=True)},
        {"kind": PRODUCT},
        {"intake": BY_QUOTE, "published": True},
    ):
        await scene.by(ACME).UpdateListing(
            pb.UpdateListingRequest(
                listing=listing_pb2.Listing(name="sellers/acme/listings/logo", **fields),
                update_mask=FieldMask(paths=list(fields)),
            )
        )
    assert await found(scene, text="website") == ["logo"]
    assert await found(scene, text="vector website") == ["logo"]
    assert await found(scene, text="logo") == ["banner"]
    assert await found(scene, ACME, state=UNPUBLISHED) == ["draft"]
    assert await found(scene, has_plan=True, intake=BY_QUOTE) == ["cafe", "logo"]
    assert await found(scene, kind=PRODUCT, text="website") == ["logo"]
    assert await found(scene, kind=SERVICE) == ["cafe", "dollar"]
    assert await found(scene, min_price=money(700)) == ["logo"]


@pytest.mark.parametrize("candidates", [0, 1_000])
async def test_every_search_is_one_list_however_it_is_paged(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, candidates: int
) -> None:
    """Every combination of filters and orders, page by page, is the whole catalogue, filtered and sorted.

    With `candidates` = 0 a page looks at twice its size, and may be short.
    """
    monkeypatch.setattr(listing_search, "CANDIDATES_LIMIT", candidates)
    wanted: list[tuple[str, str, int, bool, bool, int]] = []
    for number, (word, intake, plan, published) in enumerate(
        product(("red", "blue red"), (INSTANT, BY_QUOTE), (False, True), (False, True))
    ):
        price = 10 + number * 7 % 5
        name = f"l{number * 11 % 16:02}"
        await add(scene, name, sold(price, plan=plan), title=word, intake=intake, published=published)
        wanted.append((name, word, intake, plan, published, price))
    positions = {row[0]: at for at, row in enumerate(wanted)}
    sort = {
        BY_NAME: (lambda row: row[0], False),
        NEWEST: (lambda row: positions[row[0]], True),
        CHEAPEST: (lambda row: (row[5], row[0]), False),
        DEAREST: (lambda row: (row[5], row[0]), True),
    }
    for order, text, has_plan, minimum in product(sort, ("", "red", "red blue"), (None, True), (None, 12)):
        search: dict[str, Any] = {"order_by": order, "text": text, "currency_code": "EUR"}
        if has_plan:
            search["has_plan"] = True
        if minimum:
            search["min_price"] = money(minimum)
        key, reverse = sort[order]
        expected = [
            row[0]
            for row in sorted(wanted, key=key, reverse=reverse)
            if set(text.split()) <= set(row[1].split())
            and (row[3] or not has_plan)
            and row[5] >= (minimum or 0)
        ]
        request = pb.ListListingsRequest(parent="sellers/acme", page_size=3, **search)
        names: list[str] = []
        while True:
            page = await scene.by(ACME).ListListings(request)
            names += [each.name.rpartition("/")[2] for each in page.listings]
            request.page_token = page.next_page_token
            if not request.page_token:
                break
        assert names == expected, search


async def test_a_page_token_belongs_to_its_search(scene: Scene) -> None:
    await shop(scene)
    request = pb.ListListingsRequest(parent="sellers/acme", page_size=1, order_by=NEWEST)
    token = (await scene.by(ANA).ListListings(request)).next_page_token
    for change in ({"order_by": BY_NAME}, {"text": "logo"}, {"has_plan": False}):
        other = pb.ListListingsRequest(parent="sellers/acme", page_token=token, **change)
        refusal = await refused(scene.by(ANA).ListListings(other))
        assert refusal.reason == "PAGE_TOKEN_INVALID"


async def test_listings_that_were_there_before_are_found(backends: Backends) -> None:
    dsn = await backends.database(DEFINITION.migrations)
    await migrations.downgrade(DEFINITION.migrations, dsn, "0001")
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(OLD_LISTINGS)
        await migrations.upgrade(DEFINITION.migrations, dsn)
        rows = await connection.fetch(
            "SELECT state, has_plan, currency, lowest_price FROM listing ORDER BY listing_id"
        )
        assert [tuple(row) for row in rows] == [
            ("PUBLISHED", False, "EUR", 3),
            ("UNPUBLISHED", True, "USD", 0),
        ]
        words = await connection.fetch("SELECT word FROM listing_word WHERE listing_id = 'a' ORDER BY word")
        assert [row["word"] for row in words] == ["cafe", "fur", "logo", "x"]
    finally:
        await connection.close()
