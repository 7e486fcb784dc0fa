"""Mails to a real SMTP server: what is tried again, what bounces, and that nothing travels in the clear."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import text

from chassis.config import Address
from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, running
from chassis.testing.producer import ForeignProducer
from chassis.testing.service import free_address
from parley.messaging.v1 import messaging_service_pb2 as messaging
from parley.messaging.v1 import profile_pb2 as pb
from services.messaging.__main__ import DEFINITION
from services.messaging.adapters import mail_smtp
from services.messaging.adapters.mail_smtp import SmtpServer, SmtpTransport
from services.messaging.adapters.mail_writing import MailWriter
from services.messaging.app.mail_ports import TransportRefused
from services.messaging.config import SmtpTls
from services.messaging.domain.mail import Mail, Purpose
from services.messaging.domain.profile import EmailState, Profile
from tests.component.messaging.conftest import ANA, OTTO, Scene
from tests.component.messaging.mailbox import profile_of, read, token_in, update, verify

HOUR = timedelta(hours=1)
GIVEN_UP = "given up"
BOUNCED, VERIFIED = pb.Profile.EMAIL_STATE_BOUNCED, pb.Profile.EMAIL_STATE_VERIFIED


@dataclass
class Server:
    """What a mail server was given, and what it answers next, one answer for each mail."""

    taken: list[bytes] = field(default_factory=list)
    to_recipients: list[str] = field(default_factory=list)
    to_data: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _: Any) -> str:
        answer = self.to_recipients.pop(0) if self.to_recipients else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.taken.append(envelope.content)
        self.meanwhile()
        return self.to_data.pop(0) if self.to_data else "250 OK"


@contextmanager
def serving(server: Server, address: Address, **options: Any) -> Iterator[None]:
    controller = Controller(server, hostname=address.host, port=address.port, **options)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


async def test_failures_that_pass_are_tried_again_and_lasting_ones_are_recorded(
    backends: Backends, clock: ManualClock
) -> None:
    server, address = Server(), free_address()
    settings: dict[str, Any] = {"smtp_address": address, "smtp_tls": SmtpTls.NONE}
    async with running(DEFINITION, backends, clock=clock, **settings) as service:
        scene = Scene(service, ForeignProducer(service.host.bus), clock)
        # The server is down: the mail waits for it. One whose token was replaced meanwhile never leaves.
        await update(scene, ANA, email="before@mail.example")
        await service.settle()
        await update(scene, ANA, email="ana@mail.example")
        await service.settle()
        with serving(server, address):
            # It takes the mail and its answer is lost: the same one comes again, to be told by its id.
            server.to_data = ["451 try later"]
            await service.advance(HOUR)
            await service.advance(HOUR)
            first, second = (read(content) for content in server.taken)
            assert first["Message-ID"] == second["Message-ID"]
            assert first.get_body(("plain",)).get_content() == second.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            await service.advance(HOUR)
            assert len(server.taken) == 2
            assert (await verify(scene, ANA, token_in(second))).email_state == VERIFIED

            name = (await scene.inquiry()).conversation.name
            await _refused_mails(scene, server, name)
            # A server that never answers is given up after three days.
        await scene.say(OTTO, name, "Are you there?")
        for _ in range(4):
            await service.advance(24 * HOUR)
        with serving(server, address):
            server.taken.clear()
            await service.advance(2 * HOUR)
            assert server.taken == []


async def _refused_mails(scene: Scene, server: Server, name: str) -> None:
    service = scene.service
    await service.settle()
    # What is wrong with the mail is not the address's fault.
    server.to_data = ["554 looks like spam"]
    await scene.say(OTTO, name, "First")
    await service.advance(HOUR)
    assert (await profile_of(scene, ANA)).email_state == VERIFIED
    taken = len(server.taken)
    # A full mailbox is tried again.
    server.to_recipients = ["452 mailbox full"]
    await scene.say(OTTO, name, "Second")
    await service.advance(HOUR)
    assert len(server.taken) == taken
    await service.advance(HOUR)
    assert len(server.taken) == taken + 1
    # What has nothing to do with the address says nothing about it.
    for answer in ("550 5.7.1 not from here", "550 5.1.8 bad sender", "550 5.2.2 mailbox full"):
        server.to_recipients = [answer]
        await scene.say(OTTO, name, answer)
        await service.advance(HOUR)
        assert (await profile_of(scene, ANA)).email_state == VERIFIED
    assert len(server.taken) == taken + 1
    # An address that nobody knows bounces, is shown as such, and gets nothing more until it is verified anew.
    server.to_recipients = ["550 5.1.1 no such user"]
    await scene.say(OTTO, name, "Third")
    await service.advance(HOUR)
    bounced = await profile_of(scene, ANA)
    assert bounced.email_state == BOUNCED
    assert "sendEmailVerification" in bounced.allowed_actions
    await scene.say(OTTO, name, "Fourth")
    await service.advance(HOUR)
    assert len(server.taken) == taken + 1
    await scene.of(ANA).SendEmailVerification(pb.SendEmailVerificationRequest(name=f"{ANA.subject}/profile"))
    await service.advance(HOUR)
    assert (await verify(scene, ANA, token_in(read(server.taken[-1])))).email_state == VERIFIED
    asked = messaging.GetConversationRequest(name=name)
    assert (await scene.of(ANA).GetConversation(asked)).conversation.unread_count == 7


@dataclass(frozen=True)
class Certificate:
    """A server's key, and the file that trusts it."""

    ca_file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return Certificate(folder / "cert.pem", context)


