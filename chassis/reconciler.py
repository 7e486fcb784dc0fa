"""Looks once a minute whether what was committed also reaches the others.

The relay notices a lost stream and publishes again by itself; what is left to look for here is an outbox
that does not empty, which nobody would notice otherwise: commands keep succeeding.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from chassis import metrics, telemetry
from chassis.bus import Bus
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import Refusal
from chassis.outbox import Relay

INTERVAL_SECONDS = 60.0
ALARM_AGE = timedelta(minutes=1)
STALLED_AGE = timedelta(minutes=5)

_log = telemetry.logger("reconciler")


class Reconciler:
    """Watches the outbox of one service."""

    def __init__(self, service: str, relay: Relay, bus: Bus, clock: Clock) -> None:
        self._service = service
        self._relay = relay
        self._bus = bus
        self._clock = clock
        self._connected_since: datetime | None = None
        self._age = metrics.OUTBOX_OLDEST_SECONDS.labels(service)
        self._alarm = metrics.OUTBOX_ALARM.labels(service)

    async def run(self) -> None:
        """Look for ever, INTERVAL_SECONDS apart."""
        while True:
            try:
                await self.look()
            except Refusal as refusal:
                _log.warning("reconciler_waits", reason=refusal.reason)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def look(self) -> bool:
        """Raise or lower the alarm, and answer whether it is raised."""
        age = await self._relay.oldest_age() or timedelta(0)
        alarming = age > ALARM_AGE
        self._age.set(age.total_seconds())
        self._alarm.set(alarming)
        if alarming:
            seconds = round(age.total_seconds())
            _log.error("outbox_alarm", oldest_seconds=seconds, broker_connected=self._bus.is_connected)
        return alarming

    async def problem(self) -> str:
        """Why the outbox makes the service unready, empty if it does not.

        An absent broker never does. With a broker that has been there for STALLED_AGE, events that are older
        still mean that this process cannot do its work.
        """
        if not self._bus.is_connected:
            self._connected_since = None
            return ""
        now = self._clock.now()
        self._connected_since = self._connected_since or now
        if now - self._connected_since < STALLED_AGE:
            return ""
        age = await self._relay.oldest_age() or timedelta(0)
        return f"events have been waiting for {round(age.total_seconds())} s" if age > STALLED_AGE else ""
