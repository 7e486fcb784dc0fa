"""A person's profile: how he is reached, in which language, and about what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from chassis.kernel.refusal import invalid, stale_etag
from chassis.kernel.timetable import zone_of

MEMBERSHIP: Final = timedelta(days=90)
"""How long a membership of a team counts after a token last showed it."""
REFRESH: Final = timedelta(days=1)
"""How old a shown membership gets before reading the profile notes it anew."""
EMAIL_LIMIT: Final = 254
LOCAL_LIMIT: Final = 64
NAME_DIGITS: Final = 6
"""Digits that a display name may hold: a year does, a phone number does not."""
WRITTEN_LANGUAGES: Final = ("en", "de", "fr", "it", "es")
"""The languages in which mails are written; the first for whoever prefers another one."""
DEFAULT_ZONE: Final = "UTC"

# Unquoted local parts only: nothing in them can end a header or an SMTP command.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


class EmailState(StrEnum):
    """What is known about an address."""

    NONE = "none"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    BOUNCED = "bounced"


class NoticeKind(StrEnum):
    """What a mail can be about, as far as people choose."""

    MESSAGE = "message"
    SENT_COPY = "sent_copy"
    REQUEST = "request"
    OFFER = "offer"
    ORDER = "order"
    PAYMENT = "payment"
    SUBSCRIPTION = "subscription"


class Delivery(StrEnum):
    """When somebody is told."""

    EACH = "each"
    DIGEST = "digest"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Profile:
    """`user` is `users/{user}`. `auto_translate` is the language into which messages to him are translated by
    themselves, empty for none. `choices` holds what differs from telling each thing at once. `teams` maps
    `sellers/{seller}` to when a token last showed the membership.
    """

    user: str
    display_name: str = ""
    email: str = ""
    email_state: EmailState = EmailState.NONE
    phone: str = ""
    locale: str = ""
    time_zone: str = ""
    auto_translate: str = ""
    choices: Mapping[NoticeKind, Delivery] = field(default_factory=dict)
    teams: Mapping[str, datetime] = field(default_factory=dict)
    version: int = 0
    create_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.user}/profile"

    @property
    def etag(self) -> str:
        """The version as callers see it."""
        return f"v{self.version}"

    @property
    def language(self) -> str:
        """The language of his mails."""
        language = self.locale.partition("-")[0]
        return language if language in WRITTEN_LANGUAGES else WRITTEN_LANGUAGES[0]

    @property
    def zone(self) -> str:
        """The time zone of the times in his mails."""
        return self.time_zone or DEFAULT_ZONE

    def delivery(self, kind: NoticeKind) -> Delivery:
        """When he is told about things of a kind."""
        return self.choices.get(kind, Delivery.EACH)

    def member_of(self, now: datetime) -> tuple[str, ...]:
        """The teams to which he still counts, by name."""
        return tuple(sorted(team for team, shown in self.teams.items() if now < shown + MEMBERSHIP))


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """What an update changes; None stays as it is."""

    display_name: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    auto_translate: str | None = None
    choices: tuple[tuple[NoticeKind, Delivery], ...] | None = None


def change(
    profile: Profile, wanted: ProfileChange, *, etag: str, teams: tuple[str, ...], now: datetime
) -> Profile:
    """The profile after an update; the very same one where nothing changes.

    `etag`, unless empty, is the version that was seen. `teams` are those of the caller's token. Refusals:
    ETAG_MISMATCH, UNKNOWN_TIME_ZONE, VALIDATION_FAILED.
    """
    if etag and etag != profile.etag:
        raise stale_etag(profile.name, etag, profile.etag)
    changed = replace(profile, **_checked(wanted), teams=_shown(profile, teams, now))
    if wanted.email is not None and changed.email != profile.email:
        changed = replace(changed, email_state=EmailState.UNVERIFIED if changed.email else EmailState.NONE)
    if changed == profile:
        return profile
    return replace(
        changed, version=profile.version + 1, create_time=profile.create_time or now, update_time=now
    )


def verified(profile: Profile, *, now: datetime) -> Profile:
    """The person proved that he reads what is sent to the address."""
    return replace(profile, email_state=EmailState.VERIFIED, version=profile.version + 1, update_time=now)


def bounced(profile: Profile, addresses: Iterable[str], *, now: datetime) -> Profile:
    """Their servers do not know the addresses; the very same profile where its own is not among them, or
    where that was known.
    """
    if profile.email_state not in (EmailState.VERIFIED, EmailState.UNVERIFIED):
        return profile
    if profile.email.lower() not in {address.lower() for address in addresses}:
        return profile
    return replace(profile, email_state=EmailState.BOUNCED, version=profile.version + 1, update_time=now)


def shown_again(profile: Profile, *, teams: tuple[str, ...], now: datetime) -> Mapping[str, datetime] | None:
    """What to remember of the teams that a token shows; None where that is known already."""
    kept = _shown(profile, teams, now)
    return None if kept == profile.teams else kept


def _shown(profile: Profile, teams: tuple[str, ...], now: datetime) -> dict[str, datetime]:
    """A token is the truth about its bearer: teams that it does not name are his no more."""
    return {
        team: held if (held := profile.teams.get(team)) is not None and now < held + REFRESH else now
        for team in sorted(teams)
    }


def _checked(wanted: ProfileChange) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if wanted.display_name is not None:
        values["display_name"] = display_name(wanted.display_name)
    if wanted.email is not None:
        values["email"] = email_address(wanted.email) if wanted.email else ""
    if wanted.phone is not None:
        values["phone"] = wanted.phone
    if wanted.locale is not None:
        values["locale"] = wanted.locale
    if wanted.auto_translate is not None:
        values["auto_translate"] = wanted.auto_translate
    if wanted.time_zone is not None:
        if wanted.time_zone:
            zone_of(wanted.time_zone, field="profile.time_zone")
        values["time_zone"] = wanted.time_zone
    if wanted.choices is not None:
        chosen = dict(wanted.choices)
        if len(chosen) < len(wanted.choices):
            raise invalid("profile.notification_choices", "name a kind more than once")
        values["choices"] = {
            kind: delivery for kind, delivery in sorted(chosen.items()) if delivery is not Delivery.EACH
        }
    return values


def email_address(text: str) -> str:
    """The address with its domain in lower case. Refusal VALIDATION_FAILED for what is none."""
    local, _, domain = text.rpartition("@")
    domain = domain.lower()
    is_one = (
        len(text) <= EMAIL_LIMIT
        and len(local) <= LOCAL_LIMIT
        and _LOCAL.fullmatch(local) is not None
        and _DOMAIN.fullmatch(domain) is not None
    )
    if not is_one:
        raise invalid("profile.email", "is not an e-mail address of the form name@domain")
    return f"{local}@{domain}"


def display_name(text: str) -> str:
    """The name without spaces around it. Refusal VALIDATION_FAILED where it would pass contact data on."""
    name = text.strip()
    lowered = name.lower()
    if not all(character.isprintable() for character in name):
        raise invalid("profile.display_name", "holds characters that cannot be seen")
    digits = sum(character.isdigit() for character in name)
    if "@" in lowered or "://" in lowered or "www." in lowered or digits > NAME_DIGITS:
        raise invalid("profile.display_name", "looks like an address or a number, which no name needs")
    return name
