"""Who waits for a lock that a test holds."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from sqlalchemy import text

from chassis.db import Transaction
from chassis.testing import RunningService

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def until_blocked(service: RunningService, *works: asyncio.Future[Any]) -> None:
    """Returns when so many sessions of the service wait for locks as there are works, none of which may have
    ended before.
    """
    waiting = partial(Transaction.scalar, statement=_WAITING)
    async with asyncio.timeout(30):
        while await service.host.database.read(waiting) < len(works):
            assert not any(work.done() for work in works)
    assert not any(work.done() for work in works)
