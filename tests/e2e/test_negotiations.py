"""The demo as the tests see it: its marketplace, its story, and many negotiations at once."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from stack.demo import campaign, loading, marketplace, scripts
from stack.demo.api import Api
from stack.demo.audit import audit
from stack.demo.narrator import Narrator
from stack.demo.negotiation import Record
from stack.demo.scripts import Kind
from stack.demo.story import Story
from tests.e2e.shop import fresh

# LOST_ANSWER settles when the provider is asked again, after minutes.
KINDS = [kind for kind in Kind if kind is not Kind.LOST_ANSWER]


@pytest.fixture
async def market(api: Api) -> marketplace.Marketplace:
    """The demo marketplace, loaded."""
    found = marketplace.read()
    await loading.load(api, found)
    return found


async def test_loading_the_marketplace_again_changes_nothing(
    api: Api, market: marketplace.Marketplace
) -> None:
    async def versions() -> list[str]:
        listings = [await api.anonymous().get(listing.name) for listing in market.listings()]
        owners = [await api.seller(seller.id).get(seller.settings["name"]) for seller in market.sellers]
        tags = [found["listing"]["etag"] for found in listings]
        return tags + [found["orderSettings"]["etag"] for found in owners]

    before = await versions()
    await loading.load(api, market)
    assert await versions() == before


def test_the_marketplace_is_as_varied_as_it_should_be() -> None:
    found = marketplace.read()
    assert len({seller.time_zone for seller in found.sellers}) >= 3
    assert len(found.listings()) >= 12
    assert all(1 <= len(listing.packages) <= 3 for listing in found.listings())
    packages = [package for listing in found.listings() for package in listing.packages]
    assert {"JPY", "EUR", "USD"} <= {package.price.currency for package in packages}
    assert {"INSTANT", "SELLER_REVIEW", "BY_QUOTE"} == {listing.intake for listing in found.listings()}
    assert any(package.plan for package in packages)


@pytest.mark.covers("G02", "G03", "G34", "X03", "B35", "V24")
async def test_the_story_can_be_told_again_and_again(api: Api, market: marketplace.Marketplace) -> None:
    for _ in range(2):
        output = io.StringIO()
        told = await Story(api, market, Narrator(Console(file=output, highlight=False))).play()
        text = output.getvalue()
        assert told.order.removeprefix("orders/") == told.offer.removeprefix("offers/")
        assert "\x1b" not in text
        for line in ("ORDER_REQUEST_REQUIRED", "PENDING -> OFFERED", "OPEN -> ACCEPTED", "charged once"):
            assert line in text
        assert "OFFER_EXPIRED" in text


@pytest.mark.covers("X01", "X02", "B35", "V24")
async def test_every_acknowledged_acceptance_is_one_order_charged_once(
    api: Api, market: marketplace.Marketplace
) -> None:
    stalls = await scripts.survey(api, market, api.buyer(fresh("surveyor")))
    each = [script for kind in KINDS for script in scripts.draw(2, seed=7, stalls=stalls, weights={kind: 1})]
    drawn = [dataclasses.replace(script, number=number) for number, script in enumerate(each, start=1)]
    records: list[Record] = await campaign.play_all(api, drawn, concurrency=8)
    assert [record.failure for record in records if record.failure] == []
    verdict = await audit(api, records)
    assert list(verdict.findings()) == []
    assert verdict.acknowledged == sum(record.promise is not None for record in records) > 0


async def test_the_audit_finds_what_is_lost_doubled_or_unexpected(
    api: Api, market: marketplace.Marketplace
) -> None:
    stalls = await scripts.survey(api, market, api.buyer(fresh("surveyor")))
    (script,) = scripts.draw(1, seed=7, stalls=stalls, weights={Kind.ACCEPTED: 1})
    (record,) = await campaign.play_all(api, [script], concurrency=1)
    assert record.promise is not None
    missing = dataclasses.replace(record.promise, order="orders/01900000-0000-7000-8000-000000000000")
    dearer = dataclasses.replace(record.promise, total=record.promise.total.times(2))
    for wrong, expected in (
        (dataclasses.replace(record, promise=missing), "lost"),
        (dataclasses.replace(record, promise=dearer), "lost"),
        (dataclasses.replace(record, captures=(2, 2)), "lost"),
        (dataclasses.replace(record, captures=(0, 0)), "duplicated"),
        (dataclasses.replace(record, promise=None, order_possible=False), "unexpected"),
    ):
        verdict = await audit(api, [wrong], fact_seconds=0.2)
        assert {finding.partition(":")[0] for finding in verdict.findings()} == {expected}
    lost_answer = dataclasses.replace(record, promise=None)
    verdict = await audit(api, [lost_answer], fact_seconds=0.2)
    assert (verdict.is_clean, verdict.recovered) == (True, 1)
