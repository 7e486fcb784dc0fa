"""Every command, sent by several hands at once: with one key it is one call, with others it happens once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import grpc
import pytest

from chassis.testing import Identity
from chassis.wire import timestamp
from parley.offers.v1 import listing_pb2, offer_settings_pb2, offer_template_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from tests.component.many_hands import (
    HANDS,
    Books,
    Command,
    with_a_commit_that_fails,
    with_one_key,
    with_own_keys,
)
from tests.component.offers.scene import ACME, ACME_AGENT, ANA, HOUR, Scene, create, listing, money, terms

SETTINGS = "sellers/acme/offerSettings"
NUMBERS = count()
VERSIONS = """
SELECT (SELECT coalesce(sum(version), 0) FROM listing) + (SELECT coalesce(sum(version), 0) FROM offer)
    + (SELECT coalesce(sum(version), 0) FROM offer_settings)
    + (SELECT coalesce(sum(version), 0) FROM offer_template)
"""
"""What every change of a resource moves by one."""

Prepare = Callable[[Scene], Awaitable[Any]]


@dataclass(frozen=True)
class Race:
    """A command, and what those are told who come too late: nothing where once is enough for all of them."""

    method: str
    prepare: Prepare
    who: Identity = ACME
    too_late: str = ""
    changes: int = 1


async def new_listing(_: Scene) -> Any:
    return pb.CreateListingRequest(
        parent="sellers/acme", listing_id=f"new-{next(NUMBERS)}", listing=listing()
    )


def on_listing(request: Callable[..., Any], *, published: bool = True) -> Prepare:
    async def prepare(scene: Scene) -> Any:
        return request(name=(await scene.listing(f"old-{next(NUMBERS)}", published=published)).name)

    return prepare


async def edited_listing(scene: Scene) -> Any:
    name = (await scene.listing(f"old-{next(NUMBERS)}")).name
    return pb.UpdateListingRequest(listing=listing_pb2.Listing(name=name, title="New"))


async def new_offer(scene: Scene) -> Any:
    return create(scene.origins.add(), send=True)


def on_offer(request: Callable[..., Any], *, send: bool = True, **fields: Any) -> Prepare:
    async def prepare(scene: Scene) -> Any:
        return request(name=(await scene.offer(send=send)).name, **fields)

    return prepare


def on_expired(request: Callable[..., Any]) -> Prepare:
    async def prepare(scene: Scene) -> Any:
        name = (await scene.offer(expire_time=timestamp(scene.clock.now() + HOUR))).name
        await scene.service.advance(HOUR)
        return request(name=name)

    return prepare


async def above_the_limit(scene: Scene) -> Any:
    limits = offer_settings_pb2.OfferSettings(name=SETTINGS, approval_limits=[money(10)])
    await scene.by(ACME).UpdateOfferSettings(pb.UpdateOfferSettingsRequest(offer_settings=limits))
    return pb.SubmitOfferRequest(name=(await scene.offer(send=False)).name)


def on_submitted(request: Callable[..., Any]) -> Prepare:
    async def prepare(scene: Scene) -> Any:
        submission = await above_the_limit(scene)
        await scene.by(ACME_AGENT).SubmitOffer(submission)
        return request(name=submission.name)

    return prepare


async def new_template(_: Scene) -> Any:
    template = offer_template_pb2.OfferTemplate(title="Logo", terms=terms())
    return pb.CreateOfferTemplateRequest(parent="sellers/acme", offer_template=template)


async def kept_template(scene: Scene) -> str:
    made = await scene.by(ACME).CreateOfferTemplate(await new_template(scene))
    return str(made.offer_template.name)


async def edited_template(scene: Scene) -> Any:
    template = offer_template_pb2.OfferTemplate(name=await kept_template(scene), title="New")
    return pb.UpdateOfferTemplateRequest(offer_template=template)


async def removed_template(scene: Scene) -> Any:
    return pb.DeleteOfferTemplateRequest(name=await kept_template(scene))


async def edited_settings(_: Scene) -> Any:
    zone = ("Europe/Berlin", "Asia/Kathmandu")[next(NUMBERS) % 2]
    settings = offer_settings_pb2.OfferSettings(name=SETTINGS, time_zone=zone, approval_limits=[])
    return pb.UpdateOfferSettingsRequest(offer_settings=settings)


FORBIDDEN, STALE = "TRANSITION_FORBIDDEN", "REVISION_STALE"
RACES = (
    Race("CreateListing", new_listing, too_late="LISTING_EXISTS"),
    Race("UpdateListing", edited_listing),
    Race("RetireListing", on_listing(pb.RetireListingRequest)),
    Race("PublishListing", on_listing(pb.PublishListingRequest, published=False)),
    Race("UnpublishListing", on_listing(pb.UnpublishListingRequest)),
    Race("CreateOffer", new_offer, too_late="OPEN_OFFER_EXISTS"),
    Race("SendOffer", on_offer(pb.SendOfferRequest, send=False)),
    Race("OpenOffer", on_offer(pb.OpenOfferRequest), ANA),
    Race("ReviseOffer", on_offer(pb.ReviseOfferRequest, revision=1, terms=terms(2)), too_late=STALE),
    Race("CounterOffer", on_offer(pb.CounterOfferRequest, revision=1, terms=terms(2)), ANA, too_late=STALE),
    Race("AcceptOffer", on_offer(pb.AcceptOfferRequest, revision=1), ANA, too_late=FORBIDDEN),
    Race("DeclineOffer", on_offer(pb.DeclineOfferRequest), ANA),
    Race("WithdrawOffer", on_offer(pb.WithdrawOfferRequest)),
    Race("ReviveOffer", on_expired(pb.ReviveOfferRequest), too_late=FORBIDDEN),
    Race("RequestNewQuote", on_expired(pb.RequestNewQuoteRequest), ANA),
    Race("SubmitOffer", above_the_limit, ACME_AGENT),
    Race("ApproveOffer", on_submitted(pb.ApproveOfferRequest)),
    Race("ReturnOffer", on_submitted(pb.ReturnOfferRequest), too_late=FORBIDDEN),
    # Two of the same content are two templates.
    Race("CreateOfferTemplate", new_template, changes=HANDS),
    Race("UpdateOfferTemplate", edited_template),
    Race("DeleteOfferTemplate", removed_template, too_late="NOT_FOUND"),
    Race("UpdateOfferSettings", edited_settings),
)


def test_every_command_is_raced() -> None:
    methods = pb.DESCRIPTOR.services_by_name["OffersService"].methods
    commands = {method.name for method in methods if "request_id" in method.input_type.fields_by_name}
    assert {race.method for race in RACES} == commands


async def versions(scene: Scene) -> int:
    async with scene.service.host.database.connection() as connection:
        return int(await connection.fetchval(VERSIONS))


def books(scene: Scene) -> Books:
    return Books(scene.service.host.database, partial(versions, scene), scene.written)


async def prepared(scene: Scene, race: Race) -> Command:
    request = await race.prepare(scene)
    await scene.service.settle()
    return Command(getattr(scene.by(race.who), race.method), request)


@pytest.mark.covers("X01")
async def test_a_command_of_many_hands_happens_once(scene: Scene, subtests: pytest.Subtests) -> None:
    for race in RACES:
        with subtests.test(race.method):
            await with_one_key(await prepared(scene, race), books(scene), f"{race.method}-one")
            own, late = await prepared(scene, race), race.too_late
            await with_own_keys(own, books(scene), race.method, too_late=late, changes=race.changes)


async def test_a_command_whose_commit_fails_has_done_nothing_and_is_repeated(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    for race in RACES:
        with subtests.test(race.method):
            await with_a_commit_that_fails(await prepared(scene, race), books(scene), f"{race.method}-lost")


Rival = tuple[Identity, str, Any]


async def revised_and_accepted(scene: Scene) -> tuple[Rival, Rival]:
    name = (await scene.offer()).name
    return (
        (ACME, "ReviseOffer", pb.ReviseOfferRequest(name=name, revision=1, terms=terms(9))),
        (ANA, "AcceptOffer", pb.AcceptOfferRequest(name=name, revision=1)),
    )


async def revised_and_countered(scene: Scene) -> tuple[Rival, Rival]:
    name = (await scene.offer()).name
    return (
        (ACME, "ReviseOffer", pb.ReviseOfferRequest(name=name, revision=1, terms=terms(9))),
        (ANA, "CounterOffer", pb.CounterOfferRequest(name=name, revision=1, terms=terms(8))),
    )


async def revived_and_replaced(scene: Scene) -> tuple[Rival, Rival]:
    offer = await scene.offer(expire_time=timestamp(scene.clock.now() + HOUR))
    await scene.service.advance(HOUR)
    return (
        (ACME, "ReviveOffer", pb.ReviveOfferRequest(name=offer.name)),
        (ACME, "CreateOffer", create(offer.order_request, send=True)),
    )


async def submitted_and_sent(scene: Scene) -> tuple[Rival, Rival]:
    submission = await above_the_limit(scene)
    return (
        (ACME_AGENT, "SubmitOffer", submission),
        (ACME, "SendOffer", pb.SendOfferRequest(name=submission.name)),
    )


async def submitted_and_revised(scene: Scene) -> tuple[Rival, Rival]:
    submission = await above_the_limit(scene)
    submission.etag = "v1"
    revision = pb.ReviseOfferRequest(name=submission.name, revision=1, terms=terms(900), etag="v1")
    return (ACME_AGENT, "SubmitOffer", submission), (ACME_AGENT, "ReviseOffer", revision)


async def published_and_retired(scene: Scene) -> tuple[Rival, Rival]:
    name = (await scene.listing(f"old-{next(NUMBERS)}", published=False)).name
    return (
        (ACME, "PublishListing", pb.PublishListingRequest(name=name, etag="v1")),
        (ACME, "RetireListing", pb.RetireListingRequest(name=name, etag="v1")),
    )


RIVALS = (
    revised_and_accepted,
    revised_and_countered,
    revived_and_replaced,
    submitted_and_sent,
    submitted_and_revised,
    published_and_retired,
)


async def test_of_two_commands_that_exclude_each_other_one_happens(
    scene: Scene, subtests: pytest.Subtests
) -> None:
    for prepare in RIVALS:
        with subtests.test(prepare.__name__):
            for turn in range(4):
                rivals = await prepare(scene)
                before = await versions(scene)
                ordered = rivals if turn % 2 else rivals[::-1]
                calls = [getattr(scene.by(who), method)(request) for who, method, request in ordered]
                answers = await asyncio.gather(*calls, return_exceptions=True)
                assert sum(isinstance(answer, grpc.aio.AioRpcError) for answer in answers) == 1
                assert await versions(scene) == before + 1
