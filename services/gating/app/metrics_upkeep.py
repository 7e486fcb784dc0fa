"""Makes the figures anew from what is recorded."""

from __future__ import annotations

from chassis.db import Database
from services.gating.app.ports import Restored, Upkeep


async def rebuild_metrics(database: Database, *, upkeep: Upkeep) -> str:
    """Completes the record from the kept events and derives everything again, one seller in each transaction;
    says what was done.

    It may run beside the service: what is told meanwhile is derived as it comes, and once more here.
    """
    added, cursor = 0, ""
    while True:
        found = await _restore(database, upkeep, cursor)
        added, cursor = added + found.added, found.cursor
        if not cursor:
            break
    sellers, last = 0, ""
    while names := await _sellers(database, upkeep, last):
        for name in names:
            await _derive(database, upkeep, name)
        sellers, last = sellers + len(names), names[-1]
    return f"the figures of {sellers} sellers were derived anew; {added} facts were restored from kept events"


async def _restore(database: Database, upkeep: Upkeep, cursor: str) -> Restored:
    return await database.transact(lambda tx: upkeep.restore(tx, cursor))


async def _sellers(database: Database, upkeep: Upkeep, last: str) -> list[str]:
    return [*await database.read(lambda tx: upkeep.sellers(tx, last))]


async def _derive(database: Database, upkeep: Upkeep, name: str) -> None:
    await database.transact(lambda tx: upkeep.derive(tx, name))
