"""Mails as people, machines and strangers write them, and the way by which they come in."""

from __future__ import annotations

import smtplib
from contextlib import closing
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the server said to a mail: at RCPT, or else at its end."""

    code: int
    text: str


def send(port: int, sender: str, recipient: str, content: bytes | EmailMessage, **options: Any) -> Answer:
    """Brings a mail as another mail server does."""
    raw = content if isinstance(content, bytes) else content.as_bytes().replace(b"\n", b"\r\n")
    # Without a good-bye: the server may have said its own.
    with closing(smtplib.SMTP("127.0.0.1", port, timeout=20)) as client:
        client.ehlo("mail.example")
        if "context" in options:
            client.starttls(context=options["context"])
            client.ehlo("mail.example")
        for code, said in (client.mail(sender), client.rcpt(recipient)):
            if code != 250:
                return Answer(code, said.decode())
        code, said = client.docmd("DATA")
        if code != 354:
            return Answer(code, said.decode())
        stuffed = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in raw.split(b"\r\n"))
        client.send(stuffed.rstrip(b"\r\n") + b"\r\n.\r\n")
        code, said = client.getreply()
        return Answer(code, said.decode())


def letter(sender: str, to: str, text: str, **headers: str) -> EmailMessage:
    """A mail of text. Underlines in the names of headers stand for hyphens."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to
    mail["Subject"] = headers.pop("Subject", "Re: New message")
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail
