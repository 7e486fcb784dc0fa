"""Leads: buyers who are in contact with a seller, and the feed of what changes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.messaging.domain.consent import ConsentType, Decision
from services.messaging.domain.profile import EmailState


class Change(StrEnum):
    """Why a lead stands in the feed; the names of `Lead.Change` without the prefix."""

    CONTACTED = "CONTACTED"
    CONSENT_GIVEN = "CONSENT_GIVEN"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    CONTACT_DATA_CHANGED = "CONTACT_DATA_CHANGED"
    PHONE_REVEALED = "PHONE_REVEALED"
    ERASED = "ERASED"


class Source(StrEnum):
    """How a contact came about; the names of `Lead.Source` without the prefix."""

    INQUIRY = "INQUIRY"
    ORDER_REQUEST = "ORDER_REQUEST"
    ORDER = "ORDER"


class Means(StrEnum):
    """How contact data was shown; the names of `Disclosure.Means` without the prefix."""

    PHONE_REVEALED = "PHONE_REVEALED"
    LEADS_LISTED = "LEADS_LISTED"
    LEADS_EXPORTED = "LEADS_EXPORTED"


@dataclass(frozen=True, slots=True)
class ContactData:
    """How a person is reached; empty where he left nothing, or did not prove that it is his."""

    display_name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """A buyer who is in contact with a seller. `buyer` is empty once he was erased; `conversation` is the
    latest one.
    """

    seller: str
    id: str
    buyer: str
    source: Source
    conversation: str
    first_contact_time: datetime
    last_contact_time: datetime
    erased: bool = False

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.seller}/leads/{self.id}"


@dataclass(frozen=True, slots=True)
class ShownLead:
    """A lead with what its seller may know of the person: nothing without a consent."""

    lead: Lead
    consents: tuple[Decision, ...] = ()
    contact: ContactData = ContactData()

    @property
    def missing(self) -> tuple[ConsentType, ...]:
        """What the buyer does not allow."""
        held = {each.type for each in self.consents}
        return tuple(kind for kind in ConsentType if kind not in held)


@dataclass(frozen=True, slots=True)
class FeedItem:
    """A lead at its place of the feed. Lead and consents are as they are now, the rest as it was then."""

    position: int
    change: Change
    time: datetime
    conversation: str
    shown: ShownLead


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Somebody saw contact data."""

    id: str
    means: Means
    seller: str
    reader: str
    conversation: str
    time: datetime


def contact_data(*, display_name: str, email: str, email_state: EmailState, phone: str) -> ContactData:
    """What of a profile can be shown: an address only where it is proved to be his."""
    return ContactData(display_name, email if email_state is EmailState.VERIFIED else "", phone)


def shown(lead: Lead, consents: tuple[Decision, ...], contact: ContactData) -> ShownLead:
    """What the seller may know now."""
    if lead.erased or not consents:
        return ShownLead(lead)
    return ShownLead(lead, consents, contact)


def source_of(subject: str) -> Source:
    """How a contact came about, from what its conversation is about."""
    if not subject:
        return Source.INQUIRY
    return Source.ORDER_REQUEST if subject.startswith("orderRequests/") else Source.ORDER
