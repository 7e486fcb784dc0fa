"""Profiles through the public API: a person's own business, and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text

from chassis.db import Transaction
from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, Identity, observer, operator, refused, service
from parley.messaging.v1 import profile_pb2 as pb
from tests.component.messaging.conftest import ANA, BEN, OTTO, RIVAL, Scene

CHOICE = pb.NotificationChoice
ANAS = "users/ana/profile"


async def update(scene: Scene, who: Identity, *paths: str, **fields: object) -> pb.Profile:
    name = fields.pop("name", f"{who.subject}/profile")
    request = pb.UpdateProfileRequest(
        profile=pb.Profile(name=name, **fields),  # type: ignore[arg-type]
        update_mask=FieldMask(paths=paths),
    )
    return (await scene.of(who).UpdateProfile(request)).profile  # type: ignore[no-any-return]


async def profile_of(scene: Scene, who: Identity) -> pb.Profile:
    request = pb.GetProfileRequest(name=f"{who.subject}/profile")
    return (await scene.of(who).GetProfile(request)).profile  # type: ignore[no-any-return]


async def rows(scene: Scene) -> tuple[int, ...]:
    counts = []
    for table in ("profile", "team_member", "outbox", "idempotency"):
        counting = partial(Transaction.scalar, statement=text(f"SELECT count(*) FROM {table}"))
        counts.append(await scene.service.host.database.read_as_process(counting))
    return tuple(counts)


async def test_a_person_saves_and_reads_his_own(scene: Scene) -> None:
    empty = await profile_of(scene, ANA)
    assert (empty.name, empty.etag, empty.HasField("create_time")) == (ANAS, "v0", False)
    assert empty.email_state == pb.Profile.EMAIL_STATE_NONE
    assert {each.delivery for each in empty.notification_choices} == {CHOICE.DELIVERY_EACH}
    assert len(empty.notification_choices) == 7

    saved = await update(
        scene,
        ANA,
        display_name=" Ana ",
        email="ana@EXAMPLE.org",
        phone="+4930123456",
        locale="de-AT",
        time_zone="Europe/Vienna",
        notification_choices=[CHOICE(kind=CHOICE.KIND_OFFER, delivery=CHOICE.DELIVERY_DIGEST)],
    )
    assert (saved.display_name, saved.email, saved.phone) == ("Ana", "ana@example.org", "+4930123456")
    assert (saved.etag, saved.email_state) == ("v1", pb.Profile.EMAIL_STATE_UNVERIFIED)
    assert saved == await profile_of(scene, ANA)
    assert list(saved.allowed_actions) == ["update", "sendEmailVerification", "verifyEmail"]
    chosen = {each.kind: each.delivery for each in saved.notification_choices}
    assert (chosen[CHOICE.KIND_OFFER], chosen[CHOICE.KIND_ORDER]) == (
        CHOICE.DELIVERY_DIGEST,
        CHOICE.DELIVERY_EACH,
    )

    # An empty mask takes what is populated, a mask what it names, `*` everything.
    scene.clock.advance(timedelta(minutes=1))
    named = await update(scene, ANA, display_name="Ana Lee")
    assert (named.display_name, named.phone, named.etag) == ("Ana Lee", "+4930123456", "v2")
    assert named.update_time != named.create_time
    assert (await update(scene, ANA, "phone", display_name="Nobody")).phone == ""
    before = await rows(scene)
    again = await update(scene, ANA, "display_name", display_name="Ana Lee")
    assert again.etag == "v3"
    assert await rows(scene) == before
    cleared = await update(scene, ANA, "*", etag="v3")
    assert (cleared.email, cleared.email_state, cleared.locale) == ("", pb.Profile.EMAIL_STATE_NONE, "")
    # Contact data is nobody's fact: nothing is published about a profile.
    assert (await rows(scene))[2] == 0


BAD: list[tuple[dict[str, object], tuple[str, ...], str]] = [
    ({"email": "ana@example.org\r\nBcc: x@example.org"}, (), "VALIDATION_FAILED"),
    ({"email": "ana"}, (), "VALIDATION_FAILED"),
    ({"display_name": "ana@example.org"}, (), "VALIDATION_FAILED"),
    ({"display_name": "x" * 81}, (), "VALIDATION_FAILED"),
    ({"phone": "030 123456"}, (), "VALIDATION_FAILED"),
    ({"locale": "German"}, (), "VALIDATION_FAILED"),
    ({"locale": "de\r\nX: y"}, (), "VALIDATION_FAILED"),
    ({"time_zone": "Mars/Olympus"}, (), "UNKNOWN_TIME_ZONE"),
    ({"notification_choices": [CHOICE(kind=CHOICE.KIND_OFFER)]}, (), "VALIDATION_FAILED"),
    (
        {"notification_choices": [CHOICE(kind=CHOICE.KIND_OFFER, delivery=CHOICE.DELIVERY_OFF)] * 2},
        (),
        "VALIDATION_FAILED",
    ),
    ({"phone": ""}, ("email_state",), "UNKNOWN_FIELD_PATH"),
    ({"phone": ""}, ("teams",), "UNKNOWN_FIELD_PATH"),
    ({"phone": "+4930123456", "etag": "v7"}, (), "ETAG_MISMATCH"),
    ({"name": "users/ben/profile", "phone": "+4930123456"}, (), "NOT_FOUND"),
    ({"name": "users/ana"}, (), "VALIDATION_FAILED"),
]


async def test_bad_updates_write_nothing(scene: Scene) -> None:
    before = await rows(scene)
    for fields, paths, reason in BAD:
        refusal = await refused(update(scene, ANA, *paths, **fields))
        assert refusal.reason == reason, fields
        assert "example" not in refusal.message
    assert await rows(scene) == before


async def test_nobody_reads_or_changes_anothers(scene: Scene) -> None:
    await update(scene, ANA, email="ana@example.org")
    request = pb.GetProfileRequest(name=ANAS)
    for stranger in (BEN, OTTO, operator(), observer("bosch")):
        assert (await refused(scene.of(stranger).GetProfile(request))).kind is Kind.NOT_FOUND
        refusal = await refused(update(scene, stranger, name=ANAS, phone="+4930123456"))
        assert refusal.kind is Kind.NOT_FOUND
        # Each of them has one of his own.
        assert (await update(scene, stranger, phone="+4930123456")).etag == "v1"
    assert (await profile_of(scene, ANA)).phone == ""


async def test_neither_services_nor_strangers_without_a_token_have_one(scene: Scene) -> None:
    request = pb.GetProfileRequest(name=ANAS)
    assert (await refused(scene.of(ANONYMOUS).GetProfile(request))).kind is Kind.UNAUTHENTICATED
    assert (await refused(scene.of(service("orders")).GetProfile(request))).kind is Kind.DENIED


async def test_two_first_saves_at_once_are_both_kept(scene: Scene) -> None:
    await asyncio.gather(
        update(scene, ANA, phone="+4930123456"),
        update(scene, ANA, email="ana@example.org"),
        update(scene, ANA, display_name="Ana"),
    )
    saved = await profile_of(scene, ANA)
    assert (saved.phone, saved.email, saved.display_name, saved.etag) == (
        "+4930123456",
        "ana@example.org",
        "Ana",
        "v3",
    )
    same = await asyncio.gather(
        *(refused(update(scene, ANA, etag="v2", phone=f"+4930000000{n}")) for n in range(3))
    )
    assert {refusal.reason for refusal in same} == {"ETAG_MISMATCH"}


async def test_teams_come_from_the_token_and_lapse(scene: Scene) -> None:
    assert list((await update(scene, OTTO, email="otto@example.org")).teams) == ["sellers/acme"]
    assert list((await profile_of(scene, RIVAL)).teams) == []
    scene.clock.advance(timedelta(days=60))
    assert list((await profile_of(scene, OTTO)).teams) == ["sellers/acme"]
    scene.clock.advance(timedelta(days=60))
    counting = partial(Transaction.scalar, statement=text("SELECT count(*) FROM team_member"))
    assert await scene.service.host.database.read(counting) == 1
    left = Identity(OTTO.subject, ("buyer",))
    assert list((await profile_of(scene, left)).teams) == []
    assert await scene.service.host.database.read(counting) == 0
