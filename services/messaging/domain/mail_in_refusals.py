"""Why a mail that came in is refused, beyond the refusals of what it wanted to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from chassis.kernel.refusal import Kind, Refusal, invalid, precondition
from services.messaging.domain.refusals import Reason

FILENAME_SHOWN: Final = 80
"""Characters of a document's name in a refusal: the reason behind it has to fit into one line."""


def sender_unverified() -> Refusal:
    """Whoever sent it is not shown to be whose reply address it used."""
    return Refusal(
        Kind.DENIED,
        Reason.SENDER_UNVERIFIED,
        "answers are taken from the address that you have verified in your profile, and from no other: "
        "log in, set your e-mail address, follow the link in the mail that you get, then answer from there",
    )


def unknown_address() -> Refusal:
    """Nobody has the address: guessed, expired, taken back. Which of them is nobody's business."""
    return Refusal(Kind.NOT_FOUND, "NOT_FOUND", "nobody has this address, or nobody has it any more")


def mail_unreadable(problem: str) -> Refusal:
    """The mail is not written as mails are; `problem` completes a sentence about it."""
    return invalid("data", problem, reason=Reason.MAIL_UNREADABLE, problem=problem)


def of_document(filename: str, refusal: Refusal) -> Refusal:
    """The refusal of a document, with its name where the field was: a mail may bring several."""
    named = tuple(replace(each, field=filename[:FILENAME_SHOWN]) for each in refusal.violations)
    return Refusal(
        refusal.kind,
        refusal.reason,
        refusal.message,
        metadata=refusal.metadata,
        violations=named,
        retry_after_seconds=refusal.retry_after_seconds,
    )


def mail_too_long(limit: int) -> Refusal:
    """What is new in it is longer than a message."""
    return invalid("text", f"is longer than {limit} characters")


def mail_repeated() -> Refusal:
    """The same was posted by mail just before: people do not, machines do."""
    return precondition(Reason.MAIL_REPEATED, "the same text was posted by mail within the last 24 hours")


def mail_posted() -> Refusal:
    """This very mail was posted, and what it became was forgotten with somebody who was erased."""
    return precondition(Reason.MAIL_REPEATED, "this mail was posted before")


def message_id_reused() -> Refusal:
    """Another mail with the same Message-ID was taken before."""
    return precondition(
        Reason.MAIL_REPEATED, "another mail with the same Message-ID was taken before; send it as a new mail"
    )


def recipient_bounced(name: str) -> Refusal:
    """Mails to the address come back."""
    return precondition(
        Reason.RECIPIENT_BOUNCED, f"{name} goes nowhere: mails to this address come back", resource=name
    )
