"""Keeps webhooks in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.ids import is_id
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.tables import conversation as conversations
from services.messaging.adapters.webhook_tables import webhook_delivery as deliveries
from services.messaging.adapters.webhook_tables import webhook_endpoint as endpoints
from services.messaging.domain.timeline import Entry
from services.messaging.domain.webhook import Delivery, Endpoint, EndpointState, State

# One round trip for an entry, also where nobody is told.
_QUEUE = text("""
WITH queued AS (
  INSERT INTO webhook_delivery (endpoint_id, id, conversation_id, type, body, state, attempts, status,
    problem, create_time)
  SELECT webhook_endpoint.id, CAST(:id AS uuid), :conversation, :type, :body, 'waiting', 0, 0, '', :time
  FROM webhook_endpoint JOIN conversation ON conversation.seller = webhook_endpoint.seller
  WHERE conversation.id = :conversation AND webhook_endpoint.state = 'enabled'
    AND webhook_endpoint.create_time <= :time
  ON CONFLICT DO NOTHING RETURNING endpoint_id
)
SELECT CAST(queued.endpoint_id AS text) AS endpoint_id, webhook_endpoint.seller
FROM queued JOIN webhook_endpoint ON webhook_endpoint.id = queued.endpoint_id
WHERE NOT EXISTS (
  SELECT 1 FROM webhook_delivery AS before WHERE before.endpoint_id = queued.endpoint_id
    AND before.conversation_id = :conversation AND before.state = 'waiting')
