"""How an event travels: a bare protobuf body and CloudEvents headers in binary mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis.kernel.ids import Ids
from chassis.telemetry import TRACEPARENT, current_traceparent
from parley.type.v1 import event_pb2

MESSAGE_ID: Final = "Nats-Msg-Id"
CONTENT_TYPE: Final = "application/protobuf"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as it is stored in the outbox.

    `aggregate` is the resource name, `version` the aggregate's version after the change (one event for each).
    """

    event_id: str
    aggregate: str
    version: int
    message: Message
    subject: str
    time: datetime
    traceparent: str
    rows: tuple[tuple[Any, Mapping[str, Any]], ...] = ()
    """Rows that tell the same fact in tables of the service's own, as (table, every column): written together
    with the event, so that no path that records it can leave them out. A row that is there already stays.
    """

    @property
    def type(self) -> str:
        """The full name of the message, such as ``parley.offers.v1.OfferAccepted``."""
        name: str = self.message.DESCRIPTOR.full_name
        return name


class Order(Enum):
    """What a reaction demands of the order of deliveries."""

    EACH = "each"
    """Every event once, in any order; told apart by event id."""
    LATEST = "latest"
    """Snapshots: applied only when the version is newer than the one that was applied last."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it reaches a reaction."""

    consumer: str
    event_id: str
    type: str
    aggregate: str
    version: int
    time: datetime
    order: Order = Order.EACH


@dataclass(frozen=True, slots=True)
class Headers:
    """The headers of a delivered event. ValueError from `decode` when they are not ours."""

    event_id: str
    type: str
    aggregate: str
    version: int
    time: datetime
    traceparent: str

    @classmethod
    def decode(cls, headers: Mapping[str, str]) -> Headers:
        """Reads CloudEvents headers."""
        try:
            return cls(
                event_id=headers["ce-id"],
                type=headers["ce-type"],
                aggregate=headers["ce-subject"],
                version=int(headers["ce-sequence"]),
                time=datetime.fromisoformat(headers["ce-time"]),
                traceparent=headers.get(TRACEPARENT, ""),
            )
        except KeyError as missing:
            raise ValueError(f"header {missing} is missing") from missing

    def delivery(self, consumer: str, order: Order) -> Delivery:
        """What a reaction of `consumer` learns."""
        return Delivery(consumer, self.event_id, self.type, self.aggregate, self.version, self.time, order)


def encode_headers(
    *, event_id: str, type_name: str, aggregate: str, version: int, time: datetime, traceparent: str
) -> dict[str, str]:
    """The headers that `Headers.decode` reads."""
    headers = {
        MESSAGE_ID: event_id,
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": type_name,
        "ce-source": source_of(type_name),
        "ce-subject": aggregate,
        "ce-time": time.astimezone(UTC).isoformat(),
        "ce-sequence": str(version),
        "content-type": CONTENT_TYPE,
    }
    if traceparent:
        headers[TRACEPARENT] = traceparent
    return headers


def source_of(type_name: str) -> str:
    """The producer of an event type: ``parley.offers.v1.OfferAccepted`` comes from ``/parley/offers``."""
    package, producer = type_name.split(".")[:2]
    return f"/{package}/{producer}"


def subject_of(message: Message, aggregate: str) -> str:
    """``<package>.<aggregate>.<verb>.<id>``, from the event option of the message and the aggregate's last
    segment.

    ValueError when the message is not marked as an event.
    """
    return f"{_subject_prefix(message.DESCRIPTOR)}.{aggregate.rpartition('/')[2]}"


@lru_cache(maxsize=1024)
def _subject_prefix(descriptor: Descriptor) -> str:
    option = descriptor.GetOptions().Extensions[event_pb2.event]
    if not option.aggregate or not option.verb:
        raise ValueError(f"{descriptor.full_name} has no (parley.type.v1.event) option")
    return f"{descriptor.file.package}.{option.aggregate}.{option.verb}"


def record_for(
    message: Message, *, aggregate: str, version: int, ids: Ids, time: datetime, subject: str = ""
) -> EventRecord:
    """The record of an event that happened at `time`, in the trace of the running call.

    The subject follows from the message's event option unless it is given.
    """
    return EventRecord(
        event_id=ids.new(),
        aggregate=aggregate,
        version=version,
        message=message,
        subject=subject or subject_of(message, aggregate),
        time=time,
        traceparent=current_traceparent(),
    )
