"""SMTP for answers by mail: it listens, says to whom it takes mails, and answers what became of each.

A recipient is refused as early as SMTP allows. 250 is said after everything is stored, 4xx where the same
mail may be taken later, 5xx with the reason where it never will be: then the server that brought it tells its
sender.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from chassis.config import Address
from chassis.kernel.refusal import Refusal
from chassis.server import AddressTaken
from chassis.telemetry import logger, working
from services.messaging.app.mail_in import PASSING, MailIntake, Recipient

IDENT: Final = "Parley"
CONNECTIONS_LIMIT: Final = 100
HOST_CONNECTIONS_LIMIT: Final = 20
"""Connections from one address."""
CONTENTS_LIMIT: Final = 4
"""Mails that are being taken in at the same time; each is held in memory as a whole."""
COMMANDS_LIMIT: Final = {"MAIL": 20, "RCPT": 40, "DATA": 20, "*": 60}
"""How often each command may come over one connection."""
WORK_SECONDS: Final = 60.0
"""How long a mail may take after it was sent."""
ANSWER_LIMIT: Final = 480
"""Characters of an answer."""
DRAIN_SECONDS: Final = 5.0
ENHANCED: Final[Mapping[str, str]] = {
    "SENDER_UNVERIFIED": "550 5.7.1",
    "ATTACHMENT_TOO_LARGE": "552 5.3.4",
    "CONVERSATION_CLOSED": "554 5.2.1",
    "PARTICIPANT_BLOCKED": "554 5.7.1",
    "NOT_FOUND": "550 5.1.1",
    "MAIL_REPEATED": "554 5.4.6",
}
"""How SMTP says a lasting refusal, by its reason."""
OTHER_REASONS: Final = "554 5.6.0"
"""The same for every other reason."""

_TAKEN: Final = "250 2.0.0 OK"
_LATER: Final = "451 4.3.0 LATER: please try again later"
_BUSY: Final = "451 4.3.2 LATER: too many mails at the same time"
_ONE_AT_A_TIME: Final = "452 4.5.3 one recipient at a time"

_log = logger("mail_in")


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """Where to listen, and what to take. `certificate` and `private_key` are both given or none is."""

    address: Address
    hostname: str
    limit_bytes: int
    timeout_seconds: float
    certificate: Path | None = None
    private_key: Path | None = None
    require_tls: bool = False


class _Delivery(Envelope):
    """One mail on its way in."""

    def __init__(self) -> None:
        super().__init__()
        self.recipient: Recipient | None = None


class MailEdge:
    """Listens from `start` to `stop`."""

    def __init__(self, intake: MailIntake, settings: EdgeSettings) -> None:
        self._settings = settings
        self._handler = _Handler(intake)
        self._server: asyncio.Server | None = None
        self._tls = _tls(settings)
        self._sessions: dict[_Session, str] = {}
        self._hosts: Counter[str] = Counter()
        # It writes down what is said on every connection, addresses included.
        logging.getLogger("mail.log").disabled = True

    @property
    def port(self) -> int:
        """Where it listens now."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Raises AddressTaken."""
        address = self._settings.address
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._session, address.host, address.port
            )
        except OSError as error:
            raise AddressTaken(f"{address} cannot be listened on ({error.strerror})") from error
        _log.info("mail_in_started", port=self.port)

    async def stop(self) -> None:
        """Takes no more connections, lets those mails end that are complete, and hangs up."""
        if self._server is None:
            return
        self._server.close()
        await self._handler.finish(DRAIN_SECONDS)
        for session in list(self._sessions):
            session.hang_up()

    def _session(self) -> SMTP:
        settings = self._settings
        return _Session(
            self,
            self._handler,
            hostname=settings.hostname,
            ident=IDENT,
            data_size_limit=settings.limit_bytes,
            timeout=settings.timeout_seconds,
            tls_context=self._tls,
            require_starttls=settings.require_tls,
            command_call_limit=COMMANDS_LIMIT,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
            loop=asyncio.get_running_loop(),
        )

    def admit(self, session: _Session, host: str) -> bool:
        """Whether there is room for another connection."""
        if len(self._sessions) >= CONNECTIONS_LIMIT or self._hosts[host] >= HOST_CONNECTIONS_LIMIT:
            return False
        self._sessions[session] = host
        self._hosts[host] += 1
        return True

    def leave(self, session: _Session) -> None:
        """A connection has ended."""
        host = self._sessions.pop(session, None)
        if host is not None:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]


