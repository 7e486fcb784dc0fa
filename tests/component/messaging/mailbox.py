"""People with verified addresses, and the mails that they get: in a folder, or from a real SMTP server."""

from __future__ import annotations

import email
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from chassis.testing import Identity
from parley.messaging.v1 import profile_pb2 as pb
from tests.component.messaging.conftest import Scene

LINK = re.compile(r"https?://[^\s<>\"]+")


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=policy.default)


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def link_of(mail: EmailMessage) -> str:
    """The first link: what the mail is about."""
    return str(LINK.findall(text_of(mail))[0])


@dataclass
class Mailbox:
    """The mails below a folder, in the order in which they were made."""

    folder: Path
    seen: set[str] = field(default_factory=set)

    def all(self) -> list[EmailMessage]:
        return [read(path.read_bytes()) for path in sorted(self.folder.glob("*.eml"))]

    def new(self, to: str = "") -> list[EmailMessage]:
        """Those that were not looked at yet; of one address only where it is given."""
        found = [mail for mail in self.all() if to in str(mail["To"]) and mail["Message-ID"] not in self.seen]
        self.seen |= {str(mail["Message-ID"]) for mail in found}
        return found

    def subjects(self, to: str = "") -> list[str]:
        return [str(mail["Subject"]) for mail in self.new(to)]


def token_in(mail: EmailMessage) -> str:
    return link_of(mail).partition("&token=")[2]


async def update(scene: Scene, who: Identity, **fields: Any) -> pb.Profile:
    request = pb.UpdateProfileRequest(profile=pb.Profile(name=f"{who.subject}/profile", **fields))
    return (await scene.of(who).UpdateProfile(request)).profile  # type: ignore[no-any-return]


async def profile_of(scene: Scene, who: Identity) -> pb.Profile:
    request = pb.GetProfileRequest(name=f"{who.subject}/profile")
    return (await scene.of(who).GetProfile(request)).profile  # type: ignore[no-any-return]


async def verify(scene: Scene, who: Identity, token: str) -> pb.Profile:
    request = pb.VerifyEmailRequest(name=f"{who.subject}/profile", token=token)
    return (await scene.of(who).VerifyEmail(request)).profile  # type: ignore[no-any-return]


async def reachable(scene: Scene, box: Mailbox, who: Identity, **fields: Any) -> str:
    """Gives somebody a verified address; it."""
    address = fields.pop("email", f"{who.subject.rpartition('/')[2]}@mail.example")
    await update(scene, who, email=address, **fields)
    await scene.service.settle()
    (mail,) = box.new(address)
    await verify(scene, who, token_in(mail))
    return str(address)


def choices(
    delivery: pb.NotificationChoice.Delivery.ValueType, *kinds: int
) -> Sequence[pb.NotificationChoice]:
    return [pb.NotificationChoice(kind=kind, delivery=delivery) for kind in kinds]  # type: ignore[arg-type]
