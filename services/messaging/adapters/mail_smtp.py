"""Mails to a real server, by SMTP."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiosmtplib

from services.messaging.adapters.mail_writing import MailWriter
from services.messaging.app.mail_ports import TransportRefused
from services.messaging.config import SmtpTls
from services.messaging.domain.mail import Mail

_LASTING: Final = 500
_UNKNOWN_RECIPIENT: Final = frozenset({550, 551, 553, 556})
"""What servers answer to RCPT when the address is the reason."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where it is and how to speak to it. Without a user nobody logs in."""

    host: str
    port: int
    tls: SmtpTls
    user: str = ""
    password: str = ""
    ca_file: Path | None = None
    timeout_seconds: float = 20.0


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
        try:
            async with self._client() as client:
                await client.send_message(message, sender=self._sender, recipients=[mail.recipient.email])
        except aiosmtplib.SMTPRecipientsRefused as refused:
            code = refused.recipients[0].code
            is_lasting = code >= _LASTING
            raise TransportRefused(
                str(code), lasting=is_lasting, recipient=is_lasting and code in _UNKNOWN_RECIPIENT
            ) from None
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as refused:
            raise TransportRefused(str(refused.code), lasting=refused.code >= _LASTING) from None
        except (aiosmtplib.SMTPException, OSError) as failure:
            # A wrong password or an untrusted certificate is the operator's to mend: the mail waits for that.
            raise TransportRefused(type(failure).__name__, lasting=False) from None

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
