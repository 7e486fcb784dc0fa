"""The proof that a person reads what is sent to his address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from services.messaging.app.mail_ports import Mails, Verifications
from services.messaging.app.notifications import SEND
from services.messaging.app.profiles import Profiles, ProfileView, require_own
from services.messaging.domain import profile as profiles
from services.messaging.domain import refusals
from services.messaging.domain import verification as verifications
from services.messaging.domain.profile import EmailState, Profile

TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class VerifyEmail:
    """`user` is `users/{user}`, `token` what the mail to his address held."""

    user: str
    token: str


class EmailProofs:
    """Asks for proofs by mail."""

    def __init__(self, store: Verifications, mails: Mails, *, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._mails = mails
        self._clock = clock
        self._ids = ids

    async def ask(self, tx: Transaction, profile: Profile) -> None:
        """Sends a token to the address of a locked profile. Refusal VERIFICATION_LIMIT_REACHED."""
        now, token, mail = self._clock.now(), secrets.token_urlsafe(TOKEN_BYTES), self._ids.new()
        held = await self._store.load_for_update(tx, profile.user)
        await self._store.save(tx, verifications.ask(held, token=token, now=now))
        await self._mails.add_verification(tx, mail=mail, recipient=profile.user, token=token, now=now)
        tx.schedule(SEND, mail, now)

    async def redeem(self, tx: Transaction, profile: Profile, token: str) -> None:
        """Uses a token up. Refusal VERIFICATION_INVALID."""
        held = await self._store.load_for_update(tx, profile.user)
        await self._store.save(tx, verifications.redeem(held, token=token, now=self._clock.now()))

    async def forget(self, tx: Transaction, profile: Profile) -> None:
        """No token that was sent works any more."""
        held = await self._store.load_for_update(tx, profile.user)
        await self._store.save(tx, verifications.forget(held))


class VerificationCommands:
    """One method per mutating RPC."""

    def __init__(self, database: Database, people: Profiles, proofs: EmailProofs, clock: Clock) -> None:
        self._database = database
        self._people = people
        self._proofs = proofs
        self._clock = clock

    async def send_verification(self, call: Call, user: str) -> ProfileView:
        """Sends a fresh token. Refusals: NOT_FOUND, EMAIL_NOT_PENDING, VERIFICATION_LIMIT_REACHED."""
        require_own(call, user)

        async def work(tx: Transaction) -> ProfileView:
            found = await self._people.load_for_update(tx, user)
            if found.email_state in (EmailState.NONE, EmailState.VERIFIED):
                raise refusals.email_not_pending(found.name)
            await self._proofs.ask(tx, found)
            return ProfileView(found, found.member_of(self._clock.now()))

        return await self._database.command(call, work)

    async def verify_email(self, call: Call, command: VerifyEmail) -> ProfileView:
        """The address is the caller's. Refusals: NOT_FOUND, VERIFICATION_INVALID."""
        require_own(call, command.user)

        async def work(tx: Transaction) -> ProfileView:
            found = await self._people.load_for_update(tx, command.user)
            await self._proofs.redeem(tx, found, command.token)
            now = self._clock.now()
            verified = profiles.verified(found, now=now)
            await self._people.save(tx, verified)
            return ProfileView(verified, verified.member_of(now))

        return await self._database.command(call, work)
