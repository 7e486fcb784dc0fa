"""What is to be told, and the mails, in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.money import Money
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.magic_link_tables import magic_link
from services.messaging.adapters.mail_tables import email_verification, mail, notification
from services.messaging.adapters.profile_repository import ProfileRepository
from services.messaging.adapters.profile_tables import profile
from services.messaging.adapters.tables import conversation, timeline_entry
from services.messaging.app.mail_ports import Told
from services.messaging.domain.mail import ITEM_LIMIT, NOT_ASKED_ANY_MORE, Item, Mail, Purpose, State
from services.messaging.domain.notification import MAIL_POSTED, MESSAGE_SENT, Notice
from services.messaging.domain.profile import MEMBERSHIP, Delivery
from services.messaging.domain.side import Side
from services.messaging.domain.verification import Verification

# One round trip for all notices of an entry: it is part of every message that is sent.
_KEEP = text("""
WITH notice AS (
  SELECT given.*, conversation.buyer, conversation.seller, conversation.copies
  FROM jsonb_to_recordset(CAST(:notices AS jsonb)) AS given (
    id uuid, topic text, kind text, to_buyer boolean, to_seller boolean, person text, author text,
    direct_only boolean, to_copies boolean, happen_time timestamptz, currency text, amount bigint)
  JOIN conversation ON conversation.id = :conversation
  WHERE NOT (direct_only AND conversation.origin <> '')
), addressee AS (
  SELECT notice.id, topic, buyer AS person FROM notice WHERE to_buyer
  UNION
  SELECT notice.id, topic, member FROM notice JOIN team_member
    ON team_member.seller = notice.seller AND team_member.show_time > :since WHERE to_seller
  UNION
  SELECT notice.id, topic, copy.value ->> 'user' FROM notice
    CROSS JOIN jsonb_array_elements(notice.copies) AS copy WHERE to_copies
  UNION
  SELECT notice.id, topic, person FROM notice WHERE person <> ''
), told AS (
  SELECT notice.*, profile.id AS recipient, profile.time_zone,
    coalesce(profile.choices ->> notice.kind, 'each') AS delivery
  FROM addressee
  JOIN notice ON notice.id = addressee.id AND notice.topic = addressee.topic
  JOIN profile ON profile.id = addressee.person AND profile.email_state = 'verified'
  WHERE profile.id <> notice.author AND coalesce(profile.choices ->> notice.kind, 'each') <> 'off'
), kept AS (
  INSERT INTO notification (id, recipient, conversation_id, side, topic, kind, delivery, happen_time,
    currency, amount, create_time)
  SELECT id, recipient, :conversation, coalesce(
      (SELECT copy.value ->> 'side' FROM jsonb_array_elements(copies) AS copy
        WHERE copy.value ->> 'user' = recipient),
      CASE WHEN recipient = buyer THEN 'buyer' ELSE 'seller' END),
    topic, kind, delivery, happen_time, currency, amount, :now
  FROM told ON CONFLICT DO NOTHING RETURNING id, recipient
)
SELECT told.recipient, told.topic, told.delivery, told.time_zone,
  (SELECT max(mail.create_time) FROM mail
    WHERE mail.recipient = told.recipient AND mail.conversation_id = :conversation) AS last_mail,
  (SELECT min(waiting.create_time) FROM notification AS waiting WHERE waiting.recipient = told.recipient
    AND waiting.mail_id IS NULL AND waiting.delivery = 'digest') AS waiting_since
