"""Puts the messaging service together: `python -m services.messaging`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from chassis import serve
from chassis.host import Definition, Runtime, Service
from chassis.timers import Handler, LaneHandler
from parley.messaging.v1.messaging_service_pb2_grpc import add_MessagingServiceServicer_to_server
from services.messaging.adapters.archive import ZipArchive
from services.messaging.adapters.attachment_repository import AttachmentRepository
from services.messaging.adapters.clamav import scanner_at
from services.messaging.adapters.consent_repository import ConsentRepository, DisclosureRepository
from services.messaging.adapters.conversation_repository import ConversationRepository
from services.messaging.adapters.erasure_repository import ErasureRepository
from services.messaging.adapters.file_store import ObjectFileStore
from services.messaging.adapters.lead_repository import LeadRepository
from services.messaging.adapters.live_feed import BROADCASTS, BroadcastFeed
from services.messaging.adapters.magic_link_repository import MagicLinkRepository
from services.messaging.adapters.mail_in_repository import ReceivedMailRepository
from services.messaging.adapters.mail_repository import (
    MailRepository,
    NotificationRepository,
    VerificationRepository,
)
from services.messaging.adapters.offers_client import OffersClient
from services.messaging.adapters.old_conversations import OldConversationRepository
from services.messaging.adapters.orders_client import OrdersClient
from services.messaging.adapters.outcome_repository import OutcomeRepository
from services.messaging.adapters.pdf_inspection import PdfInspector, TemporaryFiles
from services.messaging.adapters.profile_repository import ProfileRepository
from services.messaging.adapters.rating_repository import RatingRepository
from services.messaging.adapters.record_sources import OwnRecords, peer_sources
from services.messaging.adapters.timeline_repository import Tell, TimelineRepository
from services.messaging.adapters.told_profiles import ToldProfiles
from services.messaging.adapters.translation_repository import TranslationRepository
from services.messaging.adapters.translators import translator_of
from services.messaging.adapters.webhook_repository import WebhookRepository
from services.messaging.adapters.webhook_transport import HttpWebhookTransport
from services.messaging.app.attachments import (
    REMOVE,
    SWEEP,
    AttachmentCommands,
    AttachmentQueries,
    AttachmentSweeper,
    Examination,
)
from services.messaging.app.consents import ConsentCommands, PrivacyQueries
from services.messaging.app.contact import ContactCommands
from services.messaging.app.conversations import ConversationQueries
from services.messaging.app.erasures import ERASE, ErasureCommands, ErasureSteps, Policy
from services.messaging.app.feedback import FeedbackCommands, RatingQueries, RatingReactions
from services.messaging.app.inquiries import InquiryCommands
from services.messaging.app.interpreter import Interpreter
from services.messaging.app.leads import LeadBook, LeadQueries
from services.messaging.app.lifecycle import LifecycleCommands
from services.messaging.app.magic_links import MagicLinks
from services.messaging.app.mail_in import (
    ReceivedMailQueries,
)
from services.messaging.app.messages import MessageCommands
from services.messaging.app.notifications import Notifier
from services.messaging.app.offer_reminders import REMIND, OfferReminders
from services.messaging.app.outcomes import OutcomeQueries, OutcomeReactions
from services.messaging.app.pace import Pace
from services.messaging.app.participants import ParticipantCommands
from services.messaging.app.personal_data import PersonalDataExport
from services.messaging.app.profiles import ProfileCommands, ProfileQueries
from services.messaging.app.reactions import Reactions
from services.messaging.app.retention import FORGET, Record, Retention
from services.messaging.app.timeline import TimelineQueries
from services.messaging.app.translation_ports import Translator
from services.messaging.app.translations import (
    EVERY_MESSAGE,
    TRANSLATE,
    MessageTranslations,
    TranslationCommands,
    TranslationTeller,
    TranslationTimers,
)
from services.messaging.app.verifications import EmailProofs, VerificationCommands
from services.messaging.app.webhook_ports import WebhookTransport
from services.messaging.app.webhooks import (
    AGAIN,
    DELIVER,
    WebhookCommands,
    WebhookQueries,
    WebhookTeller,
    WebhookTimers,
    endpoint_of,
)
from services.messaging.config import MessagingConfig, TranslatorKind
from services.messaging.domain.magic_link import KEPT as LINKS_KEPT
from services.messaging.entrypoints.attachment_methods import AttachmentRooms
from services.messaging.entrypoints.conversation_methods import ConversationRooms
from services.messaging.entrypoints.events import subscriptions
from services.messaging.entrypoints.feedback_methods import FeedbackRooms
from services.messaging.entrypoints.grpc import MessagingServicer
from services.messaging.entrypoints.lead_methods import LeadRooms
from services.messaging.entrypoints.message_methods import MessageRooms
from services.messaging.entrypoints.personal_data_methods import PersonalDataRooms
from services.messaging.entrypoints.profile_methods import ProfileRooms
from services.messaging.entrypoints.webhook_methods import WebhookRooms
from services.messaging.mail_wiring import mail_edge, mail_timers
from services.messaging.wire.events import event_record

if TYPE_CHECKING:
    from services.messaging.adapters.apertium import Apertium
    from services.messaging.adapters.libretranslate import LibreTranslate
    from services.messaging.entrypoints.mail_in import MailEdge


def build(runtime: Runtime[MessagingConfig]) -> Service:
    """Every room of messaging, connected."""
    database, clock, ids = runtime.database, runtime.clock, runtime.ids
    hooks, feed = WebhookRepository(), BroadcastFeed(runtime.bus)
    store, timelines = _conversations(runtime), _timelines(runtime, hooks)
    translations = _translations(runtime, store, timelines, translator := translator_of(runtime.config))
    config, held, files = runtime.config, AttachmentRepository(), ObjectFileStore(runtime.config.files_at)
    people, pace = ProfileRepository(), Pace(config.messages_per_minute, clock)
    leads, outcomes, ratings = _lead_book(runtime), OutcomeRepository(), RatingRepository()
    erasing = ErasureSteps(database, ErasureRepository(), people, leads, clock)
    inquiries = InquiryCommands(
        database, store, timelines, feed, leads=leads, pace=pace, clock=clock, ids=ids
    )
    messages = MessageCommands(
        database, store, timelines, feed, attachments=held, pace=pace, clock=clock, ids=ids
    )
    uploads = AttachmentCommands(database, store, held, files, _examination(config), clock=clock, ids=ids)
    edge = mail_edge(runtime, messages, uploads, told := ToldProfiles(leads.profile_saved))
    servicer = MessagingServicer(
        conversations=ConversationRooms(
            inquiries,
            ConversationQueries(database, store, clock),
            LifecycleCommands(database, store, timelines, feed, clock=clock, ids=ids),
            OutcomeQueries(database, outcomes),
        ),
        feedback=FeedbackRooms(
            ContactCommands(database, store, timelines, people, feed, leads=leads, clock=clock, ids=ids),
            FeedbackCommands(database, store, timelines, feed, clock=clock, ids=ids),
            RatingQueries(database, ratings, clock),
        ),
        messages=MessageRooms(
            messages,
            TimelineQueries(database, store, timelines, feed),
            _translation_commands(runtime, translations, feed),
        ),
        participants=ParticipantCommands(database, store, timelines, feed, people, clock=clock, ids=ids),
        profiles=_profile_rooms(runtime),
        leads=_lead_rooms(runtime, leads),
        personal=_personal_data_rooms(runtime, files),
        webhooks=_webhook_rooms(runtime, hooks),
        magic_links=_magic_links(runtime, inquiries, feed),
        received_mails=ReceivedMailQueries(database, ReceivedMailRepository()),
        attachments=AttachmentRooms(
            uploads,
            AttachmentQueries(database, store, timelines, held, files, feed=feed, clock=clock, ids=ids),
        ),
    )
    return Service(
        add_servicers=partial(add_MessagingServiceServicer_to_server, servicer),
        subscriptions=subscriptions(
            Reactions(database, timelines, feed, outcomes=outcomes, ratings=ratings, leads=leads),
            OutcomeReactions(database, outcomes, ratings),
            RatingReactions(database, ratings),
            erasing,
        ),
        timers={
            **mail_timers(runtime, told),
            **_webhook_timers(runtime, hooks, web := HttpWebhookTransport(local=config.webhooks_local)),
            REMIND: OfferReminders(database, store, timelines, feed, clock=clock, ids=ids).remind,
            TRANSLATE: _translation_timers(runtime, translations, feed),
            **_sweeping(runtime, held, files),
            FORGET: (retention := _retention(runtime, hooks)).forget,
            ERASE: erasing.step,
        },
        broadcasts={BROADCASTS: feed.heard},
        background={"live feed": feed.run},
        prepare=partial(_prepare, retention, edge),
        drain=None if edge is None else edge.stop,
        close=partial(_hang_up, web, translator),
    )


def _sweeping(
    runtime: Runtime[MessagingConfig], held: AttachmentRepository, files: ObjectFileStore
) -> dict[str, Handler]:
    sweeper = AttachmentSweeper(runtime.database, held, files, runtime.clock)
    return {SWEEP: sweeper.sweep, REMOVE: sweeper.remove}


def _magic_links(
    runtime: Runtime[MessagingConfig], inquiries: InquiryCommands, feed: BroadcastFeed
) -> MagicLinks:
    return MagicLinks(
        runtime.database,
        MagicLinkRepository(),
        OffersClient(runtime.peers["offers"]),
        inquiries=inquiries,
        conversations=ConversationRepository(),
        people=ProfileRepository(),
        feed=feed,
        clock=runtime.clock,
    )


def _conversations(runtime: Runtime[MessagingConfig]) -> ConversationRepository:
    return ConversationRepository(translates=runtime.config.translator is not TranslatorKind.NONE)


def _timelines(runtime: Runtime[MessagingConfig], hooks: WebhookRepository) -> TimelineRepository:
    return TimelineRepository(
        tell_people=Notifier(NotificationRepository(), runtime.clock).tell,
        tell_endpoints=WebhookTeller(hooks, runtime.clock).tell,
        have_translated=_translation_teller(runtime),
    )


def _translations(
    runtime: Runtime[MessagingConfig],
    store: ConversationRepository,
    timelines: TimelineRepository,
    translator: Translator | None,
) -> MessageTranslations:
    interpreter = None if translator is None else Interpreter(translator, runtime.clock)
    return MessageTranslations(store, timelines, TranslationRepository(), interpreter=interpreter)


def _translation_teller(runtime: Runtime[MessagingConfig]) -> Tell | None:
    if runtime.config.translator is TranslatorKind.NONE:
        return None
    languages = runtime.config.translation_languages
    return TranslationTeller(TranslationRepository(), languages, runtime.clock).tell


def _translation_commands(
    runtime: Runtime[MessagingConfig], translations: MessageTranslations, feed: BroadcastFeed
) -> TranslationCommands:
    return TranslationCommands(
        runtime.database,
        ConversationRepository(),
        ProfileRepository(),
        feed,
        translations=translations,
        languages=runtime.config.translation_languages,
    )


def _translation_timers(
    runtime: Runtime[MessagingConfig], translations: MessageTranslations, feed: BroadcastFeed
) -> LaneHandler:
    kept, clock = TranslationRepository(), runtime.clock
    timers = TranslationTimers(runtime.database, kept, feed, translations=translations, clock=clock)
    return LaneHandler(timers.translate, "translations", lambda _: EVERY_MESSAGE)


async def _hang_up(*clients: HttpWebhookTransport | LibreTranslate | Apertium | None) -> None:
    for client in clients:
        if client is not None:
            await client.close()


async def _prepare(retention: Retention, edge: MailEdge | None) -> None:
    await retention.begin()
    if edge is not None:
        await edge.start()


def _examination(config: MessagingConfig) -> Examination:
    scanner = scanner_at(config.clamav_address, config.clamav_seconds)
    return Examination(TemporaryFiles(), PdfInspector(), scanner)


def _personal_data_rooms(runtime: Runtime[MessagingConfig], files: ObjectFileStore) -> PersonalDataRooms:
    own, peers, clock = OwnRecords(runtime.database), runtime.peers, runtime.clock
    others = peer_sources(peers["gating"], peers["offers"], peers["orders"])
    return PersonalDataRooms(
        PersonalDataExport([own, *others], own, files, partial(ZipArchive, clock), clock),
        ErasureCommands(
            runtime.database,
            ErasureRepository(),
            ProfileRepository(),
            OrdersClient(peers["orders"]),
            clock=clock,
            ids=runtime.ids,
        ),
    )


def _lead_book(runtime: Runtime[MessagingConfig]) -> LeadBook:
    # Its own profiles tell nobody: it changes none.
    return LeadBook(
        LeadRepository(),
        ConsentRepository(),
        DisclosureRepository(runtime.ids),
        ProfileRepository(),
        clock=runtime.clock,
        ids=runtime.ids,
    )


def _lead_rooms(runtime: Runtime[MessagingConfig], book: LeadBook) -> LeadRooms:
    database, clock = runtime.database, runtime.clock
    consents, disclosures = ConsentRepository(), DisclosureRepository(runtime.ids)
    return LeadRooms(
        LeadQueries(database, LeadRepository(), disclosures, clock),
        ConsentCommands(database, book, ProfileRepository(), clock),
        PrivacyQueries(database, consents, disclosures),
    )


def _retention(runtime: Runtime[MessagingConfig], hooks: WebhookRepository) -> Retention:
    config, mails = runtime.config, MailRepository(ProfileRepository())
    records = [
        Record(mails.forget, timedelta(days=config.mail_days)),
        Record(MagicLinkRepository().forget, LINKS_KEPT),
        Record(hooks.forget, timedelta(days=config.webhook_days)),
    ]
    if config.conversation_days:
        policy = Policy(OldConversationRepository(), runtime.clock)
        records.append(Record(policy.forget, timedelta(days=config.conversation_days)))
    return Retention(runtime.database, records, runtime.clock)


def _webhook_rooms(runtime: Runtime[MessagingConfig], hooks: WebhookRepository) -> WebhookRooms:
    database, local = runtime.database, runtime.config.webhooks_local
    return WebhookRooms(
        WebhookCommands(database, hooks, clock=runtime.clock, ids=runtime.ids, local=local),
        WebhookQueries(database, hooks),
    )


def _webhook_timers(
    runtime: Runtime[MessagingConfig], hooks: WebhookRepository, transport: WebhookTransport
) -> dict[str, LaneHandler]:
    timers = WebhookTimers(runtime.database, hooks, transport, runtime.clock)
    return {
        kind: LaneHandler(handle, "webhooks", endpoint_of)
        for kind, handle in ((DELIVER, timers.deliver), (AGAIN, timers.again))
    }


def _profile_rooms(runtime: Runtime[MessagingConfig]) -> ProfileRooms:
    database, clock = runtime.database, runtime.clock
    people = ToldProfiles(_lead_book(runtime).profile_saved)
    proofs = EmailProofs(VerificationRepository(), MailRepository(people), clock=clock, ids=runtime.ids)
    return ProfileRooms(
        ProfileCommands(
            database,
            people,
            proofs,
            MagicLinkRepository(),
            languages=runtime.config.translation_languages,
            clock=clock,
        ),
        VerificationCommands(database, people, proofs, clock),
        ProfileQueries(database, people, clock),
    )


DEFINITION = Definition(
    name="messaging",
    config=MessagingConfig,
    build=build,
    encoder=lambda ids, _clock: partial(event_record, ids=ids),
    migrations="services.messaging.migrations",
    guarded=True,
)

if __name__ == "__main__":
    serve.main(DEFINITION)
