"""Erasing a person: asked for once, done in bounded steps, and never again asked whether it may be."""

from __future__ import annotations

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
from services.messaging.__main__ import DEFINITION
from services.messaging.adapters.erasure_repository import BATCH
from services.orders.__main__ import DEFINITION as ORDERS
from tests.component.messaging.conftest import ANA, BEN, OTTO, Scene

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
    return [row[0] for row in await scene.service.host.database.read(reading)]


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
        assert await erase(scene, request_id="r1") == begun
        assert (await erase(scene)).name == (await erase(scene, request_id="r2")).name == begun.name
        assert (await refused(erase(scene, BEN))).reason == "PEER_UNAVAILABLE"

        await service.settle()
        steps = await asked(scene, _STEPS)
        assert max(steps) <= BATCH
        assert sum(steps) == 1 + 3 * BATCH * 9 // 10
        left = await asked(scene, "SELECT DISTINCT author FROM timeline_entry WHERE text <> ''")
        assert left == [OTTO.subject]
        found = (await scene.of(ANA).GetErasure(pb.GetErasureRequest(name=begun.name))).erasure
        assert (found.state, list(found.confirmed_services)) == (pb.Erasure.STATE_ERASING, ["messaging"])
        # The call is still known, and answered with nothing.
        assert await erase(scene, request_id="r1") == pb.Erasure()
