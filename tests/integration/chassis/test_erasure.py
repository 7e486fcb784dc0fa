"""The stored answers to calls: those of an erased person are emptied in short steps, however many."""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa

from chassis import schema
from chassis.db import Database, Transaction
from chassis.envelope import Delivery, Order
from chassis.erasure import ANSWERS, FORGET_ANSWERS, Eraser, Wish, with_erasure
from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import UuidV7
from chassis.timers import TimerRunner
from parley.offers.v1.erasure_pb2 import PersonalDataErased
from tests.integration.chassis.conftest import account, balance_of, change, count

# Of ten each: one was given to ana, one names her, one names somebody with a longer name.
_ANSWERED = """
INSERT INTO idempotency (principal, method, key, fingerprint, answer, create_time)
SELECT CASE n % 10 WHEN 0 THEN 'users/ana' ELSE 'users/u' || n % 7 END, 'Change', lpad(n::text, 9, '0'),
    '\\x01', convert_to(CASE n % 10 WHEN 1 THEN E'\\x0a\\x09users/ana' WHEN 2 THEN E'\\x0a\\x0cusers/anabel'
        ELSE 'something' END, 'UTF8'), now()
FROM generate_series(1, :rows) AS n
"""
_EMPTIED = "SELECT count(*) FROM idempotency WHERE answer = '' GROUP BY xmin::text"
_LEFT = """
SELECT count(*) FROM idempotency
WHERE answer <> '' AND (principal = 'users/ana' OR answer = convert_to(E'\\x0a\\x09users/ana', 'UTF8'))
"""
ROWS = 4 * ANSWERS


async def numbers(database: Database, statement: str) -> list[Any]:
    rows = await database.read(partial(Transaction.fetch_all, statement=sa.text(statement)))
    return [row[0] for row in rows]


async def test_answers_are_emptied_in_steps_that_go_on_where_the_last_one_ended(
    database: Database, dsn: str, clock: ManualClock
) -> None:
    erasing = await Database.open(
        dsn, clock=clock, encode_event=with_erasure(_unknown, PersonalDataErased, UuidV7(clock))
    )
    await database.transact(change("users/ana", by=5))
    filling = partial(Transaction.execute, statement=sa.text(_ANSWERED), parameters={"rows": ROWS})
    await database.transact(filling)
    statement = "UPDATE account SET balance = 0 WHERE name = :user"
    eraser = Eraser(erasing, [statement], clock)
    told = Delivery("c", "e1", "requested", "erasures/1", 1, clock.now(), Order.EACH)
    for _ in range(2):
        await eraser.erase(told, Wish("erasures/1", "users/ana"))

    # What the service itself keeps goes first, and nothing is said before the end.
    assert await balance_of(database, "users/ana") == 0
    assert await count(database, account) == 1
    events = partial(count, database, schema.outbox, schema.outbox.c.aggregate == "erasures/1")
    runner = TimerRunner(erasing, clock, eraser.timers)
    (first,) = await runner._claim([FORGET_ANSWERS], 1)
    await eraser.forget(first)
    # A claim that was worked off already does nothing.
    await eraser.forget(first)
    assert len(await numbers(database, _EMPTIED)) == 1
    assert await events() == 0
    while await runner.run_due():
        pass
    steps = await numbers(database, _EMPTIED)
    assert len(steps) == ROWS // ANSWERS
    assert sum(steps) == ROWS // 5
    assert await numbers(database, _LEFT) == [0]
    assert await events() == 1
    assert await count(database, schema.timer) == 0
    await erasing.close()


def _unknown(event: Any) -> Any:
    raise AssertionError(event)
