"""Messages: how many a service takes beside a hand-written transaction, how long a timeline may grow, and how
soon somebody who watches sees what is said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import asyncpg
import grpc

from bench import floors, load
from bench.figures import Figure
from bench.growth import Growth, Kind, compare_in_turn
from bench.rig import Rig, beside
from bench.throughput import Side, compare
from chassis import row_security
from chassis.kernel.page import Cursor
from chassis.paging import cursor_of
from parley.messaging.v1 import messaging_service_pb2 as messaging
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub

SEND = "/parley.messaging.v1.MessagingService/SendMessage"
LIST = "/parley.messaging.v1.MessagingService/ListTimeline"
CALLERS = 32
SEND_GOAL = 0.5
SELLER, BUYER = "acme", "bench"
CALL_SECONDS = 20.0

WATCHERS = 999
"""Beside the one who is measured: as many as a process takes, unless a setting says more."""
WATCHED = 30
"""Conversations that those look at."""
SAID = 200
WATCH_P50_GOAL = 30.0

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NO_ID = "00000000-0000-0000-0000-000000000000"
PAGE = 50
# Copies of a message that is there already, so that columns which come later need no word here.
_MESSAGES = """
INSERT INTO timeline_entry
SELECT made.* FROM timeline_entry AS pattern, generate_series(1, $2::int) AS n,
    LATERAL jsonb_populate_record(pattern, jsonb_build_object(
        'conversation_id', $1::text, 'id', gen_random_uuid(), 'position', n + 100,
        'create_time', $3::timestamptz + n * interval '1 second')) AS made
WHERE pattern.conversation_id = $1 AND pattern.position = (
    SELECT min(position) FROM timeline_entry WHERE conversation_id = $1 AND kind IS NOT NULL)
