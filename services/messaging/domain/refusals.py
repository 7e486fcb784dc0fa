"""Why messaging refuses, beyond the refusals that every service shares."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from chassis.kernel.refusal import Kind, Refusal, exists, invalid, precondition


class Reason(StrEnum):
    """The reasons of `parley.messaging.v1.ErrorReason`, without the prefix."""

    EMPTY_BODY = "EMPTY_BODY"
    CONVERSATION_CLOSED = "CONVERSATION_CLOSED"
    OWN_LISTING = "OWN_LISTING"
    INTERNAL_NOTE_FORBIDDEN = "INTERNAL_NOTE_FORBIDDEN"
    NOT_AN_INQUIRY = "NOT_AN_INQUIRY"
    ALREADY_A_PARTY = "ALREADY_A_PARTY"
    TOO_MANY_PARTICIPANTS = "TOO_MANY_PARTICIPANTS"
    PARTICIPANT_BLOCKED = "PARTICIPANT_BLOCKED"
    VERIFICATION_INVALID = "VERIFICATION_INVALID"
    VERIFICATION_LIMIT_REACHED = "VERIFICATION_LIMIT_REACHED"
    EMAIL_NOT_PENDING = "EMAIL_NOT_PENDING"
    ATTACHMENT_TOO_LARGE = "ATTACHMENT_TOO_LARGE"
    ATTACHMENT_NOT_PDF = "ATTACHMENT_NOT_PDF"
    ATTACHMENT_ENCRYPTED = "ATTACHMENT_ENCRYPTED"
    ATTACHMENT_ACTIVE_CONTENT = "ATTACHMENT_ACTIVE_CONTENT"
    ATTACHMENT_TOO_COMPLEX = "ATTACHMENT_TOO_COMPLEX"
    ATTACHMENT_INFECTED = "ATTACHMENT_INFECTED"
    ATTACHMENT_ALREADY_SENT = "ATTACHMENT_ALREADY_SENT"
    TOO_MANY_ATTACHMENTS = "TOO_MANY_ATTACHMENTS"
    NO_PHONE = "NO_PHONE"
    FEEDBACK_EXISTS = "FEEDBACK_EXISTS"
    WEBHOOK_URL_INVALID = "WEBHOOK_URL_INVALID"
    TOO_MANY_WEBHOOK_ENDPOINTS = "TOO_MANY_WEBHOOK_ENDPOINTS"
    WEBHOOK_ENDPOINT_DISABLED = "WEBHOOK_ENDPOINT_DISABLED"
    MESSAGE_LIMIT_REACHED = "MESSAGE_LIMIT_REACHED"
    ERASURE_HELD = "ERASURE_HELD"
    LINK_INVALID = "LINK_INVALID"
    LINK_USED = "LINK_USED"
    LINK_ACTION_UNKNOWN = "LINK_ACTION_UNKNOWN"
    TRANSLATION_NOT_CONFIGURED = "TRANSLATION_NOT_CONFIGURED"
    LANGUAGE_NOT_OFFERED = "LANGUAGE_NOT_OFFERED"
    TRANSLATION_IMPOSSIBLE = "TRANSLATION_IMPOSSIBLE"
    SENDER_UNVERIFIED = "SENDER_UNVERIFIED"
    RECIPIENT_BOUNCED = "RECIPIENT_BOUNCED"
    MAIL_UNREADABLE = "MAIL_UNREADABLE"
    MAIL_REPEATED = "MAIL_REPEATED"


def empty_body(field: str) -> Refusal:
    """The message has no text."""
    return invalid(field, "has no text", reason=Reason.EMPTY_BODY)


def conversation_closed(name: str) -> Refusal:
    """The conversation takes no messages."""
    return precondition(Reason.CONVERSATION_CLOSED, f"{name} is closed", resource=name)


def own_listing(seller: str) -> Refusal:
    """A team cannot write to itself."""
    return invalid("seller", "is your own team", reason=Reason.OWN_LISTING, seller=seller)


def internal_note_forbidden(name: str) -> Refusal:
    """Internal notes belong to the seller's team."""
    return Refusal(
        Kind.DENIED,
        Reason.INTERNAL_NOTE_FORBIDDEN,
        "only the seller's team writes internal notes",
        metadata={"resource": name},
    )


