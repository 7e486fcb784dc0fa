"""Expiries given as dates, through the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from chassis.testing import refused
from chassis.wire import timestamp
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from tests.component.offers.scene import ACME, ANA, HOUR, NOW, Scene, create, terms

TICK = timedelta(microseconds=1)
TODAY = Date(year=2026, month=6, day=1)
TOMORROW = Date(year=2026, month=6, day=2)


def at(text: str) -> Timestamp:
    return timestamp(datetime.fromisoformat(text).replace(tzinfo=UTC))


def when(offer: offer_pb2.Offer) -> tuple[Timestamp, Date, str]:
    found = offer.current_revision.terms
    return found.expire_time, found.expire_date, found.expire_time_zone


@pytest.mark.covers("G38", "G39")
async def test_an_offer_can_be_accepted_until_its_last_day_is_over(scene: Scene) -> None:
    berlin: dict[str, Any] = {"expire_date": TODAY, "expire_time_zone": "Europe/Berlin"}
    kept, late = await scene.offer(**berlin), await scene.offer(**berlin)
    assert when(kept) == (at("2026-06-01T22:00"), TODAY, "Europe/Berlin")
    scene.clock.set(datetime(2026, 6, 1, 22, tzinfo=UTC) - TICK)
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=kept.name, revision=1))
    scene.clock.set(datetime(2026, 6, 1, 22, tzinfo=UTC))
    refusal = await refused(scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=late.name, revision=1)))
    assert refusal.reason == "OFFER_EXPIRED"
    assert refusal.metadata["expire_time"] == "2026-06-01T22:00:00Z"
    await scene.service.settle()
    assert await scene.event_names(late.name) == ["OfferSent", "OfferExpired"]
    facts: Any = (await scene.events(late.name))[0]
    assert facts.offer.expire_time == at("2026-06-01T22:00")


async def test_every_proposal_can_name_a_day(scene: Scene) -> None:
    offer = await scene.offer(expire_date=TODAY)
    assert when(offer) == (at("2026-06-02T00:00"), TODAY, "UTC")
    wanted = terms(80, expire_date=TOMORROW, expire_time_zone="Asia/Kathmandu")
    counter = pb.CounterOfferRequest(name=offer.name, revision=1, terms=wanted)
    countered = (await scene.by(ANA).CounterOffer(counter)).offer
    assert when(countered) == (at("2026-06-02T18:15"), TOMORROW, "Asia/Kathmandu")
    # What was read can be sent again as it is.
    again = pb.ReviseOfferRequest(name=offer.name, terms=countered.current_revision.terms)
    assert when((await scene.by(ACME).ReviseOffer(again)).offer) == when(countered)
    plain = pb.ReviseOfferRequest(name=offer.name, terms=terms(expires_in=HOUR))
    assert when((await scene.by(ACME).ReviseOffer(plain)).offer) == (timestamp(NOW + HOUR), Date(), "")
    history = await scene.by(ANA).ListOfferRevisions(pb.ListOfferRevisionsRequest(name=offer.name))
    assert [revision.terms.expire_date for revision in history.revisions] == [
        TODAY,
        TOMORROW,
        TOMORROW,
        Date(),
    ]


@pytest.mark.covers("X11")
async def test_an_offer_is_revived_until_a_day(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)
    await scene.service.advance(HOUR)
    again = pb.ReviveOfferRequest(name=offer.name, expire_date=TODAY, expire_time_zone="America/Lima")
    revived = (await scene.by(ACME).ReviveOffer(again)).offer
    assert when(revived) == (at("2026-06-02T05:00"), TODAY, "America/Lima")
    await scene.service.advance(timedelta(hours=16) - TICK)
    assert (await scene.event_names(offer.name))[-1] == "OfferRevived"
    await scene.service.advance(TICK)
    assert (await scene.event_names(offer.name))[-1] == "OfferExpired"


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"expire_time_zone": "Europe/Berlin"}, "VALIDATION_FAILED", "expire_time_zone"),
        ({"expire_date": Date(year=2026, month=6)}, "VALIDATION_FAILED", "expire_date"),
        ({"expire_date": Date(year=2026, month=2, day=30)}, "VALIDATION_FAILED", "expire_date"),
        ({"expire_date": Date(year=-1, month=6, day=1)}, "VALIDATION_FAILED", "expire_date"),
        ({"expire_date": TODAY, "expire_time": timestamp(NOW + HOUR)}, "VALIDATION_FAILED", "expire_time"),
        ({"expire_date": TODAY, "expire_time_zone": "Mars/Olympus"}, "UNKNOWN_TIME_ZONE", "expire_time_zone"),
        ({"expire_date": TODAY, "expire_time_zone": "x" * 65}, "VALIDATION_FAILED", "expire_time_zone"),
        ({"expire_date": Date(year=2026, month=5, day=31)}, "TIME_OUT_OF_RANGE", "expire_date"),
        ({"expire_date": Date(year=2036, month=1, day=1)}, "TIME_OUT_OF_RANGE", "expire_date"),
        ({"expire_date": Date(year=9999, month=12, day=31)}, "TIME_OUT_OF_RANGE", "expire_date"),
    ],
)
async def test_days_that_are_none_are_refused(
    scene: Scene, changes: dict[str, Any], reason: str, field: str
) -> None:
    origin, offer, ended = scene.origins.add(), await scene.offer(), await scene.offer(expires_in=TICK)
    await scene.service.advance(TICK)
    before = await scene.written()
    proposal = terms(**changes)
    revive = pb.ReviveOfferRequest(name=ended.name, **changes)
    calls = [
        (scene.by(ACME).CreateOffer(create(origin, terms=proposal)), "terms."),
        (scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=proposal)), "terms."),
        (
            scene.by(ANA).CounterOffer(pb.CounterOfferRequest(name=offer.name, revision=1, terms=proposal)),
            "terms.",
        ),
        (scene.by(ACME).ReviveOffer(revive), ""),
    ]
    for call, path in calls:
        refusal = await refused(call)
        assert (refusal.reason, refusal.metadata["field"]) == (reason, f"{path}{field}")
    assert await scene.written() == before
