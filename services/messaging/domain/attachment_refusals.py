"""Why a document is refused."""

from __future__ import annotations

from chassis.kernel.refusal import Kind, Refusal, invalid, precondition
from services.messaging.domain.refusals import Reason


def attachment_too_large(limit_bytes: int) -> Refusal:
    """The file is too long."""
    return _bad_file(
        Reason.ATTACHMENT_TOO_LARGE, f"is longer than {limit_bytes} bytes", limit_bytes=str(limit_bytes)
    )


def attachment_not_pdf(problem: str) -> Refusal:
    """The file is no complete PDF; `problem` completes a sentence about it."""
    return _bad_file(Reason.ATTACHMENT_NOT_PDF, f"is refused: {problem}", problem=problem)


def attachment_encrypted() -> Refusal:
    """Nobody can say what is in it."""
    return _bad_file(Reason.ATTACHMENT_ENCRYPTED, "is encrypted")


def attachment_active(found: str) -> Refusal:
    """It would do something when it is opened."""
    return _bad_file(Reason.ATTACHMENT_ACTIVE_CONTENT, f"contains {found}", found=found)


def attachment_too_complex() -> Refusal:
    """Looking at it took too long, or too much memory."""
    return _bad_file(Reason.ATTACHMENT_TOO_COMPLEX, "is too complex to be examined")


def attachment_infected(found: str) -> Refusal:
    """The virus scanner knows it."""
    return _bad_file(Reason.ATTACHMENT_INFECTED, f"contains {found}", found=found)


def attachment_already_sent(name: str) -> Refusal:
    """A message names it already."""
    return precondition(Reason.ATTACHMENT_ALREADY_SENT, f"{name} was sent before", resource=name)


def too_many_attachments(conversation: str, maximum: int) -> Refusal:
    """Too many wait for a message."""
    return Refusal(
        Kind.EXHAUSTED,
        Reason.TOO_MANY_ATTACHMENTS,
        f"{maximum} attachments wait for a message",
        metadata={"resource": conversation, "maximum": str(maximum)},
    )


def _bad_file(reason: Reason, sentence: str, **metadata: str) -> Refusal:
    return invalid("data", sentence, reason=reason, **metadata)