class _Session(SMTP):
    """One connection."""

    def __init__(self, edge: MailEdge, handler: _Handler, **options: Any) -> None:
        super().__init__(handler, **options)
        self._edge = edge
        self._handler = handler
        self._is_turned_away = False

    def _create_envelope(self) -> Envelope:
        return _Delivery()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        begins = self._original_transport is None
        peer = transport.get_extra_info("peername") or ("",)
        if begins and not self._edge.admit(self, str(peer[0])):
            self._is_turned_away = True
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"421 4.3.2 too many connections\r\n")
            transport.close()
            return
        super().connection_made(transport)

    def eof_received(self) -> bool | None:
        return False if self._is_turned_away else super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_turned_away:
            self._edge.leave(self)
            super().connection_lost(error)

    def hang_up(self) -> None:
        """The service ends."""
        if isinstance(self.transport, asyncio.Transport):
            with suppress(OSError, RuntimeError):
                self.transport.write(b"421 4.3.2 closing\r\n")
            self.transport.close()

    async def smtp_DATA(self, arg: str) -> None:
        """Takes a mail, if there is room for it."""
        delivery = self.envelope
        recipient = delivery.recipient if isinstance(delivery, _Delivery) else None
        if recipient is None:
            await super().smtp_DATA(arg)
            return
        if not self._handler.enter(recipient.id):
            await self.push(_BUSY)
            return
        try:
            await super().smtp_DATA(arg)
        finally:
            self._handler.leave(recipient.id)


class _Handler:
    """What the library asks."""

    def __init__(self, intake: MailIntake) -> None:
        self._intake = intake
        self._entered: set[str] = set()
        self._working: set[asyncio.Task[str]] = set()

    def enter(self, recipient: str) -> bool:
        """Whether a mail to a recipient may be sent now: one after the other to each of them."""
        if recipient in self._entered or len(self._entered) >= CONTENTS_LIMIT:
            return False
        self._entered.add(recipient)
        return True

    def leave(self, recipient: str) -> None:
        """It was taken, or not."""
        self._entered.discard(recipient)

    async def finish(self, seconds: float) -> None:
        """Waits for mails that are complete."""
        if self._working:
            await asyncio.wait(self._working, timeout=seconds)

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        # Nobody logs in here, so nothing invites to.
        return [line for line in responses if not line[4:].startswith("AUTH")]

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: _Delivery, address: str, _options: list[str]
    ) -> str:
        try:
            found = await self._intake.recipient(address)
        except Refusal as refusal:
            return _said(refusal)
        if envelope.recipient is not None:
            return _ONE_AT_A_TIME
        envelope.recipient = found
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: _Delivery) -> str:
        # Whoever hangs up now gets the same answer when he comes again: the work goes on without him.
        task = asyncio.create_task(self._take(envelope))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(task)

    async def _take(self, envelope: _Delivery) -> str:
        content, recipient = envelope.original_content, envelope.recipient
        assert isinstance(content, bytes)
        assert recipient is not None
        try:
            with working("mail_in"):
                async with asyncio.timeout(WORK_SECONDS):
                    await self._intake.receive(recipient, sender=envelope.mail_from or "", content=content)
        except Refusal as refusal:
            return _said(refusal)
        except TimeoutError:
            return _LATER
        except Exception as error:  # noqa: BLE001 - whatever it is, the mail is kept by the server that has it
            _log.error("mail_in_failed", error=type(error).__name__, exc_info=error)
            return _LATER
        return _TAKEN

    async def handle_exception(self, error: Exception) -> str:
        _log.error("mail_in_failed", error=type(error).__name__, exc_info=error)
        return _LATER


def _said(refusal: Refusal) -> str:
    """A refusal as SMTP says it: one line of ASCII."""
    if refusal.kind in PASSING:
        code = "451 4.3.0"
    else:
        code = ENHANCED.get(refusal.reason, OTHER_REASONS)
    violation = refusal.violations[0] if refusal.violations else None
    said = refusal.message if violation is None else f"{violation.field} {violation.description}"
    line = " ".join(f"{code} {refusal.reason}: {said}".split())
    return line.encode("ascii", "replace").decode("ascii")[:ANSWER_LIMIT]


def _tls(settings: EdgeSettings) -> ssl.SSLContext | None:
    if settings.certificate is None or settings.private_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.private_key)
    return context
