"""What the sweeper of expired offers touches, and what the database enforces by itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing import Backends
from chassis.wire import timestamp
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offer_settings_pb2 import CounterRule, OfferSettings
from services.offers.__main__ import DEFINITION
from tests.component.offers.scene import ACME, ANA, HOUR, FakeOrigins, Scene, offers_scene, terms

ROUNDS = 9
TICK = timedelta(microseconds=1)


async def rows(scene: Scene) -> dict[str, tuple[str, str]]:
    """State and writing transaction of every offer: whoever writes a row, even with equal values, shows."""
    async with scene.service.host.database.connection() as connection:
        found = await connection.fetch("SELECT offer_id, state, xmin::text AS written FROM offer")
    return {f"offers/{row['offer_id']}": (row["state"], row["written"]) for row in found}


@pytest.mark.covers("X02")
async def test_the_sweeper_writes_open_offers_only(scene: Scene) -> None:
    soon: dict[str, Any] = {"expires_in": HOUR}
    accepted, declined, withdrawn, revised, due = [await scene.offer(**soon) for _ in range(5)]
    draft, forever = await scene.offer(send=False, **soon), await scene.offer()
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=accepted.name, revision=1))
    await scene.by(ANA).DeclineOffer(pb.DeclineOfferRequest(name=declined.name))
    await scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=withdrawn.name))
    await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=revised.name, terms=terms()))
    before = await rows(scene)
    await scene.service.advance(2 * HOUR)
    after = await rows(scene)
    assert after.pop(due.name)[0] == "EXPIRED"
    assert before.pop(due.name)[0] == "OPEN"
    assert after == before
    assert {after[offer.name][0] for offer in (draft, forever, revised)} == {"DRAFT", "OPEN"}


@pytest.mark.covers("X02", "X16")
async def test_a_counter_offer_that_is_accepted_at_once_and_the_expiry_have_one_winner(scene: Scene) -> None:
    settings = OfferSettings(
        name="sellers/acme/offerSettings", counter_rules=[CounterRule(auto_accept_percent=90)]
    )
    await scene.by(ACME).UpdateOfferSettings(pb.UpdateOfferSettingsRequest(offer_settings=settings))
    await scene.service.host.background.stop("timers")
    for number in range(ROUNDS):
        end = scene.clock.now() + HOUR
        name = (await scene.offer(expire_time=timestamp(end))).name
        # The last microsecond is in time; the instant itself is not, whoever comes first.
        in_time = number % 3 != 0
        scene.clock.set(end - TICK if in_time else end)
        counter = pb.CounterOfferRequest(name=name, revision=1, terms=terms(95))
        task = asyncio.ensure_future(scene.by(ANA).CounterOffer(counter))
        for _ in range(number):
            await asyncio.sleep(0)
        scene.clock.set(end)
        await scene.service.host.timers.run_due()
        answer: Any = (await asyncio.gather(task, return_exceptions=True))[0]
        names = await scene.event_names(name)
        found = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=name))).offer
        if isinstance(answer, grpc.aio.AioRpcError):
            assert answer.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert (found.state, names) == (offer_pb2.Offer.STATE_EXPIRED, ["OfferSent", "OfferExpired"])
        else:
            assert in_time
            assert found.state == offer_pb2.Offer.STATE_ACCEPTED
            assert names == ["OfferSent", "OfferCountered", "OfferAccepted"]


@pytest.mark.covers("X02", "X11", "G39")
async def test_an_offer_expires_once_although_every_process_was_down(
    backends: Backends, clock: ManualClock
) -> None:
    dsn, origins = await backends.database(DEFINITION.migrations), FakeOrigins()
    async with offers_scene(backends, clock, dsn=dsn, origins=origins) as scene:
        due, accepted = await scene.offer(expires_in=HOUR), await scene.offer(expires_in=HOUR)
        await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=accepted.name, revision=1))
    clock.advance(48 * HOUR)
    async with (
        offers_scene(backends, clock, dsn=dsn, origins=origins) as one,
        offers_scene(backends, clock, dsn=dsn, origins=origins) as two,
    ):
        await asyncio.gather(one.service.settle(), two.service.settle())
        for scene in (one, two):
            found = await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=due.name))
            assert found.offer.state == offer_pb2.Offer.STATE_EXPIRED
        assert await one.event_names(due.name) == ["OfferSent", "OfferExpired"]
        assert await one.event_names(accepted.name) == ["OfferSent", "OfferAccepted"]
        revived = await two.by(ACME).ReviveOffer(pb.ReviveOfferRequest(name=due.name))
        assert revived.offer.state == offer_pb2.Offer.STATE_OPEN


async def test_the_database_holds_one_open_offer_for_each_origin(scene: Scene) -> None:
    origin = scene.origins.add()
    await scene.offer(origin)
    draft = (await scene.offer(origin, send=False)).name.removeprefix("offers/")
    async with scene.service.host.database.connection() as connection:
        with pytest.raises(asyncpg.UniqueViolationError) as refused:
            await connection.fetch(
                "UPDATE offer SET state = 'OPEN', first_sent = 1 WHERE offer_id = $1 RETURNING 1", draft
            )
    assert refused.value.constraint_name == "uq_offer_open_origin"


@pytest.mark.covers("G08")
async def test_the_start_is_negotiated_and_frozen_with_the_acceptance(scene: Scene) -> None:
    days = [timestamp(scene.clock.now() + timedelta(days=number)) for number in (1, 2, 3)]
    offer = await scene.offer(start_time=days[0])
    wanted = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(start_time=days[2]))
    assert (await scene.by(ANA).CounterOffer(wanted)).offer.current_revision.terms.start_time == days[2]
    back = pb.CounterOfferRequest(name=offer.name, revision=2, terms=terms(start_time=days[1]))
    await scene.by(ACME).CounterOffer(back)
    accepted = await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=3))
    assert accepted.offer.current_revision.terms.start_time == days[1]
    told: Any = (await scene.events(offer.name))[-1]
    assert told.offer.start_time == days[1]
