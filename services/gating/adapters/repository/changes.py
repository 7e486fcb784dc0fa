"""The log of changes to what the gate decides by; triggers write it (migration 0002)."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from chassis.db import Transaction
from services.gating.adapters.tables import gate_change
from services.gating.app.ports import Change, Changes

# Rows that are visible now and were not visible in that snapshot: exactly what was committed in between, in
# whatever order the transactions began. A restore from a backup may take transaction ids back; it restarts
# the server.
_SINCE = sa.text(
    "SELECT pg_current_snapshot()::text AS snapshot, pg_postmaster_start_time()::text AS epoch, "
    "change.subject, change.buyer "
    "FROM (SELECT nullif(:snapshot, '')::pg_snapshot AS last) AS seen LEFT JOIN gate_change AS change "
    "ON change.transaction >= pg_snapshot_xmin(seen.last) "
    "AND NOT pg_visible_in_snapshot(change.transaction, seen.last) LIMIT :limit"
)
_PRUNE = sa.delete(gate_change).where(gate_change.c.time < sa.func.now() - sa.text("interval '10 minutes'"))

CHANGES_LIMIT: Final = 10_000
"""More than these are not told one by one."""


class ChangeLogRepository:
    """What was committed since a snapshot."""

    async def since(self, tx: Transaction, snapshot: str) -> Changes:
        """What was committed after `snapshot`; nothing for an empty one. The answer's own comes with it."""
        rows = await tx.fetch_all(_SINCE, {"snapshot": snapshot, "limit": CHANGES_LIMIT + 1})
        if len(rows) > CHANGES_LIMIT:
            return Changes(rows[0].snapshot, rows[0].epoch, None)
        changes = tuple(Change(row.subject, row.buyer) for row in rows if row.subject is not None)
        return Changes(rows[0].snapshot, rows[0].epoch, changes)

    async def prune(self, tx: Transaction) -> None:
        """Deletes what no replica can want to see any more."""
        await tx.execute(_PRUNE)
