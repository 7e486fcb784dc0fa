"""Events of payment providers: who signed them, and which of our keys they are about.

Stripe's scheme, which the sandbox uses too: the header carries the time of the signature and, for each secret
that is valid at the moment, an HMAC-SHA256 over that time and the very bytes of the event. What an event says
beside our key is not read: see `app.provider_events`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from services.orders.domain import refusals

KEY: Final = "parley_key"
"""The field of the metadata at a provider that holds our key."""
TOLERANCE_SECONDS: Final = 300
"""How long a signature is good: the time in which a stolen one could be used again."""
KEY_LENGTH_LIMIT: Final = 200

_TIME: Final = "t"
_SIGNATURE: Final = "v1"


class SignedEvents:
    """Implements the port `ProviderEventReader`."""

    def __init__(self, name: str, secrets: Sequence[str]) -> None:
        """Several secrets while one takes the place of another; without any, no event is believed."""
        self.name = name
        self._secrets = tuple(secret.encode() for secret in secrets)

    def keys(self, event: bytes, signature: str, now: datetime) -> tuple[str, ...]:
        """Our keys that an event is about. Refusals PROVIDER_EVENTS_NOT_CONFIGURED,
        PROVIDER_SIGNATURE_INVALID and PROVIDER_EVENT_EXPIRED.
        """
        if not self._secrets:
            raise refusals.provider_events_not_configured(self.name)
        parts = [part.strip().partition("=") for part in signature.split(",")]
        times = [value for key, _, value in parts if key == _TIME]
        given = [value.lower() for key, _, value in parts if key == _SIGNATURE]
        if len(times) != 1 or not _is_number(times[0]) or not self._is_signed(times[0], event, given):
            raise refusals.provider_signature_invalid()
        if abs(now.timestamp() - int(times[0])) > TOLERANCE_SECONDS:
            raise refusals.provider_event_expired(TOLERANCE_SECONDS)
        return tuple(dict.fromkeys(_keys(event)))

    def _is_signed(self, time: str, event: bytes, given: Sequence[str]) -> bool:
        payload = time.encode() + b"." + event
        wanted = [hmac.new(secret, payload, hashlib.sha256).hexdigest() for secret in self._secrets]
        # Every one is compared, each in constant time: how long it takes tells nothing.
        matches = [hmac.compare_digest(one.encode(), other.encode()) for one in wanted for other in given]
        return any(matches)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 13


def _keys(event: bytes) -> Iterator[str]:
    """Stripe: the metadata of the object, which are those of the charge or the refund. Sandbox: `key`."""
    try:
        said: Any = json.loads(event)
    except (ValueError, RecursionError):
        return
    told = said if isinstance(said, dict) else {}
    data = told.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    metadata = thing.get("metadata") if isinstance(thing, dict) else None
    found = [told.get("key"), metadata.get(KEY) if isinstance(metadata, dict) else None]
    for key in found:
        if isinstance(key, str) and 0 < len(key) <= KEY_LENGTH_LIMIT:
            yield key
