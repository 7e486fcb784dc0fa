"""Mails to a real server, by SMTP."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiosmtplib

from services.messaging.adapters.mail_writing import MailWriter
from services.messaging.app.mail_ports import TransportRefused
from services.messaging.config import SmtpTls
from services.messaging.domain.mail import Mail

QUIT_SECONDS: Final = 2.0
_LASTING: Final = 500
_UNKNOWN_RECIPIENT: Final = frozenset({550, 551, 553, 556})
"""What servers answer to RCPT when the address is the reason, unless they say more (RFC 3463)."""
_OF_THE_ADDRESS: Final = frozenset({"1.1", "1.2", "1.3", "1.4", "1.6", "1.10", "2.1"})
"""Subject and detail of the enhanced codes that speak of the recipient's address. Others speak of policy, of
the sender, of a full mailbox or of a system.
"""
_SAYS_NOTHING: Final = frozenset({"0.0", "1.0"})
_ENHANCED: Final = re.compile(r"\s*5\.(\d{1,3}\.\d{1,3})(?!\S)")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where it is and how to speak to it. Without a user nobody logs in. `timeout_seconds` is for all that
    happens until a mail is taken.
    """

    host: str
    port: int
    tls: SmtpTls
    user: str = ""
    password: str = ""
    ca_file: Path | None = None
    timeout_seconds: float = 20.0


def recipient_refused(code: int, text: str) -> TransportRefused:
    """What an answer to RCPT means. The enhanced code counts where there is one: many servers answer 550
    also to what has nothing to do with the address.
    """
    enhanced = _ENHANCED.match(text)
    detail = "" if enhanced is None else enhanced.group(1)
    is_address = (
        detail in _OF_THE_ADDRESS if detail not in ("", *_SAYS_NOTHING) else code in _UNKNOWN_RECIPIENT
    )
    said = f"{code} 5.{detail}" if detail else str(code)
    return TransportRefused(said, lasting=code >= _LASTING, recipient=code >= _LASTING and is_address)


class SmtpTransport:
    """One connection for each mail: there are few, and none is lost with the connection of another."""

    def __init__(self, server: SmtpServer, writer: MailWriter, *, sender: str) -> None:
        self._server = server
        self._writer = writer
        self._sender = sender
        self._context = ssl.create_default_context(cafile=server.ca_file)

    async def send(self, mail: Mail) -> None:
        """TransportRefused with the code of the server's answer, or the kind of the failure. The text of the
        answer may repeat the address, and stays out.
        """
        message = self._writer.write(mail)
        client = self._client()
        try:
            async with asyncio.timeout(self._server.timeout_seconds):
                await client.connect()
                await client.send_message(
                    message, sender=mail.bounce_to or self._sender, recipients=[mail.recipient.email]
                )
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise recipient_refused(refused.recipients[0].code, refused.recipients[0].message) from None
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as refused:
            raise TransportRefused(str(refused.code), lasting=refused.code >= _LASTING) from None
        except (aiosmtplib.SMTPException, OSError) as failure:
            # A wrong password or an untrusted certificate is the operator's to mend: the mail waits for that.
            raise TransportRefused(type(failure).__name__, lasting=False) from None
        finally:
            await _leave(client)

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            timeout=server.timeout_seconds,
            use_tls=server.tls is SmtpTls.IMPLICIT,
            # True demands it; None would take what the server offers.
            start_tls=server.tls is SmtpTls.STARTTLS,
            tls_context=None if server.tls is SmtpTls.NONE else self._context,
        )


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Says good-bye; whatever comes of it, the mail was taken or not before."""
    try:
        if client.is_connected:
            await client.quit(timeout=QUIT_SECONDS)
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        client.close()
