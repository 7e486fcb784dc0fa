"""Messaging that takes mails, too, and what is asked of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Final

from chassis.testing import Identity
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import received_mail_pb2, timeline_pb2
from services.messaging.domain.reply_address import Purpose, bounce_id, local_part
from tests.component.messaging.mailbox import text_of
from tests.component.messaging.post import Answer, send
from tests.component.messaging.test_mail import Office

DOMAIN: Final = "reply.parley.example"
KEY: Final = "owls" * 10
MINUTE: Final = timedelta(minutes=1)


@dataclass
class PostOffice(Office):
    """It lives at `DOMAIN`, and its addresses are made with `KEY`."""

    async def post(self, sender: str, to: str, content: bytes | EmailMessage) -> Answer:
        """Brings a mail; never more than people write in a minute."""
        self.clock.advance(MINUTE / 5)
        return await self.bring(sender, to, content)

    async def bring(self, sender: str, to: str, content: bytes | EmailMessage) -> Answer:
        """Brings a mail at this very instant."""
        edge: Any = self.service.host.service.drain
        return await asyncio.to_thread(send, edge.__self__.port, sender, to, content)

    async def address(self, who: str, conversation: str) -> tuple[str, str]:
        """The reply address in the last mail to somebody, and that mail's id."""
        await self.passed(11 * MINUTE)
        mail = [each for each in self.box.all() if who in str(each["To"]) and conversation in text_of(each)][
            -1
        ]
        return str(mail["Reply-To"]), str(mail["Message-ID"])

    def back(self, mail: str) -> str:
        """Where the mail of this Message-ID comes back to."""
        return local_part(Purpose.BOUNCE, bounce_id(mail[1:37]), KEY) + f"@{DOMAIN}"

    async def received(self, who: Identity) -> list[received_mail_pb2.ReceivedMail]:
        """What became of somebody's mails, the newest first."""
        request = received_mail_pb2.ListReceivedMailsRequest(parent=who.subject, page_size=1000)
        return list((await self.of(who).ListReceivedMails(request)).received_mails)

    async def messages(self, who: Identity, conversation: str) -> list[timeline_pb2.Message]:
        """The messages that somebody sees."""
        request = pb.ListTimelineRequest(parent=conversation, page_size=1000)
        found = (await self.of(who).ListTimeline(request)).entries
        return [entry.message for entry in found if entry.HasField("message")]
