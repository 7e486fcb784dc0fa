"""Documents of participants: what is taken, whose it is, and who may have it."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chassis.kernel.refusal import not_found
from services.messaging.domain import attachment_refusals as refusals
from services.messaging.domain import events
from services.messaging.domain.side import Seat, Side

if TYPE_CHECKING:
    from services.messaging.domain.conversation import Conversation

LIMIT_BYTES: Final = 10_485_760
FILENAME_LIMIT: Final = 200
"""Characters of a file's name."""
UNSENT_LIMIT: Final = 20
"""Attachments that one participant may have in a conversation without a message."""
UNSENT_LIFE: Final = timedelta(hours=24)
STORING_LIFE: Final = timedelta(hours=1)
"""How long a file may be on its way into the store: far longer than a call lasts."""
_HEAD: Final = b"%PDF-"
_END: Final = b"%%EOF"
_TAIL_BYTES: Final = 1_024
_BLANK: Final = b" \t\r\n\f\0"
_SUFFIX: Final = ".pdf"


class Kind(StrEnum):
    """What a document is."""

    OFFER = "offer"
    OTHER = "other"


class State(StrEnum):
    """Where a file is on its way. What is REMOVED is on its way out of the store."""

    STORING = "storing"
    READY = "ready"
    SENT = "sent"
    REMOVED = "removed"


class Finding(StrEnum):
    """What an examination of a PDF says."""

    FINE = "fine"
    UNREADABLE = "unreadable"
    ENCRYPTED = "encrypted"
    ACTIVE = "active"
    TOO_COMPLEX = "too_complex"


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a file, measured. `sha256` is hexadecimal."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """An uploaded file. `key` is where the store has it; nobody outside learns of it.

    `message` is the id of the message that names it, empty until then; `for_team` says that this message is
    an internal note, `send_time` when it was sent.
    """

    conversation: str
    id: str
    kind: Kind
    filename: str
    content: Content
    author: str
    side: Side
    key: str
    create_time: datetime
    state: State = State.STORING
    message: str = ""
    for_team: bool = False
    send_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.conversation}/attachments/{self.id}"

    @property
    def expire_time(self) -> datetime | None:
        """When it is removed unless a message names it; None once one does."""
        return None if self.state is State.SENT else self.create_time + UNSENT_LIFE

    def visible_to(self, seat: Seat) -> bool:
        """Whoever reads its message may have it; before it is sent, only who uploaded it."""
        if self.state is not State.SENT or self.send_time is None:
            return self.state is State.READY and seat.user == self.author
        if self.for_team:
            return seat.in_team
        return seat.since is None or self.send_time >= seat.since


class Intake:
    """Measures a file while it arrives, and refuses what cannot be a PDF as early as it shows."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._size = 0
        self._head = b""
        self._tail = b""

    def take(self, piece: bytes) -> None:
        """The next bytes. Refusals: ATTACHMENT_TOO_LARGE, ATTACHMENT_NOT_PDF."""
        self._size += len(piece)
        if self._size > LIMIT_BYTES:
            raise refusals.attachment_too_large(LIMIT_BYTES)
        if len(self._head) < len(_HEAD):
            self._head = (self._head + piece)[: len(_HEAD)]
            if not _HEAD.startswith(self._head):
                raise refusals.attachment_not_pdf("it does not begin like a PDF")
        self._tail = (self._tail + piece)[-_TAIL_BYTES:]
        self._digest.update(piece)

    def finish(self) -> Content:
        """What was taken. Refusal ATTACHMENT_NOT_PDF for an empty file or one without its end."""
        _check_ends(self._head, self._tail)
        return Content(self._size, self._digest.hexdigest())


def check_whole(filename: str, data: bytes) -> None:
    """Refuses at a glance what is there as a whole: what an upload refuses before anybody examines it.

    Refusals: ATTACHMENT_TOO_LARGE, ATTACHMENT_NOT_PDF.
    """
    checked_filename(filename)
    if len(data) > LIMIT_BYTES:
        raise refusals.attachment_too_large(LIMIT_BYTES)
    _check_ends(data[: len(_HEAD)], data[-_TAIL_BYTES:])


def _check_ends(head: bytes, tail: bytes) -> None:
    if head != _HEAD:
        raise refusals.attachment_not_pdf("it does not begin like a PDF")
    _, end, rest = tail.rpartition(_END)
    # What follows the end is what another program would take the file for.
    if not end or rest.strip(_BLANK):
        raise refusals.attachment_not_pdf("it does not end like a PDF")


def checked_filename(given: str) -> str:
    """The name that others see: no folders, nothing invisible, nothing that turns the text around.

    Refusal ATTACHMENT_NOT_PDF for a name that does not end in `.pdf` or is too long.
    """
    name = given.replace("\\", "/").rpartition("/")[2]
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C").strip()
    is_pdf = name.lower().endswith(_SUFFIX) and name[: -len(_SUFFIX)].strip(" .")
    if not is_pdf or len(name) > FILENAME_LIMIT:
        problem = f"its name must end in {_SUFFIX} and have at most {FILENAME_LIMIT} characters"
        raise refusals.attachment_not_pdf(problem)
    return name


def refuse_found(finding: Finding, found: str) -> None:
    """The refusal that a finding means; nothing for a fine one."""
    match finding:
        case Finding.UNREADABLE:
            raise refusals.attachment_not_pdf("it cannot be read")
        case Finding.ENCRYPTED:
            raise refusals.attachment_encrypted()
        case Finding.ACTIVE:
            raise refusals.attachment_active(found)
        case Finding.TOO_COMPLEX:
            raise refusals.attachment_too_complex()


def stored(attachment: Attachment) -> Attachment:
    """It is in the store."""
    return replace(attachment, state=State.READY)


def removed(attachment: Attachment) -> Attachment:
    """Nobody can have it any more; its file is still to go."""
    return replace(attachment, state=State.REMOVED)


def send(attachment: Attachment, *, author: str, message: str, for_team: bool, now: datetime) -> Attachment:
    """It goes with a message of the one who uploaded it. Refusals: NOT_FOUND, ATTACHMENT_ALREADY_SENT."""
    if attachment.author != author or attachment.state in (State.STORING, State.REMOVED):
        raise not_found(attachment.name)
    if attachment.state is State.SENT:
        raise refusals.attachment_already_sent(attachment.name)
    return replace(attachment, state=State.SENT, message=message, for_team=for_team, send_time=now)


def downloaded(
    conversation: Conversation, attachment: Attachment, *, seat: Seat, now: datetime
) -> tuple[Conversation, events.AttachmentDownloaded]:
    """Somebody of the other side downloaded it for the first time."""
    changed = replace(
        conversation,
        version=conversation.version + 1,
        update_time=now,
        last_entry_time=max(now, conversation.last_entry_time),
    )
    return changed, events.AttachmentDownloaded(changed, attachment, seat.user, seat.side)
