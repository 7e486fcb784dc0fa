"""The SMTP edge by itself: TLS, limits, what a guest may ask for, and how it ends."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from chassis.config import Address, Secret
from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, running
from chassis.testing.producer import ForeignProducer
from services.messaging.__main__ import DEFINITION
from services.messaging.entrypoints.mail_in import COMMANDS_LIMIT, CONTENTS_LIMIT, HOST_CONNECTIONS_LIMIT
from stack.certificates import self_signed
from tests.component.messaging.blocked import until_blocked
from tests.component.messaging.conftest import ANA, OTTO
from tests.component.messaging.mailbox import Mailbox, reachable
from tests.component.messaging.post import Answer, letter, send
from tests.component.messaging.test_mail import Office

HOST = "127.0.0.1"


async def test_the_edge_is_guarded_and_ends_in_order(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    paths = tmp_path / "certificate", tmp_path / "key"
    for path, content in zip(paths, self_signed("localhost"), strict=True):
        path.write_text(content)
    settings: dict[str, Any] = {
        "mail_folder": tmp_path / "mail",
        "mail_in_address": Address(HOST, 0),
        "reply_domain": "reply.parley.example",
        "reply_key": Secret("k" * 32),
        "mail_in_certificate": paths[0],
        "mail_in_private_key": paths[1],
        "mail_in_require_tls": True,
    }
    async with running(DEFINITION, backends, clock=clock, **settings) as service:
        office = Office(service, ForeignProducer(service.host.bus), clock, Mailbox(tmp_path / "mail"))
        edge: Any = service.host.service.drain
        port = edge.__self__.port
        otto = await reachable(office, office.box, OTTO)
        name = (await office.inquiry("Owls?")).conversation.name
        await service.settle()
        to = str(office.box.new(otto)[-1]["Reply-To"])
        clear = await asyncio.to_thread(send, port, otto, to, letter(otto, to, "In the clear"))
        assert clear.code == 530
        context = ssl.create_default_context(cafile=str(paths[0]))
        context.check_hostname = False
        sealed = letter(otto, to, "Sealed")
        assert (await asyncio.to_thread(send, port, otto, to, sealed, context=context)).code == 250
        assert (await office.timeline(ANA, name))[-1] == "Sealed"
        await asyncio.to_thread(_guest, port, to, context)
        await asyncio.to_thread(_crowd, port)
        for number in range(CONTENTS_LIMIT):
            await office.inquiry(f"Owls {number}?")
        await service.settle()
        others = [str(mail["Reply-To"]) for mail in office.box.new(otto)]
        await asyncio.to_thread(_rush, port, [to, *others], context)
        idle = await asyncio.to_thread(smtplib.SMTP, HOST, port, timeout=20)
        last = partial(send, port, otto, to, letter(otto, to, "The last one"), context=context)
        await _stopped_meanwhile(office, name, port, last)
    # Whoever was connected is told; nobody else gets in.
    assert (await asyncio.to_thread(idle.getreply))[0] == 421
    idle.close()


def _guest(port: int, to: str, context: ssl.SSLContext) -> None:
    """One recipient a mail, nobody logs in, nobody asks without end."""
    with smtplib.SMTP(HOST, port, timeout=20) as client:
        client.starttls(context=context)
        client.ehlo("mail.example")
        assert "auth" not in client.esmtp_features
        assert client.docmd("AUTH", "PLAIN AGEAYg==")[0] >= 500
        assert client.mail("otto@mail.example")[0] == 250
        assert [client.rcpt(each)[0] for each in (to, to, "otto@reply.parley.example")] == [250, 452, 550]
        client.rset()
        assert client.mail("otto@mail.example")[0] == 250
        answers = [client.rcpt(f"r.{'a' * 26}.{'b' * 24}@reply.parley.example") for _ in range(36)]
        assert {code for code, _ in answers} == {550}
        assert client.docmd("RCPT", f"TO:<{to}>")[0] == 250
        assert client.docmd("RCPT", f"TO:<{to}>")[0] == 421
    assert COMMANDS_LIMIT["RCPT"] == 40


def _rush(port: int, addresses: list[str], context: ssl.SSLContext) -> None:
    """So many mails are taken in at once, and of those to one address one; the others come again."""
    mail = b"From: otto@mail.example\r\nSubject: x\r\n\r\nMail %d\r\n.\r\n"
    with ExitStack() as clients:

        def begin(address: str) -> tuple[smtplib.SMTP, tuple[int, bytes]]:
            client = clients.enter_context(smtplib.SMTP(HOST, port, timeout=20))
            client.starttls(context=context)
            client.ehlo("mail.example")
            client.mail("otto@mail.example")
            assert client.rcpt(address)[0] == 250
            return client, client.docmd("DATA")

        def end(client: smtplib.SMTP, number: int) -> int:
            client.send(mail % number)
            return client.getreply()[0]

        later = (451, b"4.3.2 LATER: too many mails at the same time")
        assert len(addresses) == CONTENTS_LIMIT + 1
        first, answer = begin(addresses[0])
        assert answer[0] == 354
        waiting, answer = begin(addresses[0])
        assert answer == later
        begun = [first, *(begin(address)[0] for address in addresses[1:CONTENTS_LIMIT])]
        another, answer = begin(addresses[CONTENTS_LIMIT])
        assert answer == later
        assert [end(client, number) for number, client in enumerate(begun)] == [250] * CONTENTS_LIMIT
        for number, client in enumerate((waiting, another), CONTENTS_LIMIT):
            assert client.docmd("DATA")[0] == 354
            assert end(client, number) == 250


async def _stopped_meanwhile(office: Office, name: str, port: int, last: Callable[[], Answer]) -> None:
    """A mail that has come as a whole is answered, whatever it waits for; no other one comes in."""
    locked, done = asyncio.Event(), asyncio.Event()

    async def hold(tx: Transaction) -> None:
        lock = text("SELECT id FROM conversation WHERE id = :id FOR UPDATE")
        await tx.execute(lock, {"id": name.partition("/")[2]})
        locked.set()
        await done.wait()

    holding = asyncio.create_task(office.service.host.database.transact(hold))
    await locked.wait()
    sending = asyncio.create_task(asyncio.to_thread(last))
    await until_blocked(office.service, sending)
    stopping = asyncio.create_task(office.service.host.stop())
    while await _listens(port):
        assert not sending.done()
    done.set()
    assert (await sending).code == 250
    await asyncio.gather(holding, stopping)


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionError:
        return False
    writer.close()
    return True


def _crowd(port: int) -> None:
    with ExitStack() as clients:
        for _ in range(HOST_CONNECTIONS_LIMIT):
            clients.enter_context(smtplib.SMTP(HOST, port, timeout=20))
        with pytest.raises(smtplib.SMTPConnectError, match="421"):
            smtplib.SMTP(HOST, port, timeout=20)
    # They have left, and there is room again.
    smtplib.SMTP(HOST, port, timeout=20).close()
