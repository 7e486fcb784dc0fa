"""Profiles in PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from services.messaging.adapters.profile_tables import profile, team_member
from services.messaging.domain.profile import Delivery, EmailState, NoticeKind, Profile

_LOAD = select(profile).where(profile.c.id == bindparam("user"))
_PHONE = select(profile.c.phone).where(profile.c.id == bindparam("user"))
_BOUNCED = select(profile.c.id).where(
    func.lower(profile.c.email) == func.lower(bindparam("address")),
    profile.c.email_state == literal_column("'bounced'"),
)
_LOCK = _LOAD.with_for_update()
_TEAMS = select(team_member).where(team_member.c.member == bindparam("user"))
_MAKE_LOCKABLE = insert(profile).on_conflict_do_nothing()
_SAVE = update(profile).where(profile.c.id == bindparam("user"))
_LEAVE = delete(team_member).where(team_member.c.member == bindparam("user"))
_JOIN = insert(team_member)


class ProfileRepository:
    """One row for each person, one for each team that his token showed."""

    async def load(self, tx: Transaction, user: str) -> Profile:
        """The profile; an empty one of version 0 where nothing was saved."""
        row = await tx.fetch_one(_LOAD, {"user": user})
        return Profile(user) if row is None else await self._profile(tx, row)

    async def load_for_update(self, tx: Transaction, user: str) -> Profile:
        """The same, locked: a row is made for it where there is none, so that two first saves meet."""
        row = await tx.fetch_one(_LOCK, {"user": user})
        if row is None:
            await tx.execute(_MAKE_LOCKABLE, _columns(Profile(user)) | {"id": user})
            row = await tx.fetch_one(_LOCK, {"user": user})
            assert row is not None
        return await self._profile(tx, row)

    async def phone_of(self, tx: Transaction, user: str) -> str:
        """The number; empty where he left none."""
        return str(await tx.scalar(_PHONE, {"user": user}) or "")

    async def has_bounced(self, tx: Transaction, address: str) -> bool:
        """Whether mails to somebody's address came back."""
        return await tx.fetch_one(_BOUNCED.limit(1), {"address": address}) is not None

    async def save(self, tx: Transaction, changed: Profile) -> None:
        """Writes a locked profile and its teams."""
        await tx.execute(_SAVE, {"user": changed.user, **_columns(changed)})
        await tx.execute(_LEAVE, {"user": changed.user})
        shown = [
            {"member": changed.user, "seller": seller, "show_time": time}
            for seller, time in changed.teams.items()
        ]
        if shown:
            await tx.execute(_JOIN, shown)

    async def _profile(self, tx: Transaction, row: Row[Any]) -> Profile:
        shown = await tx.fetch_all(_TEAMS, {"user": row.id})
        return Profile(
            user=row.id,
            display_name=row.display_name,
            email=row.email,
            email_state=EmailState(row.email_state),
            phone=row.phone,
            locale=row.locale,
            time_zone=row.time_zone,
            auto_translate=row.auto_translate,
            choices={NoticeKind(kind): Delivery(delivery) for kind, delivery in row.choices.items()},
            teams={each.seller: each.show_time for each in sorted(shown, key=lambda each: each.seller)},
            version=row.version,
            create_time=row.create_time,
            update_time=row.update_time,
        )


def _columns(found: Profile) -> dict[str, Any]:
    return {
        "version": found.version,
        "display_name": found.display_name,
        "email": found.email,
        "email_state": found.email_state.value,
        "phone": found.phone,
        "locale": found.locale,
        "time_zone": found.time_zone,
        "auto_translate": found.auto_translate,
        "choices": {kind.value: delivery.value for kind, delivery in found.choices.items()},
        "create_time": found.create_time,
        "update_time": found.update_time,
    }
