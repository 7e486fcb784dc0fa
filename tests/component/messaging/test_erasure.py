"""Erasing a person: asked for once, done in bounded steps, and never again asked whether it may be."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, Identity, refused, running
from chassis.testing.producer import ForeignProducer
from chassis.testing.service import free_address
from parley.messaging.v1 import erasure_pb2 as pb
from parley.messaging.v1 import participant_methods_pb2 as joining
from services.messaging.__main__ import DEFINITION
from services.messaging.adapters.conversation_repository import ConversationRepository
from services.messaging.adapters.erasure_repository import BATCH, ErasureRepository
from services.orders.__main__ import DEFINITION as ORDERS
from tests.component.messaging.blocked import until_blocked
from tests.component.messaging.conftest import ANA, BEN, OTTO, Scene
from tests.component.messaging.mailbox import update

# What was written by two people, hers many times more than one transaction takes.
_WRITE = """
INSERT INTO timeline_entry (conversation_id, id, position, create_time, side, kind, author, text, recipients)
SELECT conversation_id, gen_random_uuid(), 1000 + n, create_time, 'buyer', 'public',
    CASE WHEN n % 10 = 0 THEN 'users/otto' ELSE author END, 'Word ' || n, recipients
FROM (SELECT * FROM timeline_entry WHERE kind IS NOT NULL LIMIT 1) AS first, generate_series(1, :rows) AS n
"""
_STEPS = "SELECT count(*) FROM timeline_entry WHERE erase_time IS NOT NULL GROUP BY xmin::text"


async def erase(scene: Scene, who: Identity = ANA, **fields: Any) -> pb.Erasure:
    request = pb.ErasePersonalDataRequest(name=who.subject, **fields)
    return (await scene.of(who).ErasePersonalData(request)).erasure  # type: ignore[no-any-return]


async def asked(scene: Scene, statement: str) -> list[Any]:
    reading = partial(Transaction.fetch_all, statement=sa.text(statement))
    return [row[0] for row in await scene.service.host.database.read_as_process(reading)]


async def test_words_are_erased_in_steps_and_repeated_wishes_need_nobody(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    address = free_address()
    settings: dict[str, Any] = {"attachments_url": tmp_path.as_uri(), "orders_target": address}
    async with AsyncExitStack() as orders, running(DEFINITION, backends, clock=clock, **settings) as service:
        await orders.enter_async_context(running(ORDERS, backends, clock=clock, grpc_address=address))
        scene = Scene(service, ForeignProducer(service.host.bus), clock)
        await scene.inquiry()
        writing = partial(Transaction.execute, statement=sa.text(_WRITE), parameters={"rows": 3 * BATCH})
        await service.host.database.transact(writing)
        begun = await erase(scene, request_id="r1")
        assert begun.state == pb.Erasure.STATE_REQUESTED

        # Whoever knows what is still open is not asked again, so it may be away.
        await orders.aclose()
        # Answered as at first, until the answers to her are forgotten as well.
        assert await erase(scene, request_id="r1") in (begun, pb.Erasure())
        assert (await erase(scene)).name == (await erase(scene, request_id="r2")).name == begun.name
        assert (await refused(erase(scene, BEN))).reason in {"PEER_UNAVAILABLE", "DEADLINE_EXCEEDED"}

        await service.settle()
        steps = await asked(scene, _STEPS)
        assert max(steps) <= BATCH
        assert sum(steps) == 1 + 3 * BATCH * 9 // 10
        left = await asked(scene, "SELECT DISTINCT author FROM timeline_entry WHERE text <> ''")
        assert left == [OTTO.subject]
        found = (await scene.of(ANA).GetErasure(pb.GetErasureRequest(name=begun.name))).erasure
        assert found.state == pb.Erasure.STATE_ERASING
        assert "messaging" in found.confirmed_services
        # The call is still known, and answered with nothing.
        assert await erase(scene, request_id="r1") == pb.Erasure()


async def test_conversations_are_locked_before_what_is_said_in_them(scene: Scene) -> None:
    names = [(await scene.inquiry()).conversation.name for _ in range(3)]
    keys = sorted(name.removeprefix("conversations/") for name in names)
    database, now = scene.service.host.database, scene.clock.now()
    read = partial(ConversationRepository().load_if_quiet, name=names[0], author=OTTO.subject)
    before = await database.read_as_process(read)
    async with database.connection() as other:
        await other.execute("BEGIN")
        await other.execute("SELECT 1 FROM conversation WHERE id = $1 FOR UPDATE", keys[-1])
        erasing = asyncio.ensure_future(
            database.transact(lambda tx: ErasureRepository().erase_words(tx, ANA.subject, now=now))
        )
        await until_blocked(scene.service, erasing)
        # Whoever has the conversation gets everything in it, and neither waits for the other in a circle.
        statement = "SELECT 1 FROM timeline_entry WHERE conversation_id = $1 FOR UPDATE NOWAIT"
        await other.execute(statement, keys[-1])
        await other.execute("COMMIT")
    assert await erasing
    after = await database.read_as_process(read)
    assert before is not None
    assert after is not None
    assert (before[0].title, after[0].title) == ("A logo", "")
    assert before[1] < after[1], "who read it before writes the words back"
    assert await asked(scene, "SELECT count(*) FROM timeline_entry WHERE text <> ''") == [0]


async def test_no_answer_to_a_forward_keeps_the_address_of_somebody_who_is_erased(scene: Scene) -> None:
    name, database = (await scene.inquiry()).conversation.name, scene.service.host.database
    await update(scene, BEN, email="ben@mail.example")
    # It names no account: nothing but the address says that it was he.
    requests = [
        joining.ForwardConversationRequest(name=name, address=address, request_id=address)
        for address in ("BEN@mail.example", "carl@mail.example")
    ]
    to_ben, to_carl = [await scene.of(OTTO).ForwardConversation(each) for each in requests]
    assert await scene.of(OTTO).ForwardConversation(requests[0]) == to_ben
    now = scene.clock.now()
    assert await database.transact(lambda tx: ErasureRepository().erase_words(tx, BEN.subject, now=now))
    assert await scene.of(OTTO).ForwardConversation(requests[0]) == joining.ForwardConversationResponse()
    assert await scene.of(OTTO).ForwardConversation(requests[1]) == to_carl
    left = await asked(
        scene, "SELECT address FROM timeline_entry WHERE event_type = 'CONVERSATION_FORWARDED'"
    )
    assert sorted(left, key=str) == [None, "carl@mail.example"]
