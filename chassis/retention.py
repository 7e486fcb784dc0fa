"""What the tables of the chassis forget, and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from chassis import idempotency

OUTBOX: Final = timedelta(days=7)
"""How long a published event can be published again."""
INBOX: Final = timedelta(days=30)
"""How long a delivered event is known as a duplicate: well past everything that could deliver it again."""
BATCH: Final = 5_000
"""Rows that one statement removes, so that none holds locks for long."""

_OUTBOX = (
    "DELETE FROM outbox WHERE event_id IN "
    "(SELECT event_id FROM outbox WHERE time < $1 AND published_at < $1 ORDER BY time LIMIT $2)"
)
_INBOX = (
    "DELETE FROM inbox WHERE (consumer, event_id) IN "
    "(SELECT consumer, event_id FROM inbox WHERE receive_time < $1 ORDER BY receive_time LIMIT $2)"
)


async def prune(connection: Any, now: datetime) -> int:
    """Removes what is past its time, in batches; answers how many rows. Unpublished events always stay."""
    removed = await idempotency.prune(connection, now)
    for statement, age in ((_OUTBOX, OUTBOX), (_INBOX, INBOX)):
        count = BATCH
        while count == BATCH:
            count = int((await connection.execute(statement, now - age, BATCH)).split()[-1])
            removed += count
    return removed