"""
_COUNT = """
UPDATE conversation SET entry_count = (SELECT max(position) FROM timeline_entry WHERE conversation_id = $1)
WHERE id = $1
"""


def send_message(rig: Rig) -> Figure:
    """SendMessage in as many conversations as there are callers, against the rows that it writes."""
    names = asyncio.run(_begin(rig, CALLERS))
    token, address = rig.stack.token("buyer", user=BUYER), rig.stack.grpc["messaging"]
    requests = [messaging.SendMessageRequest(parent=name, text="Hello, is it ready?") for name in names]
    encoded = [request.SerializeToString().hex() for request in requests]
    key_field = messaging.SendMessageRequest.DESCRIPTOR.fields_by_name["request_id"].number
    asyncio.run(_send(rig, names[0], 1))
    with (
        rig.held_still("offers", "orders", "gating", "gateway"),
        beside("bench.floors", "send", rig.dsn("messaging")) as (floor_address, floor_pid),
    ):
        ours = load.Job(address, SEND, encoded, token, CALLERS, load.SECONDS, key_field)
        floor = load.Job(floor_address, floors.INSERT, encoded, token, CALLERS, load.SECONDS, key_field)
        return compare(
            "SendMessage, calls/s",
            goal=SEND_GOAL,
            ours=Side(ours, [rig.pid("messaging")]),
            floor=Side(floor, [floor_pid]),
            between=lambda: rig.await_published("messaging"),
            notes=(f"{CALLERS} conversations, one for each caller", "the other services are held still"),
        )


def list_timeline(rig: Rig) -> Figure:
    """One caller, pages from all over a long and a short conversation in turn; the slowest kind decides."""
    small, large = asyncio.run(_begin(rig, 2))

    async def grow(rig: Rig, few: int, many: int) -> None:
        connection = await asyncpg.connect(rig.dsn("messaging"), server_settings=row_security.AS_PROCESS)
        try:
            for name, count in ((small, few), (large, many)):
                key = name.partition("/")[2]
                await connection.execute(_MESSAGES, key, count, BEGIN, timeout=900)
                await connection.execute(_COUNT, key, timeout=900)
            # What autovacuum does some minutes later.
            await connection.execute("VACUUM (ANALYZE) timeline_entry", timeout=600)
        finally:
            await connection.close()

    growth = Growth(
        name="ListTimeline at 1,000,000 messages of one conversation, p99 in ms",
        service="messaging",
        kinds=_kinds(rig, large),
        goal="either order, both sides",
        grow=grow,
    )
    return compare_in_turn(rig, rig.stack.token("operator"), growth, _kinds(rig, small))


def _kinds(rig: Rig, name: str) -> tuple[Kind, ...]:
    sides = (
        ("the buyer's", rig.stack.token("buyer", user=BUYER)),
        ("the team's", rig.stack.token("seller", seller=SELLER)),
    )
    return tuple(
        Kind(
            f"{whose}, {order}",
            LIST,
            messaging.ListTimelineRequest(parent=name, order_by=value, page_size=PAGE),
            place,
            token=token,
        )
        for whose, token in sides
        for order, value, place in (
            ("oldest first", messaging.TIMELINE_ORDER_OLDEST_FIRST, _after),
            ("newest first", messaging.TIMELINE_ORDER_NEWEST_FIRST, _before),
        )
    )


def _after(number: int) -> Cursor:
    return cursor_of(BEGIN + timedelta(seconds=number), NO_ID)


def _before(number: int) -> Cursor:
    # The first page lies behind the last number; before `PAGE` none is full.
    return cursor_of(BEGIN + timedelta(seconds=number + PAGE + 1), NO_ID)


def watch(rig: Rig) -> Figure:
    """From SendMessage to the message at a watcher of another connection, while many others watch too."""
    return asyncio.run(_watch(rig))


async def _watch(rig: Rig) -> Figure:
    name, *others = await _begin(rig, 1 + WATCHED)
    seconds, calls = [], []
    async with (
        grpc.aio.insecure_channel(rig.stack.grpc["messaging"]) as to_sender,
        grpc.aio.insecure_channel(
            rig.stack.grpc["messaging"], options=(("grpc.use_local_subchannel_pool", 1),)
        ) as to_watchers,
    ):
        sender: Any = MessagingServiceStub(to_sender)
        watchers: Any = MessagingServiceStub(to_watchers)
        team, buyer = _bearer(rig.stack.token("seller", seller=SELLER)), _bearer(_token(rig))
        crowd = [
            watchers.WatchConversation(
                messaging.WatchConversationRequest(name=others[number % WATCHED]), metadata=team
            )
            for number in range(WATCHERS)
        ]
        await asyncio.gather(*(each.initial_metadata() for each in crowd))
        seen = watchers.WatchConversation(messaging.WatchConversationRequest(name=name), metadata=team)
        await seen.initial_metadata()
        for number in range(SAID):
            began = time.perf_counter()
            request = messaging.SendMessageRequest(
                parent=name, text=str(number), request_id=f"bench-{number}"
            )
            sending = asyncio.ensure_future(sender.SendMessage(request, metadata=buyer, timeout=CALL_SECONDS))
            async with asyncio.timeout(CALL_SECONDS):
                while (await seen.read()).entry.message.text != str(number):
                    pass
            seconds.append(time.perf_counter() - began)
            await sending
            calls.append(time.perf_counter() - began)
        for each in (*crowd, seen):
            each.cancel()
    ordered, p50 = sorted(seconds), median(seconds) * 1000
    return Figure(
        name="a message to a watcher, ms",
        measured=f"p50 {p50:.1f}, p99 {ordered[len(ordered) * 99 // 100] * 1000:.1f}",
        floor=f"p50 {median(calls) * 1000:.1f} until SendMessage had answered as well",
        result=f"p50 {p50:.1f} ms",
        goal=f"p50 below {WATCH_P50_GOAL:g}",
        reached=p50 < WATCH_P50_GOAL,
        details=(
            f"{SAID} messages, one after the other, from SendMessage sent to another connection's watcher",
            f"{WATCHERS:,} more watchers of {WATCHED} other conversations",
        ),
    )


async def _begin(rig: Rig, count: int) -> list[str]:
    """New conversations of the bench's buyer."""
    async with grpc.aio.insecure_channel(rig.stack.grpc["messaging"]) as channel:
        stub: Any = MessagingServiceStub(channel)
        request = messaging.CreateInquiryRequest(seller=f"sellers/{SELLER}", title="Bench", text="Hello")
        made = [
            await stub.CreateInquiry(request, metadata=_bearer(_token(rig)), timeout=CALL_SECONDS)
            for _ in range(count)
        ]
    return [each.conversation.name for each in made]


async def _send(rig: Rig, name: str, count: int) -> Sequence[Any]:
    """The rows that the floor copies."""
    async with grpc.aio.insecure_channel(rig.stack.grpc["messaging"]) as channel:
        stub: Any = MessagingServiceStub(channel)
        return [
            await stub.SendMessage(
                messaging.SendMessageRequest(parent=name, text="Hello", request_id=f"template-{number}"),
                metadata=_bearer(_token(rig)),
                timeout=CALL_SECONDS,
            )
            for number in range(count)
        ]


def _token(rig: Rig) -> str:
    return rig.stack.token("buyer", user=BUYER)


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)
