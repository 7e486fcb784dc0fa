"""Events of services that are not running: published as their own relay would."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import Message

from chassis.bus import Bus
from chassis.envelope import EventRecord, encode_headers, record_for
from chassis.kernel.ids import SequentialIds

CONNECT_SECONDS = 20.0
_FAMILY = 977


class ForeignProducer:
    """Stands for every other service on the bus of a running one."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._ids = SequentialIds(_FAMILY)

    def record(self, message: Message, *, aggregate: str, version: int, time: datetime) -> EventRecord:
        """An event that is not published yet."""
        return record_for(message, aggregate=aggregate, version=version, ids=self._ids, time=time)

    async def publish(self, message: Message, *, aggregate: str, version: int, time: datetime) -> EventRecord:
        """Publishes an event; the record can be given to `again`."""
        record = self.record(message, aggregate=aggregate, version=version, time=time)
        await self.again(record)
        return record

    async def again(self, record: EventRecord, *, as_new_message: bool = False) -> None:
        """Publishes a record once more.

        `as_new_message` hides from the broker that it knows it, as after its window of duplicates.
        """
        headers = headers_of(record)
        if as_new_message:
            headers.pop("Nats-Msg-Id")
        assert await self._bus.wait_connected(CONNECT_SECONDS)
        await self._bus.ensure_stream(record.type.split(".")[1])
        await self._bus.publish(record.subject, headers, record.message.SerializeToString())


def headers_of(record: EventRecord) -> dict[str, str]:
    """What an event travels with."""
    return encode_headers(
        event_id=record.event_id,
        type_name=record.type,
        aggregate=record.aggregate,
        version=record.version,
        time=record.time,
        traceparent=record.traceparent,
    )
