"""Takes in what people answer by mail: each mail is one SendMessage of its author, or is recorded as what
else it is, or refused with the reason. None is ever dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.idempotency import Replay
from chassis.kernel.caller import Caller
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import Kind, Refusal
from chassis.telemetry import logger
from services.messaging.app.attachments import AttachmentCommands, Examined, UploadAttachment
from services.messaging.app.bounces import Bounces
from services.messaging.app.mail_in_ports import Calls, MailReader, ReceivedMails, ReplyAddresses
from services.messaging.app.messages import MessageCommands, SendMessage
from services.messaging.app.pace import Pace
from services.messaging.app.ports import Conversations
from services.messaging.app.profiles import Profiles, require_own
from services.messaging.app.reply_addresses import ReplyDomain
from services.messaging.app.seats import seat_of
from services.messaging.domain import attachment as attachments
from services.messaging.domain import mail_in, reply_address
from services.messaging.domain import mail_in_refusals as refusals
from services.messaging.domain import message as messages
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.mail_content import Letter
from services.messaging.domain.mail_in import Outcome, ReceivedMail
from services.messaging.domain.message import Channel
from services.messaging.domain.message import Kind as MessageKind
from services.messaging.domain.profile import Profile
from services.messaging.domain.refusals import Reason
from services.messaging.domain.reply_address import Purpose, ReplyAddress

PURGE: Final = "received_mail.purge"
"""Timer: what is remembered of a mail is forgotten."""
MAILS_PER_MINUTE: Final = 10
"""How many mails are looked at for one person."""
PASSING: Final = frozenset({Kind.EXHAUSTED, Kind.UNAVAILABLE, Kind.DEADLINE, Kind.STALE})
"""Refusals after which the same mail may be taken later: its server keeps it and comes again."""
UPLOADED_ONCE: Final = attachments.UNSENT_LIFE - timedelta(hours=1)
"""Within which copies of a mail name the same attachment: later it may have been removed meanwhile."""
PIECE_BYTES: Final = 65_536

_log = logger("mail_in")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose address a mail goes to. `address` is None for a mail of ours that comes back."""

    id: str
    user: str
    address: ReplyAddress | None = None


@dataclass(frozen=True, slots=True)
class ListReceivedMails:
    """`user` is `users/{user}`."""

    user: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class Stores:
    """Where things are kept."""

    addresses: ReplyAddresses
    received: ReceivedMails
    people: Profiles
    conversations: Conversations


