"""Telling people by mail: kept in the transaction of what happened, sent by timers."""

from __future__ import annotations

from typing import Final

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import unavailable
from chassis.telemetry import logger
from services.messaging.app.bounces import Bounces
from services.messaging.app.magic_links import LinkIssuer
from services.messaging.app.mail_ports import (
    Mails,
    Notifications,
    Told,
    Transport,
    TransportRefused,
)
from services.messaging.app.reply_addresses import ReplyIssuer
from services.messaging.domain.mail import Mail
from services.messaging.domain.notification import Notice, digest_due, mail_due, notices_of
from services.messaging.domain.profile import Delivery
from services.messaging.domain.timeline import Entry

COMPOSE: Final = "mail.compose"
"""Timer: what waits for one person about one conversation becomes a mail."""
DIGEST: Final = "mail.digest"
"""Timer: what waits for one person's digest becomes a mail."""
SEND: Final = "mail.send"
"""Timer: a mail leaves. It is set anew, later each time, while the server cannot take it."""

_log = logger("mail")


class Notifier:
    """Keeps what is to be told about an entry."""

    def __init__(self, store: Notifications, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def tell(self, tx: Transaction, entry: Entry) -> None:
        """Keeps the notices of an entry, and sets the timers of the mails that they become."""
        notices = notices_of(entry)
        if not notices:
            return
        for told in await self._store.keep(tx, notices, now=self._clock.now()):
            notice = next(each for each in notices if each.topic == told.topic)
            self._schedule(tx, told, notice)

    def _schedule(self, tx: Transaction, told: Told, notice: Notice) -> None:
        now = self._clock.now()
        if told.delivery is Delivery.DIGEST:
            tx.schedule(DIGEST, told.recipient, digest_due(told.waiting_since or now, told.zone))
        else:
            due = mail_due(notice, last_mail=told.last_mail, now=now)
            tx.schedule(COMPOSE, f"{told.recipient} {notice.conversation}", due)


class MailTimers:
    """Makes mails of what waits, and sends them outside of every transaction."""

    def __init__(
        self,
        database: Database,
        *,
        notifications: Notifications,
        mails: Mails,
        bounces: Bounces,
        links: LinkIssuer,
        transport: Transport,
        replies: ReplyIssuer,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._replies = replies
        self._database = database
        self._notifications = notifications
        self._mails = mails
        self._bounces = bounces
        self._links = links
        self._transport = transport
        self._clock = clock
        self._ids = ids

    async def compose(self, timer: DueTimer) -> None:
        """One mail about one conversation."""
        recipient, _, conversation = timer.key.partition(" ")
        await self._compose(timer, recipient, conversation)

    async def digest(self, timer: DueTimer) -> None:
        """One mail about everything."""
        await self._compose(timer, timer.key, "")

    async def _compose(self, timer: DueTimer, recipient: str, conversation: str) -> None:
        async def work(tx: Transaction) -> None:
            mail = self._ids.new()
            now = self._clock.now()
            if await self._notifications.take(
                tx, recipient=recipient, conversation=conversation, mail=mail, now=now
            ):
                await self._links.issue(tx, mail)
                await self._replies.issue(tx, conversation=conversation, user=recipient)
                tx.schedule(SEND, mail, now)

        await self._database.fire(timer, work)

    async def send(self, timer: DueTimer) -> None:
        """Hands a mail to the server, then records it. A crash in between sends it again, with the same
        Message-ID. Refusal UNAVAILABLE while the server cannot take it: the timer comes again.
        """
        mail = await self._database.read_as_process(lambda tx: self._load(tx, timer.key))
        if mail is None:
            await self._database.discard(timer)
            return
        failure, bounced = mail.undeliverable(), False
        if not failure:
            try:
                await self._transport.send(mail)
            except TransportRefused as refusal:
                failure, bounced = refusal.code, refusal.recipient and refusal.lasting
                if not refusal.lasting and not mail.is_overdue(self._clock.now()):
                    raise unavailable(
                        "PEER_UNAVAILABLE", f"the mail server answered {refusal.code}"
                    ) from refusal

        async def work(tx: Transaction) -> None:
            await self._mails.end(tx, mail.id, failure=failure, now=self._clock.now())
            if bounced:
                await self._bounces.note(tx, mail.recipient.user, (mail.recipient.email,))

        if not await self._database.fire(timer, work):
            return
        _log.info(
            "mail_failed" if failure else "mail_sent",
            mail=mail.id,
            recipient=mail.recipient.user,
            purpose=mail.purpose.value,
            **({"failure": failure} if failure else {}),
        )

    async def _load(self, tx: Transaction, mail: str) -> Mail | None:
        found = await self._mails.load(tx, mail)
        return None if found is None else await self._replies.addressed(tx, found)
