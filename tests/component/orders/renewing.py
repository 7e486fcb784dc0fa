"""Months of renewals on the test clock, by two replicas at once, held against a calendar."""

from __future__ import annotations

import asyncio
import random
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chassis.kernel.clock import ManualClock
from chassis.testing.service import RunningService
from tests.component.orders.market import ONLINE, Market
from tests.component.orders.subscribers import SUCCESS, at, monthly, sell

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """What was bought, and on which local date the first period begins."""

    id: str
    first: date


async def subscribe_many(market: Market, count: int, seed: int) -> list[Subscriber]:
    """Subscriptions that begin on any day of the next two months."""
    draw = random.Random(seed)
    package, now = sell(market, monthly(30)), market.service.clock.now()
    found = []
    for _ in range(count):
        start = now + timedelta(days=draw.randint(1, 60), minutes=draw.randint(0, 1439))
        order = await market.place(
            package=package, payment_method=ONLINE, payment_token=SUCCESS, start_time=at(start)
        )
        found.append(Subscriber(order.name.removeprefix("orders/"), start.astimezone(BERLIN).date()))
    return found


async def pass_time(
    market: Market, others: list[RunningService], clock: ManualClock, *, until: datetime, standstill: datetime
) -> None:
    """Goes on from one moment at which something is due to the next, with every replica at work at once. From
    `standstill` on nothing runs for a month.
    """
    while True:
        (row,) = await market.rows("SELECT min(visible_time) AS due FROM timer")
        due = row["due"]
        if due is None or due > until:
            return
        if standstill <= due < standstill + 30 * DAY:
            due = standstill + 30 * DAY
        clock.set(max(due, clock.now()))
        await asyncio.gather(*(one.host.timers.run_due() for one in (market.service, *others)))


def begins(subscriber: Subscriber, until: datetime) -> list[date]:
    """The local dates on which a period begins, by a calculation of its own."""
    found: list[date] = []
    months = 0
    while True:
        index = subscriber.first.year * 12 + subscriber.first.month - 1 + months
        year, month = divmod(index, 12)
        day = date(year, month + 1, min(subscriber.first.day, monthrange(year, month + 1)[1]))
        if datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC) > until:
            return found
        found.append(day)
        months += 1


async def check(market: Market, subscribers: list[Subscriber], *, until: datetime) -> int:
    """No period is missing and none was charged twice; how many there are."""
    rows: list[dict[str, Any]] = await market.rows(
        "SELECT subscription_id, sequence, state, id, capture_time FROM payment "
        "ORDER BY subscription_id, sequence"
    )
    by_id: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_id.setdefault(row["subscription_id"], []).append(row)
    for one in subscribers:
        expected, found = begins(one, until), by_id.get(one.id, [])
        assert [row["sequence"] for row in found] == list(range(1, len(expected) + 1)), one
        assert {row["state"] for row in found} <= {"CAPTURED"}
        for day, row in zip(expected, found, strict=True):
            assert row["capture_time"].astimezone(BERLIN).date() >= day
    charges = await market.charges()
    assert sorted(row["key"] for row in charges) == sorted(f"{row['id']}-1" for row in rows)
    return len(rows)
