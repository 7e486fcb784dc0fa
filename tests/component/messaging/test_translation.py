"""People who read each other in their own languages, through the public API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock, SystemClock
from chassis.kernel.refusal import Kind
from chassis.testing import Backends, Identity, buyer, refused, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import participant_methods_pb2 as joining
from parley.messaging.v1 import profile_pb2 as profiles
from parley.messaging.v1 import timeline_pb2
from parley.messaging.v1 import translation_methods_pb2 as translating_pb2
from services.messaging.__main__ import DEFINITION
from services.messaging.adapters.conversation_repository import ConversationRepository
from services.messaging.adapters.erasure_repository import ErasureRepository
from services.messaging.adapters.record_sources import OwnRecords
from services.messaging.adapters.timeline_repository import Tell, TimelineRepository
from services.messaging.config import LANGUAGES, TranslatorKind
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import Entry, EventType, Happening
from tests.component.messaging.blocked import until_blocked
from tests.component.messaging.conftest import ANA, BEN, OLGA, OTTO, Scene
from tests.component.messaging.engines import APERTIUM, LIBRE, Engine, translating
from tests.integration.gateway.front import fronted

CARL = buyer("carl")
TEXT = "The logo costs 1.250,00 EUR, see https://x.example/logo?a=1 or ask ana@x.example."
PARTS = ("1.250,00 EUR", "https://x.example/logo?a=1", "ana@x.example")


@asynccontextmanager
async def spoken(
    backends: Backends, kind: TranslatorKind = LIBRE, **settings: Any
) -> AsyncIterator[tuple[Scene, Engine]]:
    """Messaging beside an engine."""
    clock = ManualClock(SystemClock().now())
    async with (
        translating(kind) as engine,
        running(DEFINITION, backends, clock=clock, **{**engine.settings, **settings}) as service,
    ):
        yield Scene(service, ForeignProducer(service.host.bus), clock), engine


async def translate(scene: Scene, who: Identity, message: str, language: str = "", **fields: str) -> Any:
    request = translating_pb2.TranslateMessageRequest(name=message, target_language=language, **fields)
    return await scene.of(who).TranslateMessage(request)


async def choose(scene: Scene, who: Identity, **fields: str) -> profiles.Profile:
    request = profiles.UpdateProfileRequest(
        profile=profiles.Profile(name=f"{who.subject}/profile", **fields),  # type: ignore[arg-type]
        update_mask=FieldMask(paths=list(fields)),
    )
    return (await scene.of(who).UpdateProfile(request)).profile  # type: ignore[no-any-return]


async def messages(scene: Scene, who: Identity, conversation: str) -> list[timeline_pb2.Message]:
    answer = await scene.of(who).ListTimeline(pb.ListTimelineRequest(parent=conversation))
    return [entry.message for entry in answer.entries if entry.HasField("message")]


async def scalar(scene: Scene, query: str) -> Any:
    return await scene.service.host.database.read_as_process(
        partial(Transaction.scalar, statement=text(query))
    )


def languages(message: timeline_pb2.Message) -> list[str]:
    return [each.language for each in message.translations]


@pytest.mark.covers("V09", "V26", "V27", "V28")
async def test_both_sides_have_messages_of_the_history_translated(backends: Backends) -> None:
    async with spoken(backends) as (scene, engine):
        name = (await scene.inquiry(TEXT)).conversation.name
        asked = (await messages(scene, OTTO, name))[0]
        # The seller reads the buyer's message in the language of his profile; the original stays.
        await choose(scene, OTTO, locale="de-AT")
        first = await translate(scene, OTTO, asked.name)
        assert (first.translation.language, first.translation.source_language) == ("de", "en")
        assert (first.message.text, first.message.language, first.translation.engine) == (TEXT, "en", LIBRE)
        assert first.translation.text.startswith("[de] The logo")
        assert all(part in first.translation.text for part in PARTS)
        sent = engine.translations[0]["q"]
        assert sent == ["The logo costs 7001, see 7002 or ask 7003."]
        # The buyer does the same with the seller's, whoever asks first.
        answer = await scene.say(OTTO, name, "Danke, 5 Tage.")
        engine.language = "de"
        found = await asyncio.gather(*(translate(scene, who, answer, "fr") for who in (ANA, OTTO, OLGA, ANA)))
        assert len({each.translation.SerializeToString() for each in found}) == 1
        engine.asked.clear()
        for who in (ANA, OLGA):
            assert (await translate(scene, who, asked.name, "de")).translation == first.translation
            read, said = await messages(scene, who, name)
            assert (read.text, languages(read), said.text, languages(said)) == (
                TEXT,
                ["de"],
                "Danke, 5 Tage.",
                ["fr"],
            )
        assert engine.asked == []

        # All nine languages; its own needs nobody.
        given = [await translate(scene, ANA, asked.name, language) for language in LANGUAGES]
        assert [each.translation.language for each in given] == list(LANGUAGES)
        assert languages(given[-1].message) == sorted(set(LANGUAGES) - {"en"})
        # Her profile names no language: the first of the list holds.
        own = (await translate(scene, ANA, asked.name)).translation
        assert (own.language, own.text, own.engine, own.HasField("create_time")) == ("en", TEXT, "", False)
        assert len(engine.translations) == 7
        await _over_http(scene, backends, answer)
        # Whoever asks what is kept of him gets what was made of his words, and not of others'.
        kept = await OwnRecords(scene.service.host.database).page(ANA.subject, None)
        made = [json.loads(each.content) for each in kept.items if each.kind == "translations"]
        assert [each["language"] for each in made] == sorted(set(LANGUAGES) - {"en"})
        assert first.translation.text in {each["text"] for each in made}


async def _over_http(scene: Scene, backends: Backends, answer: str) -> None:
    headers = {"authorization": f"Bearer {scene.service.token(ANA)}", "idempotency-key": "once"}
    path = f"/v1/{answer}:translate"
    async with fronted(backends, messaging_target=scene.service.address) as client:
        given = [
            (await client.post(path, json={"targetLanguage": "it"}, headers=headers)).json() for _ in range(2)
        ]
        assert given[0] == given[1]
        assert given[0]["translation"]["text"] == "[it] Danke, 5 Tage."
        assert [each["language"] for each in given[0]["message"]["translations"]] == ["fr", "it"]
        again = await client.post(path, json={"targetLanguage": "es"}, headers=headers)
        assert (again.status_code, again.json()["reason"]) == (400, "REQUEST_ID_REUSED")


async def test_only_who_may_read_a_message_has_it_translated(backends: Backends) -> None:
    async with spoken(backends, translation_languages=("en", "de")) as (scene, engine):
        name = (await scene.inquiry(TEXT)).conversation.name
        (asked,) = await messages(scene, ANA, name)
        note = await scene.say(OTTO, name, "He pays anything", kind=2)
        other = (await scene.inquiry("Other", by=BEN)).conversation.name
        grant = joining.AddParticipantRequest(name=name, user=CARL.subject)
        await scene.of(OTTO).AddParticipant(grant)
        for who, message, reason in (
            (BEN, asked.name, "NOT_FOUND"),
            (ANA, note, "NOT_FOUND"),
            (CARL, note, "NOT_FOUND"),
            (ANA, asked.name.replace(name, other), "NOT_FOUND"),
            (BEN, asked.name.replace(name, other), "NOT_FOUND"),
            (ANA, f"{name}/messages/nothing", "NOT_FOUND"),
        ):
            assert (await refused(translate(scene, who, message, "de"))).reason == reason
        for language, reason in (("sv", "LANGUAGE_NOT_OFFERED"), ("german", "VALIDATION_FAILED")):
            refusal = await refused(translate(scene, ANA, asked.name, language))
            assert (refusal.kind, refusal.reason) == (Kind.INVALID, reason)
        refusal = await refused(choose(scene, ANA, auto_translate="fr"))
        assert (refusal.reason, refusal.metadata["offered"]) == ("LANGUAGE_NOT_OFFERED", "en,de")
        assert engine.asked == []
        assert (await translate(scene, OTTO, note, "de")).translation.text == "[de] He pays anything"
        engine.language = "sv"
        later = await scene.say(OTTO, name, "Hej!")
        refusal = await refused(translate(scene, CARL, later, "de"))
        assert (refusal.reason, refusal.metadata["target"]) == ("TRANSLATION_IMPOSSIBLE", "de")


async def test_what_changes_while_the_engine_works_is_not_translated(backends: Backends) -> None:
    """A message that is erased meanwhile leaves nothing behind, and neither does a grant that ends."""
    async with spoken(backends, translator_seconds=5.0) as (scene, engine):
        name = (await scene.inquiry(TEXT)).conversation.name
        (asked,) = await messages(scene, ANA, name)
        await scene.of(OTTO).AddParticipant(joining.AddParticipantRequest(name=name, user=CARL.subject))
        said = await scene.say(OTTO, name, "Hello")
        database = scene.service.host.database
        erase = f"UPDATE timeline_entry SET text = '' WHERE id = '{asked.name[-36:]}'"
        leave = joining.RemoveParticipantRequest(name=name, user=CARL.subject)
        for who, message, change in (
            (ANA, asked.name, lambda: database.transact(partial(_execute, statement=erase))),
            (CARL, said, lambda: scene.of(OTTO).RemoveParticipant(leave)),
        ):
            engine.arrived.clear()
            engine.gate.clear()
            asking = asyncio.ensure_future(refused(translate(scene, who, message, "de")))
            await engine.arrived.wait()
            await change()
            engine.gate.set()
            assert (await asking).reason == "NOT_FOUND"
        assert await scalar(scene, "SELECT count(*) FROM message_translation") == 0


async def _execute(tx: Transaction, statement: str) -> None:
    await tx.execute(text(statement))


async def until(watch: Any, words: str) -> AsyncIterator[timeline_pb2.TimelineEntry]:
    """What a watcher is shown up to the message of these words."""
    while True:
        entry = (await asyncio.wait_for(watch.read(), 20)).entry
        yield entry
        if entry.message.text == words:
            return


@pytest.mark.covers("X15")
@pytest.mark.parametrize("kind", [LIBRE, APERTIUM])
async def test_messages_are_translated_by_themselves_and_no_outage_delays_one(
    backends: Backends, kind: TranslatorKind
) -> None:
    async with spoken(backends, kind) as (scene, engine):
        assert (await choose(scene, ANA, auto_translate="de")).auto_translate == "de"
        await choose(scene, OLGA, auto_translate="es")
        name = (await scene.inquiry(TEXT)).conversation.name
        watch = scene.of(ANA).WatchConversation(pb.WatchConversationRequest(name=name))
        await watch.initial_metadata()
        await scene.service.settle()
        # Two ways: each side's message becomes the language of the other; nobody's own is translated for him.
        engine.gate.clear()
        await scene.say(OTTO, name, "It takes 5 days.")
        shown = [entry async for entry in until(watch, "It takes 5 days.")]
        assert languages(shown[-1].message) == []
        engine.gate.set()
        await scene.service.settle()
        (asked, said) = await messages(scene, OTTO, name)
        assert (languages(asked), languages(said)) == (["es"], ["de"])
        assert said.translations[0].text == "[de] It takes 5 days."
        assert all(part in asked.translations[0].text for part in PARTS)
        assert {each.message.name for each in shown} == {asked.name, said.name}
        # It is shown once more when it is translated.
        assert [entry.message async for entry in until(watch, "It takes 5 days.")] == [said]
        watch.cancel()
        # Somebody who comes back is shown what was translated since.
        resumed = scene.of(ANA).WatchConversation(
            pb.WatchConversationRequest(name=name, after_entry=f"{name}/timeline/{said.name[-36:]}")
        )
        assert (await asyncio.wait_for(resumed.read(), 20)).entry.message == said
        resumed.cancel()

        # The engine takes its time, then it is gone: what is sent is there at once, and translated later.
        engine.gate.clear()
        await scene.say(OTTO, name, "Are you there?")
        assert (await messages(scene, ANA, name))[-1].text == "Are you there?"
        engine.gate.set()
        engine.status = 503
        await scene.say(OTTO, name, "Hello?")
        await scene.service.settle()
        assert (await messages(scene, ANA, name))[-1].text == "Hello?"
        refusal = await refused(translate(scene, OTTO, said.name, "fr"))
        assert (refusal.kind, refusal.metadata["peer"]) == (Kind.UNAVAILABLE, "translator")
        engine.status = 200
        await scene.service.advance(timedelta(minutes=5))
        assert [languages(each) for each in (await messages(scene, ANA, name))[-2:]] == [["de"], ["de"]]
        await _given_up(scene, engine, name)


async def _given_up(scene: Scene, engine: Engine, name: str) -> None:
    """After six hours nobody waits for it any more, which is recorded. Who asks is answered all the same."""
    engine.status = 500
    sent = await scene.say(OTTO, name, "Still there?")
    for _ in range(9):
        await scene.service.advance(timedelta(hours=1))
    record = f"SELECT failure FROM message_translation WHERE message_id = '{sent[-36:]}'"
    assert await scalar(scene, record) == "OVERDUE"
    assert await scalar(scene, "SELECT count(*) FROM timer WHERE kind = 'translate'") == 0
    engine.status = 200
    await scene.service.advance(timedelta(minutes=1))
    assert languages((await messages(scene, ANA, name))[-1]) == []
    assert (await translate(scene, ANA, sent, "de")).translation.text == "[de] Still there?"
    assert await scalar(scene, record) is None
    # Whoever does not want it any more gets no more of it.
    await choose(scene, ANA, auto_translate="")
    await scene.say(OTTO, name, "Bye")
    await scene.service.settle()
    assert languages((await messages(scene, ANA, name))[-1]) == []


async def test_without_a_translator_everything_else_is_as_before(scene: Scene) -> None:
    await choose(scene, ANA, auto_translate="de")
    name = (await scene.inquiry(TEXT)).conversation.name
    said = await scene.say(OTTO, name, "It takes 5 days.")
    await scene.service.settle()
    refusal = await refused(translate(scene, ANA, said))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSLATION_NOT_CONFIGURED")
    assert (await refused(translate(scene, BEN, said))).reason == "NOT_FOUND"
    assert [languages(each) for each in await messages(scene, ANA, name)] == [[], []]
    assert await scalar(scene, "SELECT count(*) FROM timer WHERE kind = 'translate'") == 0


class Listening:
    """A transaction that notes what is asked, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch_one(self, statement: Any, _values: Any) -> None:
        self.asked.append(str(statement))


async def _told(_tx: Any, _entry: Entry) -> None:
    return


@pytest.mark.parametrize("translated", [None, _told])
async def test_no_send_asks_who_wants_translations_where_nobody_translates(translated: Tell | None) -> None:
    timelines = TimelineRepository(tell_people=_told, tell_endpoints=_told, have_translated=translated)
    now, listening = SystemClock().now(), Listening()
    happening = Happening(EventType.CONVERSATION_REOPENED, Side.BUYER, "conversations/c")
    entry = Entry("conversations/c", "e", now, happening)
    await timelines.append(listening, entry)  # type: ignore[arg-type]
    conversations = ConversationRepository(translates=translated is not None)
    await conversations.load_if_quiet(listening, "conversations/c", author="users/ana")  # type: ignore[arg-type]
    assert ["auto_translate" in asked for asked in listening.asked] == [translated is not None] * 2


async def test_what_is_kept_while_its_message_is_erased_goes_as_well(backends: Backends) -> None:
    async with spoken(backends) as (scene, _):
        name = (await scene.inquiry(TEXT)).conversation.name
        (asked,) = await messages(scene, ANA, name)
        database, erasures = scene.service.host.database, ErasureRepository()
        now, key = scene.clock.now(), asked.name[-36:]
        async with database.connection() as keeping:
            await keeping.execute("BEGIN")
            await keeping.execute("UPDATE timeline_entry SET language = 'en' WHERE id = $1", key)
            erasing = asyncio.ensure_future(
                database.transact(lambda tx: erasures.erase_words(tx, ANA.subject, now=now))
            )
            # The erasure waits for the message, and looked at its translations before.
            await until_blocked(scene.service, erasing)
            await keeping.execute(
                "INSERT INTO message_translation (conversation_id, message_id, language, source, text, "
                "engine, create_time) VALUES ($1, $2, 'de', 'en', 'Das Logo', 'x', $3)",
                name.removeprefix("conversations/"),
                key,
                now,
            )
            await keeping.execute("COMMIT")
        assert await erasing
        await database.transact(lambda tx: erasures.erase_rest(tx, ANA.subject))
        assert await scalar(scene, "SELECT count(*) FROM message_translation") == 0
