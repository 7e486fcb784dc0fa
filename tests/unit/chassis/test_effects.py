"""What one statement refuses to be, before any database is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.db import Database, Single
from chassis.envelope import Delivery, Order
from chassis.kernel.clock import ManualClock

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TOLD = Delivery("ledger-on-test", "e1", "T", "accounts/a", 1, NOW, Order.EACH)
PLAIN = Single(result=1, inserts=())
GUARDED = replace(PLAIN, guard=(sa.text("UPDATE account SET version = 2 RETURNING 1"), {}))
# Nobody is to be asked: each is refused before.
NOTHING: Any = None


async def test_a_guard_is_refused_where_its_answer_would_be_taken_for_another() -> None:
    database = Database(NOTHING, clock=ManualClock(NOW), encode_event=NOTHING)
    with pytest.raises(ValueError, match="a reaction has no guard"):
        await database.react_single(TOLD, GUARDED)
    with pytest.raises(ValueError, match="is for `command_if_current`"):
        await database.command_single(NOTHING, GUARDED)
    with pytest.raises(ValueError, match="is for `command_single`"):
        await database.command_if_current(NOTHING, PLAIN)
