"""Renewals of subscriptions, all due at the same moment, charged by two replicas of the orders service."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped, unused-ignore]

from bench.desk import place_one
from bench.figures import Figure
from bench.rig import STOP_SECONDS, Rig, await_port, processor_seconds
from stack.ports import LOOPBACK

RENEWALS = 10_000
BY_HAND = 1_000
AT_ONCE = 16
LIMIT_SECONDS = 600.0
LOOK_SECONDS = 0.25
GOAL = 300.0

# Copies of an order that is there already, so that columns which come later need no word here.
_ORDERS = """
INSERT INTO orders
SELECT made.* FROM orders AS pattern, generate_series(1, $2::int) AS n,
    LATERAL jsonb_populate_record(pattern, jsonb_build_object(
        'id', $1 || '-' || n, 'seller', 'sellers/' || $1 || '-' || n % 100, 'buyer', 'users/b' || n)) AS made
WHERE pattern.id = (SELECT min(id) FROM orders WHERE seller NOT LIKE 'sellers/bench%')
"""
_SUBSCRIPTIONS = """
INSERT INTO subscription (id, version, seller, buyer, package, order_request, origin_conversation, plan,
    time_zone, payment_method, payment_token, create_time, update_time, start_time, activate_time, number,
    period_begin, period_end, anchor_day, currency, worth, worth_from, balance, changes, unpaid, charging,
    retries)
SELECT id, 1, seller, buyer, package, '', '', $2::text::jsonb, 'UTC', 'ONLINE', 'sandbox_success',
    begin, begin, begin, begin, 1, begin::date, $4::date, extract(day FROM begin), 'EUR', 3000, begin::date,
    0, 0, '{}', false, 0
FROM orders, (SELECT $3::timestamptz) AS first (begin) WHERE id LIKE $1 || '-%'
"""
_TIMERS = """
INSERT INTO timer (kind, key, due_time, visible_time, payload)
SELECT 'subscription.due', id, now(), now(), jsonb_build_object('subscription', 'subscriptions/' || id)
FROM subscription WHERE id LIKE $1 || '-%'
"""
_PAID = "SELECT count(*) FROM payment WHERE subscription_id LIKE 'bench-renewals-%' AND state = 'CAPTURED'"
_PLAN = {"price": ["EUR", 3000], "interval": "MONTH", "interval_count": 1}
# What a renewal writes, in three transactions: the period with its attempt, the charge, the answer.
_BEGIN = """
WITH renewed AS (
    UPDATE subscription SET version = version + 1, number = number + 1, unpaid = ARRAY[$1], charging = true,
        period_begin = period_end, period_end = period_end + 30
    WHERE id = $1 RETURNING *
), due AS (
    INSERT INTO payment (id, subscription_id, seller, buyer, version, purpose, sequence, currency, amount,
        state, provider, token, create_time, update_time)
    SELECT id, id, seller, buyer, 1, 'SUBSCRIPTION_PERIOD', number, 'EUR', 3000, 'SUBMITTING', 'sandbox',
        'sandbox_success', now(), now() FROM renewed
)
INSERT INTO payment_attempt (payment_id, number, key, token, submit_time, decline_code)
SELECT id, 1, id || '-1', 'sandbox_success', now(), '' FROM renewed
"""
_CHARGE = """
INSERT INTO sandbox_charge VALUES ($1 || '-1', 'sandbox_success', 'EUR', 3000, 'CAPTURED', '', now())
"""
_ANSWER = """
WITH answered AS (
    UPDATE payment_attempt SET outcome = 'CAPTURED', resolve_time = now() WHERE payment_id = $1
), paid AS (
    UPDATE payment SET version = 2, state = 'CAPTURED', capture_time = now() WHERE id = $1 RETURNING *
), kept AS (
    UPDATE subscription SET version = version + 1, unpaid = '{}', charging = false WHERE id = $1
), booked AS (
    INSERT INTO ledger_transaction (id, kind, payment_id, payment, seller, buyer, entry_count, create_time)
    SELECT id, 'CAPTURE', id, id, seller, buyer, 2, now() FROM paid
)
INSERT INTO ledger_entry (id, transaction_id, account, party, side, currency, amount, seller, create_time)
SELECT id || side, id, account, seller, side, 'EUR', 3000, seller, now() FROM paid,
    (VALUES ('DEBIT', 'PROVIDER_CLEARING'), ('CREDIT', 'SELLER_PAYABLE')) AS line (side, account)
