"""Gives people addresses to answer to, in the mails that they get."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Final

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from services.messaging.app.mail_in_ports import ReplyAddresses
from services.messaging.domain import reply_address as addresses
from services.messaging.domain.mail import Mail
from services.messaging.domain.reply_address import ReplyAddress

EXPIRE: Final = "reply_address.expire"
"""Timer: a reply address is forgotten."""


@dataclass(frozen=True, slots=True)
class ReplyDomain:
    """The domain of the addresses, in lower case, and the secret by which they are known; both empty where
    nobody can answer by mail.
    """

    name: str
    key: str

    def address(self, purpose: addresses.Purpose, address_id: str) -> str:
        """The whole address."""
        return f"{addresses.local_part(purpose, address_id, self.key)}@{self.name}"


class ReplyIssuer:
    """Makes addresses, and writes them into mails."""

    def __init__(self, store: ReplyAddresses, domain: ReplyDomain, clock: Clock) -> None:
        self._store = store
        self._domain = domain
        self._clock = clock

    async def issue(self, tx: Transaction, *, conversation: str, user: str) -> None:
        """Sees to it that `user` has a fresh address for a conversation, unless nobody can answer by mail."""
        now = self._clock.now()
        if not self._domain.name or not conversation:
            return
        since = now - addresses.FRESH
        if await self._store.newest(tx, conversation=conversation, user=user, since=since) is None:
            address_id = addresses.id_of(secrets.token_bytes(addresses.ID_BYTES))
            made = ReplyAddress(address_id, conversation, user, now)
            await self._store.add(tx, made)
            tx.schedule(EXPIRE, made.id, made.expire_time)

    async def addressed(self, tx: Transaction, mail: Mail) -> Mail:
        """The mail with the address to which it is answered, if it is about one conversation, and the one to
        which it comes back.
        """
        if not self._domain.name:
            return mail
        bounce = self._domain.address(addresses.Purpose.BOUNCE, addresses.bounce_id(mail.id))
        about = {item.conversation for item in mail.items}
        if len(about) != 1:
            return replace(mail, bounce_to=bounce)
        since = self._clock.now() - addresses.LIFE / 2
        found = await self._store.newest(tx, conversation=about.pop(), user=mail.recipient.user, since=since)
        reply = "" if found is None else self._domain.address(addresses.Purpose.REPLY, found.id)
        return replace(mail, reply_to=reply, bounce_to=bounce)


class ReplyAddressTimers:
    """Forgets addresses."""

    def __init__(self, database: Database, store: ReplyAddresses) -> None:
        self._database = database
        self._store = store

    async def expire(self, timer: DueTimer) -> None:
        """One that has expired."""
        await self._database.fire(timer, lambda tx: self._store.delete(tx, timer.key))
