"""What people do with their own profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import not_found
from services.messaging.domain import profile as profiles
from services.messaging.domain.profile import Profile, ProfileChange
from services.messaging.domain.translation_refusals import not_offered


@dataclass(frozen=True, slots=True)
class UpdateProfile:
    """`user` is `users/{user}`; `etag` is empty where the caller does not mind."""

    user: str
    change: ProfileChange
    etag: str


@dataclass(frozen=True, slots=True)
class ProfileView:
    """A profile as its person sees it; `teams` are those that count now."""

    profile: Profile
    teams: tuple[str, ...]


class Profiles(Protocol):
    """Keeps profiles."""

    async def load(self, tx: Transaction, user: str) -> Profile:
        """The profile of a person; an empty one of version 0 where he saved none."""
        ...

    async def load_for_update(self, tx: Transaction, user: str) -> Profile:
        """The same, locked until the transaction ends, also where it was never saved."""
        ...

    async def save(self, tx: Transaction, profile: Profile) -> None:
        """Stores a profile that is locked, its teams included."""
        ...


class Proofs(Protocol):
    """Asks for proofs that somebody reads what is sent to his address."""

    async def ask(self, tx: Transaction, profile: Profile) -> None:
        """Sends a token to the address of a locked profile. Refusal VERIFICATION_LIMIT_REACHED."""
        ...

    async def forget(self, tx: Transaction, profile: Profile) -> None:
        """No token that was sent works any more."""
        ...


class HeldLinks(Protocol):
    """The links in the mails of people."""

    async def revoke(self, tx: Transaction, user: str) -> None:
        """None of a person's works any more."""
        ...


class ProfileCommands:
    """One method per mutating RPC. `languages` are those into which messages can be translated."""

    def __init__(
        self,
        database: Database,
        store: Profiles,
        proofs: Proofs,
        links: HeldLinks,
        *,
        languages: Sequence[str],
        clock: Clock,
    ) -> None:
        self._languages = languages
        self._database = database
        self._store = store
        self._proofs = proofs
        self._links = links
        self._clock = clock

    async def update_profile(self, call: Call, command: UpdateProfile) -> ProfileView:
        """Changes the caller's own. Refusals: NOT_FOUND, LANGUAGE_NOT_OFFERED and those of the domain."""
        require_own(call, command.user)
        wanted = command.change.auto_translate
        if wanted and wanted not in self._languages:
            raise not_offered("profile.auto_translate", wanted, self._languages)

        async def work(tx: Transaction) -> ProfileView:
            found = await self._store.load_for_update(tx, command.user)
            now = self._clock.now()
            changed = profiles.change(
                found, command.change, etag=command.etag, teams=tuple(call.caller.teams), now=now
            )
            if changed is not found:
                await self._store.save(tx, changed)
            if changed.email != found.email:
                # They went to whoever reads the old address.
                await self._links.revoke(tx, changed.user)
                await (self._proofs.ask if changed.email else self._proofs.forget)(tx, changed)
            return ProfileView(changed, changed.member_of(now))

        return await self._database.command(call, work)


class ProfileQueries:
    """One method per reading RPC."""

    def __init__(self, database: Database, store: Profiles, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    async def get_profile(self, call: Call, user: str) -> ProfileView:
        """The caller's own; Refusal NOT_FOUND. Notes which teams his token shows, at most once a day."""
        require_own(call, user)
        found = await self._database.read(lambda tx: self._store.load(tx, user))
        now, teams = self._clock.now(), tuple(call.caller.teams)
        if found.version and profiles.shown_again(found, teams=teams, now=now) is not None:
            found = await self._database.transact(lambda tx: self._show(tx, user, teams))
        return ProfileView(found, found.member_of(now))

    async def _show(self, tx: Transaction, user: str, teams: tuple[str, ...]) -> Profile:
        found = await self._store.load_for_update(tx, user)
        shown = profiles.shown_again(found, teams=teams, now=self._clock.now())
        if shown is None:
            return found
        # What a token shows is no change of the profile: its version stays.
        kept = replace(found, teams=shown)
        await self._store.save(tx, kept)
        return kept


def require_own(call: Call, user: str, *, name: str = "") -> None:
    """What is a person's own is not there for anybody else. Refusal NOT_FOUND, for his profile if no other
    `name` is given.
    """
    if user != call.principal:
        raise not_found(name or f"{user}/profile")


def require_own_or_operator(call: Call, user: str, name: str) -> None:
    """What is kept about a person concerns him and the operator alone. Refusal NOT_FOUND, of `name`."""
    if user != call.principal and not call.caller.is_operator:
        raise not_found(name)