async def hand_over(address: Address, tls: SmtpTls, **options: Any) -> str:
    """Sends one mail; empty where it was taken, else why not."""
    writer = MailWriter(
        sender_name="Parley", sender="no-reply@parley.example", public_url="https://p.example"
    )
    server = SmtpServer(address.host, address.port, tls, **{"timeout_seconds": 2.0, **options})
    person = Profile("users/ana", email="ana@mail.example", email_state=EmailState.UNVERIFIED)
    mail = Mail(
        "0190a000-0000-7000-8000-000000000001",
        person,
        Purpose.VERIFICATION,
        datetime(2026, 6, 1, tzinfo=UTC),
        token="t",
    )
    try:
        await SmtpTransport(server, writer, sender="no-reply@parley.example").send(mail)
    except TransportRefused as refusal:
        return GIVEN_UP if refusal.lasting else refusal.code
    return ""


def knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"parley", b"secret"))


class SlowServer:
    """Its every answer takes a while, and it never says good-bye."""

    def __init__(self) -> None:
        self.serving: list[asyncio.Task[Any]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.append(task)
        writer.write(b"220 slow\r\n")
        while (line := await reader.readline()) and not line.startswith(b"QUIT"):
            await asyncio.sleep(0.1)
            is_data = line.startswith(b"DATA")
            writer.write(b"354 go\r\n" if is_data else b"250 OK\r\n")
            if is_data:
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
        await reader.read()
        writer.close()


async def test_a_mail_has_one_limit_of_time_for_all_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer comes in time, all of them together do not; a good-bye does not count."""
    monkeypatch.setattr(mail_smtp, "QUIT_SECONDS", 0.1)
    slow = SlowServer()
    async with await asyncio.start_server(slow.serve, "127.0.0.1", 0) as server:
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        assert await hand_over(address, SmtpTls.NONE, timeout_seconds=0.25) == "TimeoutError"
        # Whoever waits for its good-bye as for anything else does not come back in time.
        async with asyncio.timeout(60):
            assert await hand_over(address, SmtpTls.NONE, timeout_seconds=3_600.0) == ""
        await asyncio.gather(*slow.serving)


async def test_a_mail_is_said_to_be_sent_by_whoever_records_it(
    backends: Backends, clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    server, address, loop = Server(), free_address(), asyncio.get_running_loop()
    settings: dict[str, Any] = {"smtp_address": address, "smtp_tls": SmtpTls.NONE}
    async with running(DEFINITION, backends, clock=clock, **settings) as service:
        database = service.host.database

        async def lapse(tx: Transaction) -> None:
            row = await tx.fetch_one(text("SELECT key FROM timer WHERE kind = 'mail.send'"))
            assert row is not None
            tx.schedule("mail.send", row.key, clock.now() + HOUR)

        def meanwhile() -> None:
            asyncio.run_coroutine_threadsafe(database.transact(lapse), loop).result()

        server.meanwhile = meanwhile
        with serving(server, address):
            scene = Scene(service, ForeignProducer(service.host.bus), clock)
            await update(scene, ANA, email="ana@mail.example")
            await service.settle()
            assert capsys.readouterr().out.count("mail_sent") == 0
            server.meanwhile = lambda: None
            await service.advance(HOUR)
            assert capsys.readouterr().out.count("mail_sent") == 1
            assert len(server.taken) == 2


async def test_starttls_is_demanded_and_the_certificate_is_checked(certificate: Certificate) -> None:
    server, address = Server(), free_address()
    with serving(server, address):
        assert await hand_over(address, SmtpTls.STARTTLS) not in ("", GIVEN_UP)
        assert server.taken == []
        assert await hand_over(address, SmtpTls.NONE) == ""
    address = free_address()
    options = {"require_starttls": True, "auth_required": True, "authenticator": knows}
    with serving(server, address, tls_context=certificate.context, **options):
        assert await hand_over(address, SmtpTls.STARTTLS) not in ("", GIVEN_UP)
        trusted = {"ca_file": certificate.ca_file, "user": "parley"}
        assert await hand_over(address, SmtpTls.STARTTLS, **trusted, password="wrong") not in ("", GIVEN_UP)
        assert len(server.taken) == 1
        assert await hand_over(address, SmtpTls.STARTTLS, **trusted, password="secret") == ""
        assert len(server.taken) == 2


async def test_implicit_tls(certificate: Certificate) -> None:
    server, address = Server(), free_address()
    with serving(server, address, ssl_context=certificate.context):
        assert await hand_over(address, SmtpTls.IMPLICIT) not in ("", GIVEN_UP)
        assert server.taken == []
        assert await hand_over(address, SmtpTls.IMPLICIT, ca_file=certificate.ca_file) == ""
        (content,) = server.taken
        assert read(content)["To"] == "ana@mail.example"
