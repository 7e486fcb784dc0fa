"""What translating needs from outside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from services.messaging.domain.message import Message
from services.messaging.domain.translation import Translation


class TranslatorFailed(Exception):
    """The engine did not do it. `problem` is a word for logs; `lasting`: asking again does not help."""

    def __init__(self, problem: str, *, lasting: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Detected:
    """A language that an engine found, and whether it is sure of it."""

    language: str
    is_sure: bool


@dataclass(frozen=True, slots=True)
class Rendering:
    """Texts in another language, one for each that was asked for; `source` is that of the originals."""

    source: str
    texts: tuple[str, ...]


class Translator(Protocol):
    """An engine. Its answers are a stranger's: text of any kind."""

    @property
    def engine(self) -> str:
        """What it is called."""
        ...

    async def detect(self, text: str) -> Detected | None:
        """The language of a text; None where it cannot tell. TranslatorFailed."""
        ...

    async def translate(self, texts: Sequence[str], *, source: str, target: str) -> Rendering:
        """The texts in the language `target`. Without a `source` the engine has to find out.
        TranslatorFailed, lasting where it does not translate between the two.
        """
        ...


class Translations(Protocol):
    """Keeps translations: one row for each message and language."""

    async def find(self, tx: Transaction, message: Message, language: str) -> Translation | None:
        """The translation; None where there is none, or only the record of a failure."""
        ...

    async def keep(self, tx: Transaction, message: Message, translation: Translation) -> bool:
        """Adds the translation of a message whose conversation is locked, and shows the message to watchers
        once more. False where the message does not say any more what was translated: nothing may then remain
        of the transaction.
        """
        ...

    async def note_language(self, tx: Transaction, message: Message, language: str) -> None:
        """Keeps the language of a message."""
        ...

    async def note_failure(
        self, tx: Transaction, message: Message, *, language: str, failure: str, now: datetime
    ) -> None:
        """Records that nobody will translate the message by himself any more."""
        ...

    async def wanted(
        self, tx: Transaction, *, author: str, recipients: Collection[str], since: datetime
    ) -> frozenset[str]:
        """The languages that `users/…`, and members of the teams `sellers/…` whom a token showed after
        `since`, want to read; the author's own left out.
        """
        ...
