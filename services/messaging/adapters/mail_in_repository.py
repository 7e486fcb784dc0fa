"""Reply addresses and received mails in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.conversation_repository import PREFIX, key_of
from services.messaging.adapters.mail_in_tables import received_mail, reply_address
from services.messaging.adapters.mail_tables import mail as sent_mail
from services.messaging.domain.mail_in import Outcome, ReceivedMail
from services.messaging.domain.reply_address import ReplyAddress

# One round trip: it is part of every mail that is made.
_NEWEST = text("""
SELECT address.* FROM reply_address AS address
  JOIN conversation ON conversation.id = address.conversation_id
WHERE address.conversation_id = :conversation AND address.user_name = :user AND address.create_time > :since
  AND NOT EXISTS (
    SELECT FROM jsonb_array_elements(conversation.copies) AS copy
    WHERE copy.value ->> 'user' = :user
      AND CAST(copy.value ->> 'grant_time' AS timestamptz) > address.create_time)
ORDER BY address.create_time DESC LIMIT 1
""")
_ADD = insert(reply_address)
_FIND = select(reply_address).where(reply_address.c.id == bindparam("id"))
_FORGET = delete(reply_address).where(reply_address.c.id == bindparam("id"))

_RECEIVED = select(received_mail).where(
    received_mail.c.address == bindparam("address"), received_mail.c.key == bindparam("key")
)
_NEW = insert(received_mail)
_KEEP = _NEW.on_conflict_do_update(
    index_elements=["address", "key"],
    set_={
        name: _NEW.excluded[name]
        for name in ("outcome", "reason", "message_id", "digest", "original", "left_out")
    },
).returning(received_mail)
_DIGESTS = select(received_mail.c.digest).where(
    received_mail.c.user_name == bindparam("user"),
    received_mail.c.conversation_id == bindparam("conversation"),
    received_mail.c.outcome == Outcome.POSTED.value,
    received_mail.c.create_time > bindparam("since"),
)
_RECIPIENT = select(sent_mail.c.recipient).where(sent_mail.c.id == bindparam("id"))
_DELETE = delete(received_mail).where(received_mail.c.id == bindparam("id"))


class ReplyAddressRepository:
    """Implements `app.mail_in_ports.ReplyAddresses`."""

    async def newest(
        self, tx: Transaction, *, conversation: str, user: str, since: datetime
    ) -> ReplyAddress | None:
        """None where there is none, or none that his grant knows."""
        values = {"conversation": key_of(conversation), "user": user, "since": since}
        row = await tx.fetch_one(_NEWEST, values)
        return None if row is None else _address(row)

    async def add(self, tx: Transaction, address: ReplyAddress) -> None:
        """Adds it."""
        values = {
            "id": address.id,
            "conversation_id": key_of(address.conversation),
            "user_name": address.user,
            "create_time": address.create_time,
        }
        await tx.execute(_ADD, values)

    async def find(self, tx: Transaction, address_id: str) -> ReplyAddress | None:
        """None where there is none."""
        row = await tx.fetch_one(_FIND, {"id": address_id})
        return None if row is None else _address(row)

    async def delete(self, tx: Transaction, address_id: str) -> None:
        """Forgets it."""
        await tx.execute(_FORGET, {"id": address_id})


class ReceivedMailRepository:
    """Implements `app.mail_in_ports.ReceivedMails`."""

    async def find(self, tx: Transaction, *, address: str, key: str) -> ReceivedMail | None:
        """None where it did not come before."""
        row = await tx.fetch_one(_RECEIVED, {"address": address, "key": key})
        return None if row is None else _received(row)

    async def keep(self, tx: Transaction, mail: ReceivedMail) -> ReceivedMail:
        """One row for each mail, however often it comes."""
        values = {
            "id": mail.id,
            "address": mail.address,
            "key": mail.key,
            "user_name": mail.user,
            "conversation_id": key_of(mail.conversation),
            "outcome": mail.outcome.value,
            "reason": mail.reason,
            "message_id": mail.message.rpartition("/")[2],
            "digest": mail.digest,
            "original": mail.original,
            "left_out": mail.left_out,
            "create_time": mail.create_time,
        }
        row = await tx.fetch_one(_KEEP, values)
        assert row is not None
        return _received(row)

    async def posted_digests(
        self, tx: Transaction, *, user: str, conversation: str, since: datetime
    ) -> Sequence[str]:
        """What was posted."""
        values = {"user": user, "conversation": key_of(conversation), "since": since}
        return [row.digest for row in await tx.fetch_all(_DIGESTS, values)]

    async def mail_recipient(self, tx: Transaction, mail: str) -> str:
        """Empty where nothing is known of it."""
        return str(await tx.scalar(_RECIPIENT, {"id": mail}) or "")

    async def list_for(self, tx: Transaction, *, user: str, page: PageRequest) -> Page[ReceivedMail]:
        """Keyset by (create time, id), newest first."""
        table = received_mail
        query = select(table).where(table.c.user_name == user)
        query = keyset(query, (table.c.create_time, table.c.id), page, descending=True)
        found = [_received(row) for row in await tx.fetch_all(query)]
        return page_of(found, page, lambda last: cursor_of(last.create_time, last.id))

    async def delete(self, tx: Transaction, mail: str) -> None:
        """Forgets it."""
        await tx.execute(_DELETE, {"id": mail})


def _address(row: Row[Any]) -> ReplyAddress:
    return ReplyAddress(row.id, PREFIX + row.conversation_id, row.user_name, row.create_time)


def _received(row: Row[Any]) -> ReceivedMail:
    conversation = PREFIX + row.conversation_id if row.conversation_id else ""
    return ReceivedMail(
        id=row.id,
        address=row.address,
        key=row.key,
        user=row.user_name,
        conversation=conversation,
        outcome=Outcome(row.outcome),
        digest=row.digest,
        create_time=row.create_time,
        reason=row.reason,
        message=f"{conversation}/messages/{row.message_id}" if row.message_id else "",
        original=row.original,
        left_out=row.left_out,
    )
