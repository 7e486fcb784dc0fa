"""Puts the parts together that send mails and take in answers to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.host import Runtime
from chassis.timers import Handler
from services.messaging.adapters.conversation_repository import ConversationRepository
from services.messaging.adapters.magic_link_repository import MagicLinkRepository
from services.messaging.adapters.mail_folder import FolderTransport, NoTransport
from services.messaging.adapters.mail_in_repository import ReceivedMailRepository, ReplyAddressRepository
from services.messaging.adapters.mail_reading import ThreadedReader
from services.messaging.adapters.mail_repository import MailRepository, NotificationRepository
from services.messaging.adapters.mail_writing import MailWriter
from services.messaging.adapters.profile_repository import ProfileRepository
from services.messaging.app.attachments import AttachmentCommands
from services.messaging.app.bounces import Bounces
from services.messaging.app.magic_links import LinkIssuer
from services.messaging.app.mail_in import PURGE, MailIntake, ReceivedMailTimers, Stores
from services.messaging.app.mail_ports import Transport
from services.messaging.app.messages import MessageCommands
from services.messaging.app.notifications import COMPOSE, DIGEST, SEND, MailTimers
from services.messaging.app.reply_addresses import EXPIRE, ReplyAddressTimers, ReplyDomain, ReplyIssuer
from services.messaging.config import MessagingConfig
from services.messaging.entrypoints.mail_calls import MailCalls

if TYPE_CHECKING:
    from services.messaging.entrypoints.mail_in import MailEdge


def mail_edge(
    runtime: Runtime[MessagingConfig],
    messages: MessageCommands,
    uploads: AttachmentCommands,
    people: ProfileRepository,
) -> MailEdge | None:
    """What listens for answers by mail; None where nobody answers by mail."""
    config = runtime.config
    if config.mail_in_address is None:
        return None
    # Only whoever takes mails needs its library.
    from services.messaging.entrypoints.mail_in import EdgeSettings, MailEdge

    intake = MailIntake(
        runtime.database,
        Stores(ReplyAddressRepository(), ReceivedMailRepository(), people, ConversationRepository()),
        messages,
        uploads,
        bounces=Bounces(people, MagicLinkRepository(), runtime.clock),
        reader=ThreadedReader(),
        calls=MailCalls(),
        domain=_reply_domain(config),
        clock=runtime.clock,
        ids=runtime.ids,
    )
    settings = EdgeSettings(
        config.mail_in_address,
        config.reply_domain,
        config.mail_in_limit_bytes,
        config.mail_in_timeout_seconds,
        certificate=config.mail_in_certificate,
        private_key=config.mail_in_private_key,
        require_tls=config.mail_in_require_tls,
    )
    return MailEdge(intake, settings)


def mail_timers(runtime: Runtime[MessagingConfig], people: ProfileRepository) -> dict[str, Handler]:
    """Everything that makes mails, sends them, and forgets what came in."""
    addresses, links = ReplyAddressRepository(), MagicLinkRepository()
    timers = MailTimers(
        runtime.database,
        notifications=NotificationRepository(),
        mails=MailRepository(people),
        bounces=Bounces(people, links, runtime.clock),
        links=LinkIssuer(links, clock=runtime.clock, ids=runtime.ids),
        transport=_transport(runtime.config),
        replies=ReplyIssuer(addresses, _reply_domain(runtime.config), runtime.clock),
        clock=runtime.clock,
        ids=runtime.ids,
    )
    return {
        COMPOSE: timers.compose,
        DIGEST: timers.digest,
        SEND: timers.send,
        EXPIRE: ReplyAddressTimers(runtime.database, addresses).expire,
        PURGE: ReceivedMailTimers(runtime.database, ReceivedMailRepository()).purge,
    }


def _reply_domain(config: MessagingConfig) -> ReplyDomain:
    return ReplyDomain(config.reply_domain, config.reply_key.reveal())


def _transport(config: MessagingConfig) -> Transport:
    writer = MailWriter(
        sender_name=config.mail_from_name, sender=config.mail_from, public_url=config.public_url
    )
    if config.smtp_address is not None:
        # Only whoever speaks SMTP needs its library.
        from services.messaging.adapters.mail_smtp import SmtpServer, SmtpTransport

        server = SmtpServer(
            config.smtp_address.host,
            config.smtp_address.port,
            config.smtp_tls,
            user=config.smtp_user,
            password=config.smtp_password.reveal(),
            ca_file=config.smtp_ca_file,
            timeout_seconds=config.smtp_timeout_seconds,
        )
        return SmtpTransport(server, writer, sender=config.mail_from)
    if config.mail_folder is not None:
        return FolderTransport(config.mail_folder, writer)
    return NoTransport()