"""


def renew(rig: Rig) -> Figure:
    """`RENEWALS` at once; the floor is a hand-written loop that writes the same rows for one at a time."""
    first, server = rig.pid("orders"), rig.pid("postgres")
    with _replica(first) as second:
        return asyncio.run(_measure(rig, (first, second), server))


async def _measure(rig: Rig, replicas: Sequence[int], server: int) -> Figure:
    await place_one(rig)
    connection = await asyncpg.connect(rig.dsn("orders"))
    try:
        await _subscribe(connection, "bench-hand", BY_HAND)
        await _subscribe(connection, "bench-renewals", RENEWALS)
        await connection.execute("VACUUM (ANALYZE)", timeout=LIMIT_SECONDS)
        floor = await _by_hand(rig)
        before, busy = _processor(replicas), _processor(_backends(server))
        seconds = await _pass(connection)
        spent, stored = _processor(replicas) - before, _processor(_backends(server)) - busy
    finally:
        await connection.close()
    rate = RENEWALS / seconds
    each = 1000 / RENEWALS
    return Figure(
        name=f"{RENEWALS:,} renewals due at once, two replicas, renewals/s",
        measured=f"{rate:,.0f}",
        floor=f"{floor:,.0f} (one process, one at a time, by hand)",
        result=f"{rate / floor:.1f} times the floor",
        goal=f"at least {GOAL:g}",
        reached=rate >= GOAL,
        details=(
            f"of a renewal: {spent * each:.2f} ms in the replicas, {stored * each:.2f} ms in PostgreSQL",
        ),
    )


async def _subscribe(connection: Any, prefix: str, count: int) -> None:
    """Subscriptions whose second period begins today."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    await connection.execute(_ORDERS, prefix, count, timeout=LIMIT_SECONDS)
    begin = (today.replace(day=1) - timedelta(days=1)).replace(day=today.day if today.day < 29 else 28)
    await connection.execute(
        _SUBSCRIPTIONS, prefix, json.dumps(_PLAN), begin, today.date(), timeout=LIMIT_SECONDS
    )


async def _pass(connection: Any) -> float:
    """Makes everything due, and waits until everything is paid: seconds. None is charged twice."""
    begin = time.perf_counter()
    await connection.execute(_TIMERS, "bench-renewals", timeout=LIMIT_SECONDS)
    paid = 0
    while paid < RENEWALS:
        await asyncio.sleep(LOOK_SECONDS)
        if time.perf_counter() - begin > LIMIT_SECONDS:
            raise RuntimeError(f"{paid} of {RENEWALS} renewals in {LIMIT_SECONDS:g} s")
        paid = await connection.fetchval(_PAID)
    seconds = time.perf_counter() - begin
    charged = await connection.fetchval(
        "SELECT count(*) FROM sandbox_charge WHERE key NOT LIKE 'bench-hand%'"
    )
    assert paid == charged == RENEWALS, f"{charged} charges for {paid} payments"
    return seconds


async def _by_hand(rig: Rig) -> float:
    """Renewals a second of a loop that knows nothing but these rows."""
    pool = await asyncpg.create_pool(rig.dsn("orders"), min_size=AT_ONCE, max_size=AT_ONCE)
    todo = iter(range(1, BY_HAND + 1))

    async def work() -> None:
        for number in todo:
            for statement in (_BEGIN, _CHARGE, _ANSWER):
                await pool.execute(statement, f"bench-hand-{number}")

    begin = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - begin
    await pool.close()
    return BY_HAND / seconds


@contextlib.contextmanager
def _replica(pid: int) -> Iterator[int]:
    """Another process of the orders service `pid`, on ports of its own; its pid."""
    environment = dict(psutil.Process(pid).environ())
    address = _free_address()
    environment |= {"PARLEY_ORDERS_GRPC_ADDRESS": address, "PARLEY_ORDERS_METRICS_ADDRESS": _free_address()}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.orders"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_port(address, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return f"{LOOPBACK}:{probe.getsockname()[1]}"


def _backends(server: int) -> list[int]:
    return [one.pid for one in psutil.Process(server).children(recursive=True)]


def _processor(pids: Sequence[int]) -> float:
    return sum(processor_seconds(pid) for pid in pids if psutil.pid_exists(pid))
