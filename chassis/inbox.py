"""Taking in the events of other services: each once, in any order, none in the way of the rest."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from prometheus_client import Counter

from chassis.bus import Bus
from chassis.db import Database
from chassis.dead_letters import DeadLetter, DeadLetters
from chassis.envelope import Delivery, Headers, Order
from chassis.kernel.refusal import Kind, Refusal
from chassis.puller import Puller
from chassis.telemetry import logger, working

_log = logger(__name__)

M = TypeVar("M", bound=Message)
T = TypeVar("T")

MAX_DELIVERIES: Final = 8
RETRY_DELAYS_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 30.0)
TRACKED_AGGREGATES: Final = 10_000
"""Aggregates whose last version is remembered to notice gaps."""

DELIVERIES = Counter(
    "parley_deliveries", "Events that a consumer received, by outcome.", ("consumer", "outcome")
)
GAPS = Counter("parley_delivery_gaps", "Versions of aggregates that a consumer never saw.", ("consumer",))


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a consumer does with one type of event."""

    message: type[Message]
    decode: Callable[[Any], Any]
    reaction: Callable[[Delivery, Any], Awaitable[None]]
    order: Order

    @property
    def type(self) -> str:
        """The full name of the event's message."""
        name: str = self.message.DESCRIPTOR.full_name
        return name


def on(
    message: type[M],
    decode: Callable[[M], T],
    reaction: Callable[[Delivery, T], Awaitable[None]],
    *,
    order: Order = Order.EACH,
) -> Subscription:
    """Subscribes `reaction` to an event. `decode` is pure; the reaction owns its transaction, through
    ``database.react(delivery, work)``.
    """
    return Subscription(message, decode, reaction, order)


class Undecodable(Exception):
    """An event whose headers or body are not what its type promises; no retry can help."""


class Reactions:
    """The switchboard of one consumer: event type to reaction."""

    def __init__(self, consumer: str, subscriptions: Sequence[Subscription]) -> None:
        self.consumer = consumer
        self._by_type = {subscription.type: subscription for subscription in subscriptions}
        if len(self._by_type) != len(subscriptions):
            raise ValueError(f"{consumer} subscribes twice to one type")

    async def handle(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Reacts to an event; False when nobody here is interested in its type. Raises Undecodable, and
        what the reaction raises.
        """
        subscription = self._by_type.get(headers.get("ce-type", ""))
        if subscription is None:
            if "ce-type" not in headers:
                raise Undecodable("header ce-type is missing")
            return False
        try:
            meta = Headers.decode(headers)
            message = subscription.message()
            message.ParseFromString(body)
            content = subscription.decode(message)
        except (ValueError, KeyError, TypeError, DecodeError, Refusal) as error:
            raise Undecodable(f"{type(error).__name__}: {error}") from error
        with working(f"{self.consumer} {subscription.type}", meta.traceparent, kind="consumer"):
            await subscription.reaction(meta.delivery(self.consumer, subscription.order), content)
        return True

    async def redo(self, headers: Mapping[str, str], body: bytes) -> None:
        """`handle` for a dead letter."""
        await self.handle(headers, body)


class Consumer:
    """Reads the stream of one producer on behalf of one service: ``orders-on-offers``.

    A failed event is tried again with a growing delay, 8 times in all; then, or at once when it cannot be
    decoded, it becomes a dead letter. While the storage is away, nothing is given up.
    """

    def __init__(self, *, producer: str, reactions: Reactions, bus: Bus, database: Database) -> None:
        self.reactions = reactions
        self._name = reactions.consumer
        self._database = database
        self._dead_letters = DeadLetters(database)
        self._puller = Puller(bus, producer, self._name, self._receive)
        self._versions: OrderedDict[str, int] = OrderedDict()

    async def run(self) -> None:
        """Consumes until cancelled or stopped."""
        await self._puller.run()

    def stop(self) -> None:
        """Takes nothing new; `run` ends when what has arrived is handled."""
        self._puller.stop()

    async def caught_up(self) -> None:
        """Waits until every event in the stream is dealt with."""
        await self._puller.caught_up()

    async def _receive(self, message: Msg) -> None:
        headers = message.headers or {}
        try:
            known = await self.reactions.handle(headers, message.data)
        except Undecodable as error:
            await self._give_up(message, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it was, the event is tried again or set aside
            await self._failed(message, error)
        else:
            self._note_version(headers)
            self._count("handled" if known else "ignored")
            await message.ack()

    async def _failed(self, message: Msg, error: Exception) -> None:
        deliveries = message.metadata.num_delivered
        is_storage_away = isinstance(error, Refusal) and error.kind in {Kind.UNAVAILABLE, Kind.EXHAUSTED}
        _log.warning(
            "reaction_failed",
            consumer=self._name,
            event_id=(message.headers or {}).get("ce-id"),
            deliveries=deliveries,
            error_type=type(error).__name__,
            exc_info=not isinstance(error, Refusal),
        )
        if deliveries >= MAX_DELIVERIES and not is_storage_away:
            await self._give_up(message, f"{type(error).__name__}: {error}")
            return
        self._count("retried")
        await message.nak(RETRY_DELAYS_SECONDS[min(deliveries, len(RETRY_DELAYS_SECONDS)) - 1])

    async def _give_up(self, message: Msg, reason: str) -> None:
        headers = message.headers or {}
        meta = message.metadata
        letter = DeadLetter(
            consumer=self._name,
            event_id=headers.get("ce-id") or f"{meta.stream}-{meta.sequence.stream}",
            subject=message.subject,
            headers=headers,
            body=message.data,
            reason=reason,
            deliveries=meta.num_delivered,
            create_time=self._database.clock.now(),
        )
        try:
            await self._dead_letters.keep(letter)
        except Refusal:
            await message.nak(RETRY_DELAYS_SECONDS[-1])
            return
        _log.error("dead_letter", consumer=self._name, event_id=letter.event_id, reason=letter.reason)
        self._count("dead")
        await message.term()

    def _note_version(self, headers: Mapping[str, str]) -> None:
        aggregate, sequence = headers.get("ce-subject", ""), headers.get("ce-sequence", "")
        if not sequence.isdecimal():
            return
        version, last = int(sequence), self._versions.get(aggregate, 0)
        if version > last + 1 and last:
            GAPS.labels(self._name).inc(version - last - 1)
        self._versions[aggregate] = max(version, last)
        self._versions.move_to_end(aggregate)
        if len(self._versions) > TRACKED_AGGREGATES:
            self._versions.popitem(last=False)

    def _count(self, outcome: str) -> None:
        DELIVERIES.labels(self._name, outcome).inc()