class MailIntake:
    """What mail servers ask for."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        messages: MessageCommands,
        files: AttachmentCommands,
        *,
        bounces: Bounces,
        reader: MailReader,
        calls: Calls,
        domain: ReplyDomain,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._stores = stores
        self._messages = messages
        self._files = files
        self._bounces = bounces
        self._reader = reader
        self._calls = calls
        self._domain = domain
        self._clock = clock
        self._ids = ids
        self._pace = Pace(MAILS_PER_MINUTE, clock)

    async def recipient(self, address: str) -> Recipient:
        """Whose address it is. Refusal NOT_FOUND for one that we did not make, or that is worth nothing any
        more.
        """
        local, _, domain = address.rpartition("@")
        found = reply_address.read(local, self._domain.key)
        if found is None or domain.lower() != self._domain.name:
            raise refusals.unknown_address()
        purpose, address_id = found
        if purpose is Purpose.BOUNCE:
            mail = reply_address.mail_of(address_id)
            user = await self._database.read_as_process(
                lambda tx: self._stores.received.mail_recipient(tx, mail)
            )
            if not user:
                raise refusals.unknown_address()
            return Recipient(mail, user)

        async def look(tx: Transaction) -> ReplyAddress:
            kept = await self._stores.addresses.find(tx, address_id)
            if kept is None:
                raise refusals.unknown_address()
            conversation, profile = await self._both(tx, kept)
            if mail_in.writer(kept, conversation, profile, now=self._clock.now()) is None:
                raise refusals.unknown_address()
            return kept

        kept = await self._database.read_as_process(look)
        return Recipient(kept.id, kept.user, kept)

    async def receive(self, to: Recipient, *, sender: str, content: bytes) -> ReceivedMail:
        """What became of a mail from the envelope's `sender`; returns after it is stored.

        Refusals: MAIL_UNREADABLE, SENDER_UNVERIFIED, NOT_FOUND, MAIL_REPEATED, MESSAGE_LIMIT_REACHED, and
        those of SendMessage and UploadAttachment. Those that last are recorded.
        """
        self._pace.take(to.user)
        made = ReceivedMail(
            id=self._ids.new(),
            address=to.id,
            key="",
            user=to.user,
            conversation="" if to.address is None else to.address.conversation,
            outcome=Outcome.REFUSED,
            digest="",
            create_time=self._clock.now(),
        )
        try:
            letter = await self._reader.read(content)
            made = replace(
                made,
                key=mail_in.key_of(letter),
                digest=letter.digest,
                original=letter.original,
                left_out=letter.left_out,
            )
            before = await self._before(made)
            if before is not None:
                return before
            decided = await self._decide(to, letter, sender, made)
        except Refusal as refusal:
            if refusal.reason == Reason.MAIL_UNREADABLE:
                # Nothing else tells copies of it.
                made = replace(made, key=hashlib.sha256(content).hexdigest())
            if refusal.kind not in PASSING:
                await self._keep(_not_posted(made, Outcome.REFUSED, refusal.reason))
            raise
        return await self._keep(decided)

    async def _before(self, made: ReceivedMail) -> ReceivedMail | None:
        """What became of the same mail before; None where that may be different now."""
        found = await self._database.read_as_process(
            lambda tx: self._stores.received.find(tx, address=made.address, key=made.key)
        )
        if found is None or not found.outcome.final:
            return None
        if found.digest != made.digest:
            raise refusals.message_id_reused()
        return found

    async def _decide(self, to: Recipient, letter: Letter, sender: str, made: ReceivedMail) -> ReceivedMail:
        sign = mail_in.machine_sign(letter, sender)
        # Ours come back to an address that stands in their envelope alone. Whoever got one passed on knows
        # the address to which it is answered, and could write as many reports as he likes.
        if sign and letter.failed_addresses and to.address is None:
            await self._database.transact(lambda tx: self._bounces.note(tx, to.user, letter.failed_addresses))
            return _not_posted(made, Outcome.BOUNCE, sign)
        if sign:
            return _not_posted(made, Outcome.AUTOMATIC, sign)
        address = to.address
        if address is None:
            raise refusals.unknown_address()
        conversation, profile = await self._database.read_as_process(lambda tx: self._both(tx, address))
        mail_in.check_sender(profile, letter, sender)
        return await self._post(address, conversation, profile, letter, made)

    async def _post(
        self,
        address: ReplyAddress,
        conversation: Conversation,
        profile: Profile,
        letter: Letter,
        made: ReceivedMail,
    ) -> ReceivedMail:
        now = self._clock.now()
        caller = mail_in.writer(address, conversation, profile, now=now)
        if caller is None:
            raise refusals.unknown_address()
        since = now - mail_in.ANSWERED_ONCE
        posted = await self._database.read_as_process(
            lambda tx: self._stores.received.posted_digests(
                tx, user=address.user, conversation=conversation.name, since=since
            )
        )
        mail_in.check_text(letter, last_digests=tuple(posted))
        call = self._calls.sending(caller, key=f"{made.address}.{made.key}", digest=made.digest)
        try:
            await self._database.replay(call)
            self._check(call, conversation, letter)
            command = SendMessage(
                conversation.name,
                letter.text,
                MessageKind.PUBLIC,
                await self._uploaded(caller, conversation, letter, made),
                channel=Channel.EMAIL,
                copy_to_author=not posted,
            )
            message = (await self._messages.send_message(call, command)).name
        except Replay as replay:
            # It was posted, and the record or our answer was lost.
            message = self._calls.message_of(replay.body)
            if not message:
                # The answer was forgotten with somebody whom it named, and nothing else says what it became.
                raise refusals.mail_posted() from None
        return replace(made, outcome=Outcome.POSTED, message=message)

    def _check(self, call: Call, conversation: Conversation, letter: Letter) -> None:
        """Refuses what will not be sent before any of its documents is kept to wait for the message."""
        messages.admitted(
            conversation,
            seat=seat_of(call, conversation),
            kind=MessageKind.PUBLIC,
            channel=Channel.EMAIL,
            is_empty=not letter.text.strip() and not letter.documents,
            now=self._clock.now(),
        )
        for document in letter.documents:
            try:
                attachments.check_whole(document.filename, document.data)
            except Refusal as refusal:
                raise refusals.of_document(document.filename, refusal) from None

    async def _uploaded(
        self, caller: Caller, conversation: Conversation, letter: Letter, made: ReceivedMail
    ) -> tuple[str, ...]:
        """The attachments of a mail: however often it comes, its documents wait for their message once, and
        none of them where another one is refused.
        """
        span = int(self._clock.now().timestamp() // UPLOADED_ONCE.total_seconds())
        async with AsyncExitStack() as files:
            found = []
            for place, document in enumerate(letter.documents):
                key = f"mail {made.address}.{made.key}.{made.digest}.{span}.{place}"
                upload = UploadAttachment(
                    conversation.name, attachments.Kind.OTHER, document.filename, key, _pieces(document.data)
                )
                found.append(await self._examined(caller, upload, files))
            return tuple([one if isinstance(one, str) else await self._kept(one) for one in found])

    async def _examined(
        self, caller: Caller, upload: UploadAttachment, files: AsyncExitStack
    ) -> Examined | str:
        """One of them, open as long as `files`; its name where it waits since the mail came before."""
        try:
            return await files.enter_async_context(
                self._files.examined(self._calls.uploading(caller), upload)
            )
        except Replay as replay:
            return self._calls.attachment_of(replay.body)
        except Refusal as refusal:
            raise refusals.of_document(upload.filename, refusal) from None

    async def _kept(self, found: Examined) -> str:
        try:
            return (await self._files.keep(found)).name
        except Replay as replay:
            return self._calls.attachment_of(replay.body)

    async def _both(self, tx: Transaction, address: ReplyAddress) -> tuple[Conversation, Profile]:
        conversation = await self._stores.conversations.load(tx, address.conversation)
        return conversation, await self._stores.people.load(tx, address.user)

    async def _keep(self, mail: ReceivedMail) -> ReceivedMail:
        async def work(tx: Transaction) -> ReceivedMail:
            kept = await self._stores.received.keep(tx, mail)
            tx.schedule(PURGE, kept.id, kept.create_time + mail_in.KEEP_FOR)
            return kept

        kept = await self._database.transact(work)
        _log.info(
            "mail_received",
            mail=kept.id,
            author=kept.user,
            conversation=kept.conversation,
            outcome=kept.outcome.value,
            reason=kept.reason,
        )
        return kept


class ReceivedMailQueries:
    """What people see of what they sent."""

    def __init__(self, database: Database, received: ReceivedMails) -> None:
        self._database = database
        self._received = received

    async def list_received_mails(self, call: Call, query: ListReceivedMails) -> Page[ReceivedMail]:
        """The caller's own, the newest first. Refusal NOT_FOUND."""
        user, page = query.user, query.page
        require_own(call, user, name=user)
        return await self._database.read_for(
            call, lambda tx: self._received.list_for(tx, user=user, page=page)
        )


class ReceivedMailTimers:
    """Forgets mails."""

    def __init__(self, database: Database, received: ReceivedMails) -> None:
        self._database = database
        self._received = received

    async def purge(self, timer: DueTimer) -> None:
        """One whose time is over."""
        await self._database.fire(timer, lambda tx: self._received.delete(tx, timer.key))


def _not_posted(made: ReceivedMail, outcome: Outcome, reason: str) -> ReceivedMail:
    if reason == Reason.SENDER_UNVERIFIED:
        # What strangers write is nobody's.
        made = replace(made, original="")
    # It stands beside what becomes of another mail with its Message-ID, and never in its place.
    key = hashlib.sha256(f"{made.key}{made.digest}{reason}".encode()).hexdigest()
    return replace(made, key=key, outcome=outcome, reason=reason)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, max(1, len(data)), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
