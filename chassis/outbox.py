"""The relay: moves committed events from the outbox to the stream, losing none and keeping their order.

One replica leads, by a lease row. It claims unpublished rows by ``FOR UPDATE SKIP LOCKED`` (never by a
position, which misses rows that commit late), publishes the versions of one aggregate one after the other
and those of different aggregates at once, and marks a row only after the stream has promised to keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from prometheus_client import Counter

from chassis import retention
from chassis.bus import Bus, BusUnavailable, RefusedByBroker, StreamMissing
from chassis.db import Database
from chassis.envelope import MESSAGE_ID, encode_headers
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids, UuidV7
from chassis.kernel.refusal import Refusal
from chassis.telemetry import logger

_log = logger(__name__)

POLL_SECONDS: Final = 1.0
LEASE: Final = timedelta(seconds=10)
AGGREGATES: Final = 256
"""Aggregates claimed at once."""
BATCH: Final = 512
"""Events claimed at once."""
CONCURRENCY: Final = 64
STREAM_CHECK_SECONDS: Final = 60.0
PRUNE_SECONDS: Final = 3_600.0
FIRST_RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 5.0

PUBLISHED = Counter(
    "parley_outbox_published", "Events handed to the stream, by outcome.", ("producer", "outcome")
)

# A lease or a mark that a crash of the database forgets does no harm: two relays may overlap, and the stream
# knows what it has.
_BEGIN = "BEGIN; SET LOCAL synchronous_commit = off"
# `previous` is what keeps the order even if two relays overlap: a row goes out only after the one before it.
# `event_id > ''` says nothing about the rows: it lets this query alone use the index by event id. How many
# rows wait is news to the planner, whose figures say none: it would take that index for all three, and read
# the whole backlog once for each event.
CLAIM = """
WITH oldest AS MATERIALIZED (
    SELECT DISTINCT aggregate FROM (
        SELECT aggregate FROM outbox WHERE published_at IS NULL AND event_id > '' ORDER BY event_id LIMIT $1
    ) AS first
)
SELECT held.*, (
    SELECT earlier.version FROM outbox AS earlier
    WHERE earlier.aggregate = held.aggregate AND earlier.version < held.version
        AND earlier.published_at IS NULL
    ORDER BY earlier.version DESC LIMIT 1
) AS previous
FROM oldest CROSS JOIN LATERAL (
    SELECT event_id, aggregate, version, type, subject, time, traceparent, body FROM outbox
    WHERE outbox.aggregate = oldest.aggregate AND published_at IS NULL
    ORDER BY version LIMIT $2 FOR UPDATE SKIP LOCKED
) AS held
ORDER BY held.aggregate, held.version LIMIT $2
"""
_MARK = "UPDATE outbox SET published_at = $1 WHERE event_id = ANY($2)"
_LED_BY_ANOTHER = "SELECT 1 FROM lease WHERE name = 'relay' AND holder <> $1 AND expire_time >= $2"
_LEAD = (
    "INSERT INTO lease AS held (name, holder, expire_time) VALUES ('relay', $1, $2) "
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time "
    "WHERE held.holder = excluded.holder OR held.expire_time < $3"
)
_RELEASE = "DELETE FROM lease WHERE name = 'relay' AND holder = $1"
_OLDEST = "SELECT min(time) FROM outbox WHERE published_at IS NULL"
_REPUBLISH = (
    "UPDATE outbox SET published_at = NULL "
    "WHERE published_at IS NOT NULL AND ($1::timestamptz IS NULL OR time >= $1)"
)
_KNOWN_STREAM = "SELECT created FROM stream_state WHERE stream = $1"
_KEEP_STREAM = (
    "INSERT INTO stream_state (stream, created) VALUES ($1, $2) "
    "ON CONFLICT (stream) DO UPDATE SET created = excluded.created"
)


class Relay:
    """The relay of one replica of the service `producer`."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, *, producer: str, ids: Ids | None = None
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._producer = producer
        self._ids = ids or UuidV7(clock)
        self._holder = self._ids.new()
        self._leading_until: datetime | None = None
        self._check_stream_at = 0.0
        self._prune_at = 0.0
        self._last_sequence = 0
        self._turn = asyncio.Lock()
        self._stopping = False
        # Events of a replica that does not lead would wait for the leader's poll; so it tells the leader.
        self._wake_subject = f"parley.relay.{producer}"
        bus.on_connected(self._look_at_stream)

    @property
    def is_leading(self) -> bool:
        """Whether this replica holds the lease, as of when it last looked."""
        return self._leading_until is not None and self._clock.now() < self._leading_until

    async def run(self) -> None:
        """Publishes until cancelled or stopped, through every loss of the database and the broker."""
        await self._bus.listen(self._wake_subject, self._woken)
        await self._bus.listen_for_loss(self._producer, self._look_at_stream)
        failures = 0
        while not self._stopping:
            self._database.events_written.clear()
            try:
                more = await self._publish_some()
                failures = 0
            except (BusUnavailable, Refusal) as error:
                failures += 1
                more = False
                _log.warning("relay_waits", producer=self._producer, reason=str(error))
                await asyncio.sleep(min(FIRST_RETRY_SECONDS * 2**failures, LONGEST_RETRY_SECONDS))
            if not more and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._database.events_written.wait(), POLL_SECONDS)

    def stop(self) -> None:
        """Ends `run` after the batch that is under way."""
        self._stopping = True
        self._database.events_written.set()

    async def flush(self) -> None:
        """Publishes everything that is committed now; BusUnavailable when the broker is away. Does nothing
        when another replica leads.
        """
        while await self._publish_some():
            pass

    async def release(self) -> None:
        """Lets another replica lead at once."""
        self._leading_until = None
        async with self._database.connection() as connection:
            await connection.execute(_RELEASE, self._holder)

    async def republish(self, since: datetime | None = None) -> int:
        """Publishes again every event that is still kept and happened at or after `since`; answers how
        many. The leader does it, whichever replica that is.
        """
        async with self._database.connection() as connection:
            count = int((await connection.execute(_REPUBLISH, since)).split()[-1])
        _log.info("republish", producer=self._producer, events=count)
        self._database.events_written.set()
        return count

    async def oldest_age(self) -> timedelta | None:
        """How long the oldest unpublished event has been waiting; None when none is."""
        async with self._database.connection() as connection:
            oldest = await connection.fetchval(_OLDEST)
        return None if oldest is None else self._clock.now() - oldest

    async def _publish_some(self) -> bool:
        """Publishes one batch; answers whether there may be more."""
        async with self._turn:
            if not await self._lead():
                await self._bus.broadcast(self._wake_subject, b"")
                return False
            await self._keep_house()
            return await self._publish_batch()

    async def _lead(self) -> bool:
        now = self._clock.now()
        if self._leading_until is not None and self._leading_until - now > LEASE / 2:
            return True
        async with self._database.connection() as connection:
            # Asked first: also an upsert that changes nothing locks the row, and waits for the disk.
            if await connection.fetchval(_LED_BY_ANOTHER, self._holder, now):
                self._leading_until = None
                return False
            await connection.execute(_BEGIN)
            status = await connection.execute(_LEAD, self._holder, now + LEASE, now)
            await connection.execute("COMMIT")
        if status != "INSERT 0 1":
            self._leading_until = None
            return False
        if self._leading_until is None:
            _log.info("relay_leads", producer=self._producer)
            self._check_stream_at = 0.0
        self._leading_until = now + LEASE
        return True

    async def _keep_house(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._check_stream_at:
            await self._check_stream()
            self._check_stream_at = now + STREAM_CHECK_SECONDS
        if now >= self._prune_at:
            async with self._database.connection() as connection:
                await retention.prune(connection, self._clock.now())
            self._prune_at = now + PRUNE_SECONDS

    async def _check_stream(self) -> None:
        """Notices a stream that was lost and made again, and fills it with everything that is still kept."""
        stream = await self._bus.ensure_stream(self._producer)
        async with self._database.connection() as connection:
            known = await connection.fetchval(_KNOWN_STREAM, stream.name)
            if known == stream.created:
                return
            await connection.execute("BEGIN")
            if known is not None:
                status = await connection.execute(_REPUBLISH, None)
                _log.warning("stream_recreated", stream=stream.name, republished=status.split()[-1])
            await connection.execute(_KEEP_STREAM, stream.name, stream.created)
            await connection.execute("COMMIT")
        self._last_sequence = 0

    async def _publish_batch(self) -> bool:
        failures: list[BusUnavailable] = []
        async with self._database.connection() as connection:
            await connection.execute(_BEGIN)
            rows = await connection.fetch(CLAIM, AGGREGATES, BATCH)
            if not rows:
                return False
            limit = asyncio.Semaphore(CONCURRENCY)
            published: list[str] = []
            groups = [list(group) for _, group in groupby(rows, key=itemgetter("aggregate"))]
            # Every outcome is awaited: an event that was published must be marked even if another one failed.
            await asyncio.gather(
                *(self._publish_in_order(group, limit, published, failures) for group in groups)
            )
            if published:
                await connection.execute(_MARK, self._clock.now(), published)
                await connection.execute("COMMIT")
        PUBLISHED.labels(self._producer, "published").inc(len(published))
        if failures:
            PUBLISHED.labels(self._producer, "failed").inc(len(failures))
            if any(isinstance(failure, StreamMissing) for failure in failures):
                self._check_stream_at = 0.0
            raise failures[0]
        return len(rows) == BATCH or len(groups) == AGGREGATES

    async def _publish_in_order(
        self,
        rows: Iterable[Any],
        limit: asyncio.Semaphore,
        published: list[str],
        failures: list[BusUnavailable],
    ) -> None:
        before: int | None = None
        async with limit:
            for row in rows:
                if row["previous"] != before:
                    return
                before = row["version"]
                if failures:
                    # The broker is away: asking on for each of the others would only take its time.
                    return
                try:
                    await self._publish(row)
                except RefusedByBroker as error:
                    # Only this aggregate has to wait.
                    _log.error("event_refused", event_id=row["event_id"], reason=str(error))
                    PUBLISHED.labels(self._producer, "refused").inc()
                    return
                except BusUnavailable as error:
                    failures.append(error)
                    return
                published.append(row["event_id"])

    async def _publish(self, row: Any) -> None:
        headers = encode_headers(
            event_id=row["event_id"],
            type_name=row["type"],
            aggregate=row["aggregate"],
            version=row["version"],
            time=row["time"],
            traceparent=row["traceparent"],
        )
        promise = await self._bus.publish(row["subject"], headers, row["body"])
        if promise.duplicate:
            if await self._bus.keeps(self._producer, promise.sequence, row["event_id"]):
                return
            # The broker remembers ids longer than it keeps what was purged or lost; only a new id gets in.
            headers[MESSAGE_ID] = f"{row['event_id']}+{self._ids.new()}"
            promise = await self._bus.publish(row["subject"], headers, row["body"])
        if promise.sequence == 1 and self._last_sequence > 1:
            # A stream that starts over is not the one that was published to so far.
            self._check_stream_at = 0.0
        self._last_sequence = promise.sequence

    def _look_at_stream(self) -> None:
        self._check_stream_at = 0.0
        self._database.events_written.set()

    async def _woken(self, _subject: str, _body: bytes) -> None:
        self._database.events_written.set()
