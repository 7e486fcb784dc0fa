"""What is forgotten, when, and what never is."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.kernel.page import PageRequest
from chassis.testing import Backends, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import webhook_pb2 as hooks
from services.messaging.__main__ import DEFINITION
from services.messaging.adapters.webhook_repository import WebhookRepository
from services.messaging.app.retention import BATCH
from tests.component.messaging.conftest import OTTO, Scene
from tests.component.messaging.mailbox import Mailbox, reachable

DAY = timedelta(days=1)
# Of an endpoint: many that ended, two that wait.
_FILL = """
INSERT INTO webhook_delivery (endpoint_id, id, conversation_id, type, body, state, attempts, status, problem,
    create_time)
SELECT :endpoint, gen_random_uuid(), 'c' || n % 100, 'message.sent', '{}',
    CASE WHEN n <= 2 THEN 'waiting' WHEN n % 2 = 0 THEN 'delivered' ELSE 'failed' END, 1, 200, '',
    CAST(:now AS timestamptz) - n * interval '1 second'
FROM generate_series(1, :rows) AS n
"""
_WAIT = """
INSERT INTO notification SELECT gen_random_uuid(), recipient, conversation_id, side, topic, kind, delivery,
    happen_time, currency, amount, NULL, create_time FROM notification LIMIT 1
"""
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


async def test_what_ended_is_forgotten_and_what_waits_stays(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"mail_folder": tmp_path / "mail", "mail_days": 60}
    async with running(DEFINITION, backends, clock=clock, **settings) as service:
        scene = Scene(service, ForeignProducer(service.host.bus), clock)

        async def counts() -> tuple[int, ...]:
            read = service.host.database.read_as_process
            tables = ("webhook_delivery", "mail", "notification", "magic_link")
            count = "SELECT count(*) FROM {}"
            return tuple(
                [
                    await read(partial(Transaction.scalar, statement=sa.text(count.format(table))))
                    for table in tables
                ]
            )

        await reachable(scene, Mailbox(tmp_path / "mail"), OTTO)
        await scene.inquiry()
        await service.settle()
        request = hooks.CreateWebhookEndpointRequest(parent="sellers/acme", url="https://example.org/hook")
        endpoint = (await scene.of(OTTO).CreateWebhookEndpoint(request)).webhook_endpoint.name
        values = {"endpoint": endpoint[-36:], "now": clock.now(), "rows": 2 * BATCH + 5}
        for statement, given in ((_FILL, values), (_WAIT, {})):
            filling = partial(Transaction.execute, statement=sa.text(statement), parameters=given)
            await service.host.database.transact(filling)
        assert await counts() == (2 * BATCH + 5, 2, 3, 1)
        await service.host.database.transact(partial(_lists_read_a_page, endpoint=endpoint))

        await service.advance(29 * DAY)
        assert await counts() == (2 * BATCH + 5, 2, 3, 1)
        await service.advance(2 * DAY)
        # Nobody got another link meanwhile.
        assert await counts() == (2, 2, 3, 0)
        await service.advance(30 * DAY)
        assert await counts() == (2, 0, 1, 0)


class Explaining:
    """A transaction that says how it would be answered."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.plan = ""

    async def fetch_all(self, statement: sa.Select[Any]) -> list[Any]:
        literal = statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
        escaped = str(literal).replace(":", r"\:")
        self.plan = "\n".join(row[0] for row in await self.tx.fetch_all(sa.text(f"EXPLAIN {escaped}")))
        return []


async def _lists_read_a_page(tx: Transaction, *, endpoint: str) -> None:
    """However many there are."""
    await tx.execute(sa.text("ANALYZE webhook_delivery"))
    explaining = Explaining(tx)
    place = ("2026-06-01T10:00:00+00:00", endpoint[-36:])
    for page in (PageRequest(50, None), PageRequest(50, place)):
        await WebhookRepository().deliveries(explaining, endpoint, page)  # type: ignore[arg-type]
        assert "Index Scan Backward using ix_webhook_delivery_list" in explaining.plan
        assert "Sort" not in explaining.plan