def not_an_inquiry(name: str, subject: str) -> Refusal:
    """Requests and orders are declined by their own methods."""
    return precondition(
        Reason.NOT_AN_INQUIRY, f"{name} is about {subject}, not an inquiry", resource=name, subject=subject
    )


def already_a_party(name: str, user: str) -> Refusal:
    """Who takes part already cannot be put in copy."""
    return precondition(
        Reason.ALREADY_A_PARTY, f"{user} takes part in {name} already", resource=name, user=user
    )


def too_many_participants(name: str, maximum: int) -> Refusal:
    """Nobody more can be put in copy."""
    return Refusal(
        Kind.EXHAUSTED,
        Reason.TOO_MANY_PARTICIPANTS,
        f"{maximum} people are in copy of {name}",
        metadata={"resource": name, "maximum": str(maximum)},
    )


def participant_blocked(name: str) -> Refusal:
    """One side has blocked the other; `name` is the conversation, or the seller of a new one."""
    return precondition(
        Reason.PARTICIPANT_BLOCKED, f"nothing is sent in {name}: it is blocked", resource=name
    )


def verification_invalid() -> Refusal:
    """The token is wrong, used or expired: which of them is nobody's business."""
    return invalid("token", "does not prove it", reason=Reason.VERIFICATION_INVALID)


def verification_limit_reached(limit: int, wait_seconds: float) -> Refusal:
    """Too many verification mails within a day."""
    return Refusal(
        Kind.EXHAUSTED,
        Reason.VERIFICATION_LIMIT_REACHED,
        f"{limit} verification mails were asked for within 24 hours",
        metadata={"limit": str(limit)},
        retry_after_seconds=wait_seconds,
    )


def email_not_pending(name: str) -> Refusal:
    """There is no address, or it is verified already."""
    return precondition(Reason.EMAIL_NOT_PENDING, f"{name} has no address to verify", resource=name)


def no_phone(name: str) -> Refusal:
    """The buyer has left no number."""
    return precondition(Reason.NO_PHONE, f"the buyer of {name} has left no phone number", resource=name)


def feedback_exists(name: str) -> Refusal:
    """Feedback is left once."""
    return exists(Reason.FEEDBACK_EXISTS, f"{name} has feedback already", resource=name)


def message_limit_reached(limit_per_minute: int, wait_seconds: float) -> Refusal:
    """Somebody writes faster than people do."""
    return Refusal(
        Kind.EXHAUSTED,
        Reason.MESSAGE_LIMIT_REACHED,
        f"more than {limit_per_minute} messages a minute",
        metadata={"limit_per_minute": str(limit_per_minute)},
        retry_after_seconds=wait_seconds,
    )


def link_invalid() -> Refusal:
    """The token of a link is unknown, expired or taken back: which of them is nobody's business."""
    return invalid("token", "opens nothing", reason=Reason.LINK_INVALID)


def link_used() -> Refusal:
    """The link was used already; what for is told to nobody."""
    return precondition(Reason.LINK_USED, "the link was used already")


def link_action_unknown(allowed: Iterable[str]) -> Refusal:
    """The link is for something else."""
    return invalid(
        "action",
        "is not what the link is for",
        reason=Reason.LINK_ACTION_UNKNOWN,
        allowed_actions=",".join(allowed),
    )


def erasure_held(user: str, holds: Iterable[str]) -> Refusal:
    """Something of the person is still open; `holds` names it, each with its reason."""
    return precondition(
        Reason.ERASURE_HELD,
        f"{user} cannot be erased while something of his is open",
        resource=user,
        holds=", ".join(holds),
    )