FROM told JOIN kept ON kept.id = told.id AND kept.recipient = told.recipient
""")
_MAKE = insert(mail)
_TAKE = (
    update(notification)
    .where(
        notification.c.recipient == bindparam("person"),
        notification.c.mail_id.is_(None),
        notification.c.delivery == bindparam("way"),
    )
    .values(mail_id=bindparam("mail"))
    .returning(notification.c.id)
)
_TAKE_ABOUT = _TAKE.where(notification.c.conversation_id == bindparam("about"))
_LOAD = select(mail).where(mail.c.id == bindparam("id"), mail.c.state == State.QUEUED.value)
_ITEMS = (
    select(
        notification,
        conversation.c.seller,
        profile.c.display_name.label("buyer_name"),
        timeline_entry.c.text,
        magic_link.c.token,
    )
    .join(conversation, conversation.c.id == notification.c.conversation_id)
    .outerjoin(profile, profile.c.id == conversation.c.buyer)
    .outerjoin(
        timeline_entry,
        (timeline_entry.c.conversation_id == notification.c.conversation_id)
        & (timeline_entry.c.id == notification.c.id)
        # Only the copy of one's own message holds any text.
        & notification.c.topic.in_((MESSAGE_SENT, MAIL_POSTED))
        & (timeline_entry.c.author == notification.c.recipient),
    )
    .outerjoin(
        magic_link,
        (magic_link.c.mail_id == notification.c.mail_id) & (magic_link.c.notice_id == notification.c.id),
    )
    .where(notification.c.mail_id == bindparam("id"))
    .order_by(notification.c.happen_time, notification.c.id)
    .limit(ITEM_LIMIT * 20)
)
_END = (
    update(mail)
    .where(mail.c.id == bindparam("mail"))
    .values(state=bindparam("outcome"), failure=bindparam("why"), end_time=bindparam("now"), token="")
)
_FORGET = text("""
WITH old AS (
  SELECT id FROM mail WHERE end_time < :before ORDER BY end_time LIMIT :most FOR UPDATE SKIP LOCKED
), told AS (
  DELETE FROM notification USING old WHERE notification.mail_id = old.id
)
DELETE FROM mail USING old WHERE mail.id = old.id RETURNING mail.id
""")
_SUPERSEDE = (
    update(mail)
    .where(
        mail.c.recipient == bindparam("person"),
        mail.c.conversation_id == "",
        mail.c.purpose == Purpose.VERIFICATION.value,
        mail.c.state == State.QUEUED.value,
    )
    .values(state=State.FAILED.value, failure=NOT_ASKED_ANY_MORE, end_time=bindparam("now"), token="")
)
_SENT_LINKS = update(magic_link).where(magic_link.c.mail_id == bindparam("of")).values(token="")
_UNSENT_LINKS = delete(magic_link).where(magic_link.c.mail_id == bindparam("of"))
_VERIFICATION = (
    select(email_verification).where(email_verification.c.id == bindparam("user")).with_for_update()
)
_SAVE_VERIFICATION = upsert(email_verification)
_SAVE_VERIFICATION = _SAVE_VERIFICATION.on_conflict_do_update(
    index_elements=["id"],
    set_={
        "token_hash": _SAVE_VERIFICATION.excluded.token_hash,
        "expire_time": _SAVE_VERIFICATION.excluded.expire_time,
        "asked": _SAVE_VERIFICATION.excluded.asked,
    },
)


class NotificationRepository:
    """One row for each thing that one person is told."""

    async def keep(self, tx: Transaction, notices: Sequence[Notice], *, now: datetime) -> list[Told]:
        """All notices are about one conversation."""
        if not notices:
            return []
        values = {
            "notices": json.dumps([_given(notice) for notice in notices]),
            "since": now - MEMBERSHIP,
            "now": now,
            "conversation": key_of(notices[0].conversation),
        }
        return [
            Told(
                recipient=row.recipient,
                topic=row.topic,
                delivery=Delivery(row.delivery),
                zone=row.time_zone or "UTC",
                last_mail=row.last_mail,
                waiting_since=row.waiting_since,
            )
            for row in await tx.fetch_all(_KEEP, values)
        ]

    async def take(
        self, tx: Transaction, *, recipient: str, conversation: str, mail: str, now: datetime
    ) -> bool:
        """The mail is made for what waits; nothing is made where nothing does."""
        values = {"person": recipient, "mail": mail}
        if conversation:
            about = {"way": Delivery.EACH.value, "about": key_of(conversation)}
            taken = await tx.fetch_all(_TAKE_ABOUT, values | about)
        else:
            taken = await tx.fetch_all(_TAKE, values | {"way": Delivery.DIGEST.value})
        if taken:
            purpose = Purpose.NOTICES if conversation else Purpose.DIGEST
            await tx.execute(_MAKE, _mail_columns(mail, recipient, purpose, now, about=conversation))
        return bool(taken)


class MailRepository:
    """One row for each mail."""

    def __init__(self, profiles: ProfileRepository) -> None:
        self._profiles = profiles

    async def add_verification(
        self, tx: Transaction, *, mail: str, recipient: str, token: str, now: datetime
    ) -> None:
        """The token is in the row until the mail has left. Those before it work no more, and stay."""
        await tx.execute(_SUPERSEDE, {"person": recipient, "now": now})
        await tx.execute(_MAKE, _mail_columns(mail, recipient, Purpose.VERIFICATION, now, token=token))

    async def load(self, tx: Transaction, mail: str) -> Mail | None:
        """None where it has left."""
        row = await tx.fetch_one(_LOAD, {"id": mail})
        if row is None:
            return None
        items = await tx.fetch_all(_ITEMS, {"id": mail})
        return Mail(
            id=row.id,
            recipient=await self._profiles.load(tx, row.recipient),
            purpose=Purpose(row.purpose),
            create_time=row.create_time,
            items=tuple(_item(item) for item in items),
            token=row.token,
        )

    async def end(self, tx: Transaction, mail: str, *, failure: str, now: datetime) -> None:
        """Its tokens are wiped; links that nobody got are none."""
        await tx.execute(_UNSENT_LINKS if failure else _SENT_LINKS, {"of": mail})
        outcome = State.FAILED if failure else State.SENT
        await tx.execute(_END, {"mail": mail, "outcome": outcome.value, "why": failure, "now": now})

    async def forget(self, tx: Transaction, before: datetime, most: int) -> int:
        """Removes mails that ended before a time, with what they told. Answers how many."""
        return len(await tx.fetch_all(_FORGET, {"before": before, "most": most}))


class VerificationRepository:
    """One row for each person who ever had an address."""

    async def load_for_update(self, tx: Transaction, user: str) -> Verification:
        """The profile's lock is what makes first ones meet."""
        row = await tx.fetch_one(_VERIFICATION, {"user": user})
        if row is None:
            return Verification(user)
        asked = tuple(datetime.fromisoformat(time) for time in row.asked)
        return Verification(user, row.token_hash, row.expire_time, asked)

    async def save(self, tx: Transaction, verification: Verification) -> None:
        """Adds or replaces it."""
        values = {
            "id": verification.user,
            "token_hash": verification.token_hash,
            "expire_time": verification.expire_time,
            "asked": [time.isoformat() for time in verification.asked],
        }
        await tx.execute(_SAVE_VERIFICATION, values)


