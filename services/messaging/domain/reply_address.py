"""Addresses that people answer to: each belongs to one participant of one conversation, and proves itself.

`r.<random id>.<mac>`: the id is kept with whose it is, the mac shows without any look into the database that
we made it. `b.<mail>.<mac>` is where a mail that cannot be delivered comes back to. Both fit into the 64
characters of a local part and mean the same in upper case.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.ids import spelled

ID_BYTES: Final = 16
MAC_BYTES: Final = 15
FRESH: Final = timedelta(days=30)
"""How long the same address stands in the mails about a conversation; later ones carry a new one."""
LIFE: Final = timedelta(days=180)
"""How long an address is answered to, from its making on: every mail can be for 150 days at least."""

_SHAPE: Final = re.compile(r"([rb])\.([a-z2-7]{26})\.([a-z2-7]{24})")


class Purpose(StrEnum):
    """What comes to an address."""

    REPLY = "r"
    BOUNCE = "b"


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """`user` may write to `conversation` by it."""

    id: str
    conversation: str
    user: str
    create_time: datetime

    @property
    def expire_time(self) -> datetime:
        """From when on it is unknown."""
        return self.create_time + LIFE


def id_of(random: bytes) -> str:
    """The id that `ID_BYTES` random bytes, or those of a mail's id, make."""
    return base64.b32encode(random).decode("ascii").rstrip("=").lower()


def mail_of(bounce_id: str) -> str:
    """The id of the mail for which a bounce address was made."""
    return spelled(base64.b32decode(bounce_id.upper() + "======").hex())


def bounce_id(mail: str) -> str:
    """The id of the bounce address of a mail."""
    return id_of(bytes.fromhex(mail.replace("-", "")))


def local_part(purpose: Purpose, address_id: str, key: str) -> str:
    """What stands before the @."""
    return f"{purpose}.{address_id}.{_mac(purpose, address_id, key)}"


def read(local: str, key: str) -> tuple[Purpose, str] | None:
    """Purpose and id of an address that we made; None for every other one."""
    shape = _SHAPE.fullmatch(local.lower())
    if shape is None:
        return None
    purpose, address_id, mac = Purpose(shape[1]), shape[2], shape[3]
    return (purpose, address_id) if hmac.compare_digest(mac, _mac(purpose, address_id, key)) else None


def _mac(purpose: Purpose, address_id: str, key: str) -> str:
    digest = hmac.new(key.encode(), f"{purpose}.{address_id}".encode(), hashlib.sha256).digest()
    return id_of(digest[:MAC_BYTES])
