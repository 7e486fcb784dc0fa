"""Settings of the messaging service."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from chassis.config import GRPC_ADDRESS, METRICS_ADDRESS, Address, Secret, ServiceConfig, setting

REPLY_KEY_LENGTH = 32
"""Characters that the key of reply addresses has at least."""
FILE_SCHEMES = ("file", "s3", "gs", "az")
LANGUAGES = ("en", "de", "fr", "it", "es", "pt", "nl", "pl", "ja")
LANGUAGE_LIMIT = 9
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")

REOPENING_DAYS = 30
"""How long a buyer's message opens a closed conversation again."""


class SmtpTls(StrEnum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class TranslatorKind(StrEnum):
    """Which protocol the translator speaks."""

    NONE = "none"
    LIBRETRANSLATE = "libretranslate"
    APERTIUM = "apertium"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingConfig(ServiceConfig):
    """What happens elsewhere reaches it as events; peers are asked only about the data of a person, and for
    the links of mails. Mails go to a server or into a folder.
    """

    grpc_address: Address = setting(Address("127.0.0.1", 9104), about=GRPC_ADDRESS)
    metrics_address: Address = setting(Address("127.0.0.1", 9204), about=METRICS_ADDRESS)
    gating_target: Address = setting(Address("127.0.0.1", 9101), about="Where gating is dialled.")
    orders_target: Address = setting(Address("127.0.0.1", 9102), about="Where orders is dialled.")
    offers_target: Address = setting(Address("127.0.0.1", 9103), about="Where offers is dialled.")
    messages_per_minute: int = setting(
        300, about="How many messages one person may send in a minute.", minimum=1, maximum=1_000_000
    )
    public_url: str = setting(
        "http://127.0.0.1:8080", about="The site to which the links in mails lead.", shape="https://host"
    )
    mail_from: str = setting(
        "no-reply@parley.example", about="The address from which mails come.", shape="name@domain"
    )
    mail_from_name: str = setting("Parley", about="The name beside that address.", shape="a name")
    mail_folder: Path | None = setting(
        None, about="Where mails are written instead of being sent.", shape="the path of a folder"
    )
    smtp_address: Address | None = setting(
        None, about="The mail server; without it and without a folder nobody is mailed.", shape="host:port"
    )
    smtp_tls: SmtpTls = setting(
        SmtpTls.STARTTLS, about="How the connection to it is protected; `none` on the loopback only."
    )
    smtp_user: str = setting("", about="Who logs in there; nothing where nobody has to.", shape="a name")
    smtp_password: Secret = setting(
        Secret(""), about="Needed with a user.", shape="the password of that user"
    )
    smtp_ca_file: Path | None = setting(
        None,
        about="Trusted instead of the certificates of the system.",
        shape="the path of certificates in PEM",
        must_exist=True,
    )
    # Timers are claimed for 30 seconds: a mail that takes longer would be sent again meanwhile.
    smtp_timeout_seconds: float = setting(
        20.0, about="How long it may take to hand over one mail.", minimum=0.1, maximum=20
    )

    mail_in_address: Address | None = setting(
        None, about="Where answers by mail are taken by SMTP; without it nobody answers by mail."
    )
    reply_domain: str = setting(
        "",
        about="Needed to take answers: the domain to which people answer, whose mail is brought there.",
        shape="a domain in lower case",
    )
    reply_key: Secret = setting(
        Secret(""),
        about="Needed with a domain, and kept for good: by it those addresses are known.",
        shape=f"at least {REPLY_KEY_LENGTH} characters",
    )
    mail_in_certificate: Path | None = setting(
        None, about="Offers STARTTLS there.", shape="the path of a certificate in PEM", must_exist=True
    )
    mail_in_private_key: Path | None = setting(
        None,
        about="Needed with a certificate.",
        shape="the path of the private key of that certificate",
        must_exist=True,
    )
    mail_in_require_tls: bool = setting(False, about="Whether mail in the clear is refused.")
    mail_in_limit_bytes: int = setting(
        16_777_216, about="The longest mail that is taken.", minimum=65_536, maximum=67_108_864
    )
    mail_in_timeout_seconds: float = setting(
        120.0, about="How long a command, or a whole mail, may take to arrive.", minimum=1, maximum=3_600
    )

    data_dir: Path = setting(
        Path(".parley"),
        about="Where attachments are kept unless a URL is named.",
        shape="the path of a folder",
    )
    attachments_url: str = setting(
        "",
        about="Where attachments are kept; without it, in `files` of the data folder.",
        shape="file:///folder, s3://bucket/prefix, gs://… or az://…",
    )
    clamav_address: str = setting(
        "",
        about="A clamd that examines every attachment; without it none looks for viruses.",
        shape="host:port or unix:/path",
    )
    clamav_seconds: float = setting(
        30.0, about="How long it may take to examine one.", minimum=0.1, maximum=300
    )

    # Not less than the 30 days for which an event is known as a duplicate: these rows tell it too.
    mail_days: int = setting(
        90, about="For how long is known which mails were sent.", minimum=30, maximum=3_650
    )
    webhook_days: int = setting(
        30, about="For how long the deliveries of webhooks are listed.", minimum=30, maximum=3_650
    )
    # A buyer's message opens a conversation again for 30 days: what can go on is not erased.
    conversation_days: int = setting(
        0,
        about="For how long, more than 30 days, the words of a closed conversation are kept; 0: for ever.",
        minimum=0,
        maximum=36_500,
    )
    webhooks_local: bool = setting(
        False, about="Whether webhooks may reach this machine and its networks, for development."
    )

    translator: TranslatorKind = setting(
        TranslatorKind.NONE,
        about="Which protocol the translator of messages speaks; `none` translates nothing.",
    )
    translator_url: str = setting(
        "", about="Needed with one: where it is.", shape="http://host:port or https://host/path"
    )
    translator_key: Secret = setting(Secret(""), about="What it asks for, if it does.", shape="a key")
    translator_seconds: float = setting(
        8.0, about="How long one of its answers is waited for.", minimum=0.1, maximum=20
    )
    translation_languages: tuple[str, ...] = setting(
        LANGUAGES,
        about="Into which languages is translated, the first one for people who name none.",
        shape=f"1 to {LANGUAGE_LIMIT} languages, such as en,de,fr",
    )

    @property
    def files_at(self) -> str:
        """Where attachments are kept, as a URL."""
        return self.attachments_url or (self.data_dir.absolute() / "files").as_uri()

    def contradictions(self) -> Iterable[tuple[str, str, str]]:
        """Two ways at once, mails in the clear over a network, half a login, addresses that are none."""
        yield from self._attachment_contradictions()
        yield from self._translation_contradictions()
        yield from self._mail_in_contradictions()
        if self.smtp_address is not None and self.mail_folder is not None:
            yield "mail_folder", "is set beside the mail server", "one of the two"
        if (
            self.smtp_address is not None
            and self.smtp_tls is SmtpTls.NONE
            and not _is_loopback(self.smtp_address.host)
        ):
            yield (
                "smtp_tls",
                "is none for a server elsewhere",
                "starttls or implicit, none on the loopback only",
            )
        if bool(self.smtp_user) != bool(self.smtp_password):
            yield "smtp_password", "and the user are not set together", "both or neither"
        if not _is_web_address(self.public_url):
            yield "public_url", "is no web address", "https://host"
        if not _ADDRESS.fullmatch(self.mail_from):
            yield "mail_from", "is no e-mail address", "name@domain"
        if 0 < self.conversation_days <= REOPENING_DAYS:
            yield "conversation_days", "is so short that it erases what can go on", "0, or more than 30"
        if not self.mail_from_name.isprintable():
            yield "mail_from_name", "holds characters that cannot be seen", "a name"

    def _mail_in_contradictions(self) -> Iterable[tuple[str, str, str]]:
        if self.reply_domain and not _DOMAIN.fullmatch(self.reply_domain):
            yield "reply_domain", "is no domain in lower case", "reply.example.org"
        if bool(self.reply_domain) != bool(self.reply_key):
            yield "reply_key", "and the domain are not set together", "both or neither"
        if self.reply_key and len(self.reply_key.reveal()) < REPLY_KEY_LENGTH:
            yield "reply_key", "is too short", f"at least {REPLY_KEY_LENGTH} characters"
        if self.mail_in_address is not None and not self.reply_domain:
            yield "reply_domain", "is missing for the mails to come in", "reply.example.org"
        if (self.mail_in_certificate is None) != (self.mail_in_private_key is None):
            yield "mail_in_private_key", "and the certificate are not set together", "both or neither"
        if self.mail_in_require_tls and self.mail_in_certificate is None:
            yield "mail_in_certificate", "is missing to take mails by TLS only", "the path of a certificate"

    def _attachment_contradictions(self) -> Iterable[tuple[str, str, str]]:
        if self.attachments_url and self.attachments_url.partition("://")[0] not in FILE_SCHEMES:
            yield "attachments_url", "has an unknown scheme", " or ".join(f"{s}://…" for s in FILE_SCHEMES)
        if self.clamav_address and not _is_clamd(self.clamav_address):
            yield "clamav_address", "is no address", "host:port or unix:/path"

    def _translation_contradictions(self) -> Iterable[tuple[str, str, str]]:
        languages = self.translation_languages
        if self.translator is not TranslatorKind.NONE and not _is_web_address(self.translator_url):
            yield "translator_url", "is no web address", "http://host:port or https://host/path"
        if self.translator is TranslatorKind.NONE and self.translator_url:
            yield "translator", "is none beside an address", "libretranslate or apertium"
        if not 1 <= len(languages) <= LANGUAGE_LIMIT or len(set(languages)) < len(languages):
            yield "translation_languages", "are too many, none or not each once", f"1 to {LANGUAGE_LIMIT}"
        if not all(_LANGUAGE.fullmatch(language) for language in languages):
            yield "translation_languages", "hold what is no language", "two or three small letters each"


def _is_web_address(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_clamd(address: str) -> bool:
    if address.startswith("unix:/"):
        return True
    try:
        Address.parse(address)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
