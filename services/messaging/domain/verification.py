"""The proof that a person reads the mails to his address: a token that works once, for a while."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.messaging.domain import refusals

LIFE: Final = timedelta(hours=24)
"""How long a token works."""
DAILY_LIMIT: Final = 5
"""Mails with a token that one person can cause within 24 hours, to whichever addresses."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Verification:
    """What is kept of a token. `asked` are the times of the last day's mails."""

    user: str
    token_hash: str = ""
    expire_time: datetime | None = None
    asked: tuple[datetime, ...] = ()


def ask(verification: Verification, *, token: str, now: datetime) -> Verification:
    """A new token; the one before works no more. Refusal VERIFICATION_LIMIT_REACHED."""
    recent = tuple(time for time in verification.asked if now < time + _DAY)
    if len(recent) >= DAILY_LIMIT:
        wait = (recent[0] + _DAY - now).total_seconds()
        raise refusals.verification_limit_reached(DAILY_LIMIT, wait)
    return Verification(verification.user, token_hash(token), now + LIFE, (*recent, now))


def redeem(verification: Verification, *, token: str, now: datetime) -> Verification:
    """The token is used up. Refusal VERIFICATION_INVALID for a wrong, used or expired one alike."""
    expires = verification.expire_time
    if not verification.token_hash or expires is None or now >= expires:
        raise refusals.verification_invalid()
    if not hmac.compare_digest(verification.token_hash, token_hash(token)):
        raise refusals.verification_invalid()
    return Verification(verification.user, asked=verification.asked)


def forget(verification: Verification) -> Verification:
    """No token works any more."""
    return Verification(verification.user, asked=verification.asked)


def token_hash(token: str) -> str:
    """What is stored instead of a token: it has 256 bits, so that one hash cannot be turned back."""
    return hashlib.sha256(token.encode()).hexdigest()
