"""Tells the other replicas what they should no longer remember. Best effort: their memory is short anyway."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Final

from chassis.bus import Bus
from chassis.telemetry import logger

SUBJECT: Final = "parley.gating.changed"
"""Outside of every stream: nobody keeps these."""

Changed = Callable[[str, tuple[str, ...]], None]
"""Is told the kind and the names of what changed."""

_log = logger(__name__)


class Announcements:
    """Broadcasts names of what changed."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def announce(self, kind: str, *names: str) -> None:
        """Something of this `kind` changed. Never fails: a lost word costs a second of staleness."""
        try:
            await self._bus.broadcast(SUBJECT, json.dumps([kind, *names]).encode())
        except Exception as error:  # noqa: BLE001 - the change is committed, whatever the broker does
            _log.warning("announcement_lost", kind=kind, error_type=type(error).__name__)


def listener(changed: Changed) -> Callable[[str, bytes], Awaitable[None]]:
    """What hears announcements, and passes them on."""

    async def received(_subject: str, body: bytes) -> None:
        kind, *names = json.loads(body)
        changed(kind, tuple(names))

    return received