""")
_ENDPOINT = select(endpoints).where(
    endpoints.c.id == bindparam("id"), endpoints.c.seller == bindparam("seller")
)
_ENDPOINT_LOCKED = _ENDPOINT.with_for_update()
_COUNT = select(func.count()).select_from(endpoints).where(endpoints.c.seller == bindparam("seller"))
_LOCK_SELLER = text("SELECT id FROM webhook_endpoint WHERE seller = :seller FOR UPDATE")
_SAVE = update(endpoints).where(endpoints.c.id == bindparam("found"))
_REMOVE = delete(endpoints).where(endpoints.c.id == bindparam("id"))
_OF_ENDPOINT = select(deliveries, endpoints.c.seller).join(
    endpoints, endpoints.c.id == deliveries.c.endpoint_id
)
_FIRST = (
    _OF_ENDPOINT.where(
        deliveries.c.endpoint_id == bindparam("endpoint"),
        deliveries.c.conversation_id == bindparam("conversation"),
        deliveries.c.state == State.WAITING.value,
    )
    .order_by(deliveries.c.position)
    .limit(1)
)
_DELIVERY = _OF_ENDPOINT.where(
    deliveries.c.endpoint_id == bindparam("endpoint"),
    deliveries.c.id == bindparam("id"),
    endpoints.c.seller == bindparam("seller"),
)
_FIRST_LOCKED = _FIRST.with_for_update(of=deliveries)
_DELIVERY_LOCKED = _DELIVERY.with_for_update(of=deliveries)
_UPDATE = update(deliveries).where(
    deliveries.c.endpoint_id == bindparam("endpoint"),
    deliveries.c.id == bindparam("found"),
    deliveries.c.state == bindparam("before"),
)
_GIVE_UP = (
    update(deliveries)
    .where(deliveries.c.endpoint_id == bindparam("endpoint"), deliveries.c.state == State.WAITING.value)
    .values(state=State.FAILED.value)
)
_FORGET = text("""
DELETE FROM webhook_delivery WHERE (endpoint_id, id) IN (
  SELECT endpoint_id, id FROM webhook_delivery WHERE state <> 'waiting' AND create_time < :before
  ORDER BY create_time LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING id
""")
_LOCK = select(conversations.c.id).where(conversations.c.id == bindparam("id")).with_for_update()


class WebhookRepository:
    """Implements `app.webhook_ports.Webhooks`."""

    async def add(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Adds an endpoint."""
        made = {"id": endpoint.id, "seller": endpoint.seller, "url": endpoint.url}
        await tx.execute(
            insert(endpoints), {**made, **_changing(endpoint), "create_time": endpoint.create_time}
        )

    async def save(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Its state and its secrets."""
        await tx.execute(_SAVE, {"found": endpoint.id, **_changing(endpoint)})

    async def endpoint(self, tx: Transaction, name: str, *, locked: bool = False) -> Endpoint | None:
        """The endpoint of this name."""
        seller, _, endpoint_id = name.partition("/webhookEndpoints/")
        if not is_id(endpoint_id):
            return None
        query = _ENDPOINT_LOCKED if locked else _ENDPOINT
        row = await tx.fetch_one(query, {"id": endpoint_id, "seller": seller})
        return None if row is None else _endpoint(row)

    async def endpoints(self, tx: Transaction, seller: str, page: PageRequest) -> Page[Endpoint]:
        """Keyset by id: the oldest first."""
        query = keyset(select(endpoints).where(endpoints.c.seller == seller), (endpoints.c.id,), page)
        found = [_endpoint(row) for row in await tx.fetch_all(query)]
        return page_of(found, page, lambda last: cursor_of(last.id))

    async def count(self, tx: Transaction, seller: str) -> int:
        """How many there are; two who add the very first one at once may both succeed."""
        await tx.fetch_all(_LOCK_SELLER, {"seller": seller})
        return int(await tx.scalar(_COUNT, {"seller": seller}) or 0)

    async def remove(self, tx: Transaction, endpoint: Endpoint) -> None:
        """Its deliveries go with it."""
        await tx.execute(_REMOVE, {"id": endpoint.id})

    async def queue(self, tx: Transaction, entry: Entry, *, kind: str, body: str) -> list[Delivery]:
        """Those whose turn it is at once."""
        values = {
            "id": entry.id,
            "conversation": key_of(entry.conversation),
            "type": kind,
            "body": body,
            "time": entry.create_time,
        }
        return [
            Delivery(
                endpoint=f"{row.seller}/webhookEndpoints/{row.endpoint_id}",
                id=entry.id,
                conversation=entry.conversation,
                type=kind,
                body=body,
                create_time=entry.create_time,
            )
            for row in await tx.fetch_all(_QUEUE, values)
        ]

    async def first(
        self, tx: Transaction, endpoint: str, conversation: str, *, locked: bool = False
    ) -> Delivery | None:
        """The oldest that waits."""
        values = {"endpoint": _id(endpoint), "conversation": key_of(conversation)}
        row = await tx.fetch_one(_FIRST_LOCKED if locked else _FIRST, values)
        return None if row is None else _delivery(row)

    async def delivery(self, tx: Transaction, name: str, *, locked: bool = False) -> Delivery | None:
        """The delivery of this name."""
        endpoint, _, delivery_id = name.partition("/deliveries/")
        seller, _, endpoint_id = endpoint.partition("/webhookEndpoints/")
        if not is_id(endpoint_id) or not is_id(delivery_id):
            return None
        values = {"endpoint": endpoint_id, "id": delivery_id, "seller": seller}
        row = await tx.fetch_one(_DELIVERY_LOCKED if locked else _DELIVERY, values)
        return None if row is None else _delivery(row)

    async def deliveries(self, tx: Transaction, endpoint: str, page: PageRequest) -> Page[Delivery]:
        """Keyset by (create time, id), the newest first."""
        query = _OF_ENDPOINT.where(deliveries.c.endpoint_id == _id(endpoint))
        query = keyset(query, (deliveries.c.create_time, deliveries.c.id), page, descending=True)
        found = [_delivery(row) for row in await tx.fetch_all(query)]
        return page_of(found, page, lambda last: cursor_of(last.create_time, last.id))

    async def update(self, tx: Transaction, before: Delivery, after: Delivery) -> None:
        """What came of an attempt."""
        values = {
            "endpoint": _id(after.endpoint),
            "found": after.id,
            "before": before.state.value,
            "state": after.state.value,
            "attempts": after.attempts,
            "status": after.status,
            "problem": after.problem,
            "attempt_time": after.attempt_time,
        }
        await tx.execute(_UPDATE, values)

    async def give_up(self, tx: Transaction, endpoint: str) -> None:
        """Fails whatever waits."""
        await tx.execute(_GIVE_UP, {"endpoint": _id(endpoint)})

    async def forget(self, tx: Transaction, before: datetime, most: int) -> int:
        """Removes deliveries of what happened before a time; what waits stays. Answers how many."""
        return len(await tx.fetch_all(_FORGET, {"before": before, "most": most}))

    async def lock(self, tx: Transaction, conversation: str) -> None:
        """The lock under which entries are added."""
        await tx.fetch_one(_LOCK, {"id": key_of(conversation)})


def _id(name: str) -> str:
    return name.rpartition("/")[2]


def _changing(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "secret": endpoint.secret,
        "old_secret": endpoint.old_secret,
        "old_secret_expire_time": endpoint.old_secret_expire_time,
        "state": endpoint.state.value,
    }


def _endpoint(row: Row[Any]) -> Endpoint:
    return Endpoint(
        seller=row.seller,
        id=row.id,
        url=row.url,
        secret=row.secret,
        create_time=row.create_time,
        state=EndpointState(row.state),
        old_secret=row.old_secret,
        old_secret_expire_time=row.old_secret_expire_time,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        endpoint=f"{row.seller}/webhookEndpoints/{row.endpoint_id}",
        id=row.id,
        conversation=PREFIX + row.conversation_id,
        type=row.type,
        body=row.body,
        create_time=row.create_time,
        state=State(row.state),
        attempts=row.attempts,
        status=row.status,
        problem=row.problem,
        attempt_time=row.attempt_time,
    )
