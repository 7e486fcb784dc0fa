"""Translating messages: when somebody asks, and by itself for who wants that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import Kind, Refusal, not_found
from chassis.telemetry import logger
from services.messaging.app.conversations import message_of, visible
from services.messaging.app.interpreter import Interpreter
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.profiles import Profiles
from services.messaging.app.translation_ports import Translations
from services.messaging.domain import translation_refusals as refusals
from services.messaging.domain.language import base_language
from services.messaging.domain.message import Message
from services.messaging.domain.profile import MEMBERSHIP
from services.messaging.domain.side import Seat
from services.messaging.domain.timeline import Entry
from services.messaging.domain.translation import WAITING, Translation

TRANSLATE: Final = "translate"
"""Timer: a message is translated for those who want to read a language. Its key names the two."""
OVERDUE: Final = "OVERDUE"
"""The engine could not be asked for as long as anybody waits."""
EVERY_MESSAGE: Final = "conversations/"
"""How the keys of all of these timers begin: they wait for the same engine, so few of them run at once."""

_log = logger("translation")


@dataclass(frozen=True, slots=True)
class TranslateMessage:
    """`message` is a resource name; `language` is empty for that of the caller's profile."""

    message: str
    language: str


@dataclass(frozen=True, slots=True)
class TranslatedMessage:
    """A message with all of its translations, and the one that was asked for."""

    message: Message
    translation: Translation


class MessageTranslations:
    """Makes translations outside of every transaction, and keeps each of them once."""

    def __init__(
        self,
        store: Conversations,
        timelines: Timelines,
        translations: Translations,
        *,
        interpreter: Interpreter | None,
    ) -> None:
        self._store = store
        self._timelines = timelines
        self._translations = translations
        self._interpreter = interpreter

    def engine(self) -> Interpreter:
        """Who translates. Refusal TRANSLATION_NOT_CONFIGURED."""
        if self._interpreter is None:
            raise refusals.not_configured()
        return self._interpreter

    async def make(self, message: Message, language: str) -> Translation:
        """Asks the engine. Refusals: TRANSLATION_NOT_CONFIGURED, TRANSLATION_IMPOSSIBLE, PEER_UNAVAILABLE."""
        return await self.engine().interpret(message, language)

    async def keep(self, tx: Transaction, message: Message, made: Translation) -> TranslatedMessage:
        """Keeps what was made. Who comes second is answered with what the first one kept; the translation of
        what the message does not say any more is forgotten. Refusal NOT_FOUND where the message is gone.
        """
        if not made.engine:
            if made.source != message.language:
                await self._translations.note_language(tx, message, made.source)
            return TranslatedMessage(replace(message, language=made.source), made)
        await self._store.load_for_update(tx, message.conversation)
        held = await self._translations.find(tx, message, made.language)
        if held is None and not await self._translations.keep(tx, message, made):
            raise not_found(message.name)
        return TranslatedMessage(await self.message(tx, message.name), held or made)

    async def message(self, tx: Transaction, name: str, *, seat: Seat | None = None) -> Message:
        """A message with its translations, for `seat` if it is for anybody. Refusal NOT_FOUND."""
        return await message_of(self._timelines, tx, name, seat=seat)


class TranslationCommands:
    """Translating on demand."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        people: Profiles,
        feed: LiveFeed,
        *,
        translations: MessageTranslations,
        languages: Sequence[str],
    ) -> None:
        self._database = database
        self._store = store
        self._people = people
        self._feed = feed
        self._translations = translations
        self._languages = tuple(languages)

    async def translate(self, call: Call, command: TranslateMessage) -> TranslatedMessage:
        """What a message says in another language. Refusals: NOT_FOUND, LANGUAGE_NOT_OFFERED and those of
        `MessageTranslations.make`.
        """
        message, language = await self._database.read_for(call, lambda tx: self._look(tx, call, command))
        held = next((each for each in message.translations if each.language == language), None)
        made = held or await self._translations.make(message, language)

        async def work(tx: Transaction) -> TranslatedMessage:
            if held is not None:
                return TranslatedMessage(message, held)
            # He may have been removed while the engine was at work.
            await self._look(tx, call, command)
            return await self._translations.keep(tx, message, made)

        translated = await self._database.command(call, work)
        if held is None and made.engine:
            self._feed.announce(message.conversation)
        return translated

    async def _look(self, tx: Transaction, call: Call, command: TranslateMessage) -> tuple[Message, str]:
        conversation = command.message.partition("/messages/")[0]
        _, seat = await visible(self._store, tx, call, conversation)
        message = await self._translations.message(tx, command.message, seat=seat)
        self._translations.engine()
        language = command.language
        if not language:
            profile = await self._people.load(tx, call.principal)
            language = base_language(profile.locale) or self._languages[0]
        if language not in self._languages:
            raise refusals.not_offered("target_language", language, self._languages)
        return message, language


class TranslationTeller:
    """Has messages translated for those who want to read another language: after the send, never in it."""

    def __init__(self, kept: Translations, languages: Sequence[str], clock: Clock) -> None:
        self._kept = kept
        self._languages = frozenset(languages)
        self._clock = clock

    async def tell(self, tx: Transaction, entry: Entry) -> None:
        """Sets a timer for each language in which somebody wants to read an entry."""
        message = entry.content
        if not isinstance(message, Message) or not message.text.strip():
            return
        now = self._clock.now()
        wanted = await self._kept.wanted(
            tx, author=message.author, recipients=message.recipients, since=now - MEMBERSHIP
        )
        for language in sorted(wanted & self._languages):
            tx.schedule(TRANSLATE, f"{message.name} {language}", now)


class TranslationTimers:
    """Makes what was asked for by `TranslationTeller`."""

    def __init__(
        self,
        database: Database,
        kept: Translations,
        feed: LiveFeed,
        *,
        translations: MessageTranslations,
        clock: Clock,
    ) -> None:
        self._database = database
        self._kept = kept
        self._feed = feed
        self._translations = translations
        self._clock = clock

    async def translate(self, timer: DueTimer) -> None:
        """Makes and keeps one translation. Refusal UNAVAILABLE while the engine cannot be asked: the timer
        comes again, later each time, until nobody waits any more.
        """
        name, _, language = timer.key.rpartition(" ")
        try:
            message = await self._database.read_as_process(lambda tx: self._translations.message(tx, name))
        except Refusal as refusal:
            if refusal.kind is not Kind.NOT_FOUND:
                raise
            await self._database.discard(timer)
            return
        if any(each.language == language for each in message.translations):
            await self._database.discard(timer)
            return
        try:
            made = await self._translations.make(message, language)
        except Refusal as refusal:
            is_passing = refusal.kind is Kind.UNAVAILABLE
            if is_passing and self._clock.now() < message.create_time + WAITING:
                raise
            await self._give_up(timer, message, language, OVERDUE if is_passing else refusal.reason)
            return

        async def work(tx: Transaction) -> None:
            await self._translations.keep(tx, message, made)

        await self._database.fire(timer, work)
        if made.engine:
            self._feed.announce(message.conversation)

    async def _give_up(self, timer: DueTimer, message: Message, language: str, failure: str) -> None:
        async def work(tx: Transaction) -> None:
            await self._kept.note_failure(
                tx, message, language=language, failure=failure, now=self._clock.now()
            )

        await self._database.fire(timer, work)
        _log.warning("translation_given_up", message=message.name, language=language, failure=failure)
