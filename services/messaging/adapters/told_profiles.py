"""Profiles of which leads are told: whoever saves one need not think of it, and cannot forget it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chassis.db import Transaction
from services.messaging.adapters.profile_repository import ProfileRepository
from services.messaging.domain.profile import Profile


class ToldProfiles(ProfileRepository):
    """`tell` gets the profile before and after, in the same transaction."""

    def __init__(self, tell: Callable[[Transaction, Profile, Profile], Awaitable[None]]) -> None:
        self._tell = tell

    async def save(self, tx: Transaction, changed: Profile) -> None:
        """Writes a locked profile and tells of it."""
        before = await self.load(tx, changed.user)
        await super().save(tx, changed)
        await self._tell(tx, before, changed)
