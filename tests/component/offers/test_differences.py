"""What differs between two revisions, through the API."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.testing import refused
from parley.offers.v1 import offer_difference_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import ACME, ANA, HOUR, OPERATOR, Scene, money, terms

Kind = offer_difference_pb2.LineItemChange.Kind


def item(title: str, units: int, quantity: int = 1) -> commerce_pb2.LineItem:
    return commerce_pb2.LineItem(title=title, quantity=quantity, unit_price=money(units))


def proposal(*items: commerce_pb2.LineItem, **changes: Any) -> Any:
    made = terms(**changes)
    del made.line_items[:]
    made.line_items.extend(items)
    return made


async def compared(scene: Scene, who: Any, name: str, **which: int) -> Any:
    asked = pb.CompareOfferRevisionsRequest(name=name, **which)
    return (await scene.by(who).CompareOfferRevisions(asked)).difference


@pytest.mark.covers("X03")
async def test_any_two_revisions_can_be_compared(scene: Scene) -> None:
    offer = await scene.offer()
    second = proposal(item("Logo", 80), item("Card", 5, 3), expires_in=HOUR)
    third = proposal(item("Card", 6, 3), item("Logo", 80), scope="Two drafts", delivery_days=2)
    counter = pb.CounterOfferRequest(name=offer.name, revision=1, terms=second, note="Less?")
    await scene.by(ANA).CounterOffer(counter)
    await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=third))

    newest = await compared(scene, ANA, offer.name)
    assert (getattr(newest, "from").number, newest.to.number) == (2, 3)
    assert list(newest.changed_fields) == ["line_items", "scope", "delivery_days", "expire_time"]
    (change,) = newest.line_items
    assert (change.kind, change.before, change.after) == (
        Kind.KIND_CHANGED,
        item("Card", 5, 3),
        item("Card", 6, 3),
    )
    assert newest.total_change == money(3)

    whole = await compared(scene, ACME, offer.name, from_revision=3, to_revision=1)
    assert [change.kind for change in whole.line_items] == [Kind.KIND_REMOVED, Kind.KIND_CHANGED]
    assert whole.total_change == money(2)
    assert not whole.line_items[0].HasField("after")
    seen = await compared(scene, OPERATOR, offer.name, to_revision=2)
    assert (getattr(seen, "from").number, seen.to.note) == (1, "")
    assert (await compared(scene, ANA, offer.name, to_revision=2)).to.note == "Less?"
    assert not (await compared(scene, ANA, offer.name, to_revision=1)).changed_fields


async def test_a_buyer_compares_what_he_was_sent(scene: Scene) -> None:
    offer = await scene.offer(send=False)
    for amount in (90, 80):
        await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=terms(amount)))
    assert (await compared(scene, ACME, offer.name)).total_change == money(-10)
    asked = pb.CompareOfferRevisionsRequest(name=offer.name, from_revision=1)
    assert (await refused(scene.by(ANA).CompareOfferRevisions(asked))).metadata["resource"] == offer.name
    await scene.by(ACME).SendOffer(pb.SendOfferRequest(name=offer.name))
    refusal = await refused(scene.by(ANA).CompareOfferRevisions(asked))
    assert refusal.metadata["resource"] == f"{offer.name}/revisions/1"
    alone = await compared(scene, ANA, offer.name)
    assert (getattr(alone, "from").number, alone.to.number, list(alone.changed_fields)) == (3, 3, [])
