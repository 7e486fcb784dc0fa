"""Links in mails, in PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, exists, insert, or_, select, text, update
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.money import Money
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.magic_link_tables import magic_link
from services.messaging.adapters.mail_tables import notification
from services.messaging.adapters.profile_tables import team_member
from services.messaging.adapters.tables import conversation, timeline_entry
from services.messaging.app.magic_link_ports import Addressed
from services.messaging.domain.conversation import State
from services.messaging.domain.magic_link import (
    ABOUT_INQUIRIES,
    ABOUT_OFFERS,
    Action,
    Kind,
    MagicLink,
    Subject,
    Use,
)

_WANTED = (
    select(
        notification.c.id,
        notification.c.recipient,
        notification.c.conversation_id,
        notification.c.topic,
        timeline_entry.c.resource,
        timeline_entry.c.revision,
        timeline_entry.c.currency,
        timeline_entry.c.amount,
    )
    .join(conversation, conversation.c.id == notification.c.conversation_id)
    .join(
        timeline_entry,
        (timeline_entry.c.conversation_id == notification.c.conversation_id)
        & (timeline_entry.c.id == notification.c.id),
    )
    .where(
        notification.c.mail_id == bindparam("mail"),
        or_(
            # Somebody in copy for the buyer reads of it, but does not answer it.
            and_(
                notification.c.topic.in_([kind.value for kind in ABOUT_OFFERS]),
                notification.c.recipient == conversation.c.buyer,
            ),
            and_(
                notification.c.topic.in_(sorted(ABOUT_INQUIRIES)),
                conversation.c.subject == "",
                conversation.c.state == State.OPEN.value,
                exists().where(
                    team_member.c.seller == conversation.c.seller,
                    team_member.c.member == notification.c.recipient,
                ),
            ),
        ),
    )
    .order_by(notification.c.happen_time, notification.c.id)
)
_ADD = insert(magic_link)
_LOAD = select(magic_link).where(magic_link.c.id == bindparam("link"))
_LOCK = _LOAD.with_for_update()
_USE = (
    update(magic_link)
    .where(magic_link.c.id == bindparam("link"))
    .values(used_action=bindparam("action"), use_time=bindparam("time"), used_order=bindparam("order"))
)
_REVOKE = delete(magic_link).where(
    magic_link.c.recipient == bindparam("user"), magic_link.c.used_action.is_(None)
)
_FORGET = text("""
WITH old AS (
  SELECT id FROM magic_link WHERE create_time < :before ORDER BY create_time LIMIT :most
  FOR UPDATE SKIP LOCKED
)
DELETE FROM magic_link USING old WHERE magic_link.id = old.id RETURNING magic_link.id
""")


class MagicLinkRepository:
    """One row for each link."""

    async def wanted(self, tx: Transaction, mail: str) -> list[Addressed]:
        """What the recipient of a mail that was just made can answer by a link."""
        return [
            Addressed(row.id, row.recipient, _subject_of_notice(row))
            for row in await tx.fetch_all(_WANTED, {"mail": mail})
        ]

    async def add(self, tx: Transaction, link: MagicLink, *, mail: str, notice: str, token: str) -> None:
        """A new link; its token is kept until the mail has left."""
        subject = link.subject
        values = {
            "id": link.id,
            "notice_id": notice,
            "mail_id": mail,
            "recipient": link.recipient,
            "kind": subject.kind.value,
            "conversation_id": key_of(subject.conversation),
            "offer": subject.offer,
            "revision": subject.revision,
            "currency": None if subject.total is None else subject.total.currency,
            "amount": None if subject.total is None else subject.total.amount,
            "secret_hash": link.secret_hash,
            "token": token,
            "create_time": link.create_time,
        }
        await tx.execute(_ADD, values)

    async def load(self, tx: Transaction, link_id: str) -> MagicLink | None:
        """A link; None where there is none."""
        row = await tx.fetch_one(_LOAD, {"link": link_id})
        return None if row is None else _link(row)

    async def load_for_update(self, tx: Transaction, link_id: str) -> MagicLink | None:
        """The same, locked until the transaction ends."""
        row = await tx.fetch_one(_LOCK, {"link": link_id})
        return None if row is None else _link(row)

    async def save_use(self, tx: Transaction, link: MagicLink) -> None:
        """What a locked link was used for."""
        assert link.use is not None
        values = {"action": link.use.action.value, "time": link.use.time, "order": link.use.order}
        await tx.execute(_USE, {"link": link.id, **values})

    async def revoke(self, tx: Transaction, user: str) -> None:
        """Takes back every unused link of a person, also of mails that have not left."""
        await tx.execute(_REVOKE, {"user": user})

    async def forget(self, tx: Transaction, before: datetime, most: int) -> int:
        """Removes links that were made before a time. Answers how many."""
        return len(await tx.fetch_all(_FORGET, {"before": before, "most": most}))


def _subject_of_notice(row: Row[Any]) -> Subject:
    name = PREFIX + row.conversation_id
    if row.topic in ABOUT_INQUIRIES:
        return Subject(Kind.INQUIRY, name)
    return Subject(Kind.OFFER, name, row.resource, row.revision, _total(row))


def _total(row: Row[Any]) -> Money | None:
    return None if row.currency is None else Money(row.currency, row.amount)


def _link(row: Row[Any]) -> MagicLink:
    used = None
    if row.used_action is not None:
        used = Use(Action(row.used_action), row.use_time, row.used_order or "")
    return MagicLink(
        id=row.id,
        subject=Subject(Kind(row.kind), PREFIX + row.conversation_id, row.offer, row.revision, _total(row)),
        recipient=row.recipient,
        secret_hash=row.secret_hash,
        create_time=row.create_time,
        use=used,
    )
