"""What it means that a mail server does not know an address, whoever says so."""

from __future__ import annotations

from collections.abc import Collection

from chassis.db import Transaction
from chassis.kernel.clock import Clock
from services.messaging.app.magic_link_ports import Links
from services.messaging.app.profiles import Profiles
from services.messaging.domain import profile as profiles


class Bounces:
    """Takes note of addresses that are nobody's."""

    def __init__(self, people: Profiles, links: Links, clock: Clock) -> None:
        self._people = people
        self._links = links
        self._clock = clock

    async def note(self, tx: Transaction, user: str, addresses: Collection[str]) -> None:
        """Nothing more is sent to the address of `user`, and no link that was sent there works any more,
        unless it was changed since.
        """
        found = await self._people.load_for_update(tx, user)
        changed = profiles.bounced(found, addresses, now=self._clock.now())
        if changed is not found:
            await self._people.save(tx, changed)
            await self._links.revoke(tx, user)