def _mail_columns(
    mail: str, recipient: str, purpose: Purpose, now: datetime, *, about: str = "", token: str = ""
) -> dict[str, Any]:
    return {
        "id": mail,
        "recipient": recipient,
        "conversation_id": key_of(about),
        "purpose": purpose.value,
        "token": token,
        "state": State.QUEUED.value,
        "failure": "",
        "create_time": now,
    }


def _given(notice: Notice) -> dict[str, Any]:
    amount = notice.amount
    return {
        "id": notice.id,
        "topic": notice.topic,
        "kind": notice.kind.value,
        "to_buyer": Side.BUYER in notice.sides,
        "to_seller": Side.SELLER in notice.sides,
        "person": notice.person,
        "author": notice.author,
        "direct_only": notice.direct_only,
        "to_copies": notice.to_copies,
        "happen_time": notice.time.isoformat(),
        "currency": None if amount is None else amount.currency,
        "amount": None if amount is None else amount.amount,
    }


def _item(row: Row[Any]) -> Item:
    side = Side(row.side)
    return Item(
        topic=row.topic,
        conversation=PREFIX + row.conversation_id,
        side=side,
        counterpart=row.seller.partition("/")[2] if side is Side.BUYER else row.buyer_name or "",
        time=row.happen_time,
        amount=None if row.currency is None else Money(row.currency, row.amount),
        text=row.text or "",
        link=row.token or "",
    )
