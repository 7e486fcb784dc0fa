"""Telling sellers' own systems what happens: Standard Webhooks, in order within a conversation."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from chassis.kernel.clock import utc_text
from services.messaging.domain.message import Message
from services.messaging.domain.timeline import Entry

ENDPOINT_LIMIT: Final = 5
"""Endpoints of one seller."""
SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what every secret begins with
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before the present one signs, too."""
PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before each repetition, the first one first."""
JITTER: Final = 0.1
"""What each pause may grow by, so that not everything that failed together comes back together."""
GONE: Final = 410


class EndpointState(StrEnum):
    """Whether an endpoint is told anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class State(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a seller, and what signs for it."""

    seller: str
    id: str
    url: str
    secret: str
    create_time: datetime
    state: EndpointState = EndpointState.ENABLED
    old_secret: str = ""
    old_secret_expire_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.seller}/webhookEndpoints/{self.id}"

    def secrets_at(self, now: datetime) -> tuple[str, ...]:
        """What signs now, the newest first."""
        old = self.old_secret_expire_time
        return (self.secret, self.old_secret) if old is not None and now < old else (self.secret,)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An entry on its way to an endpoint. `id` is the entry's; `problem` says why there was no answer."""

    endpoint: str
    id: str
    conversation: str
    type: str
    body: str
    create_time: datetime
    state: State = State.WAITING
    attempts: int = 0
    status: int = 0
    problem: str = ""
    attempt_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.endpoint}/deliveries/{self.id}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint said: an HTTP status, or why there was none."""

    status: int = 0
    problem: str = ""

    @property
    def taken(self) -> bool:
        """Whether the endpoint has it."""
        return 200 <= self.status < 300


_SPECIAL: Final = tuple(
    ipaddress.ip_network(each)
    for each in (
        # Special purposes in the registries of IANA that `ipaddress` never knew, or not yet in every version.
        "192.0.0.0/24",
        "192.88.99.0/24",
        "3fff::/20",
        "fec0::/10",
        # What a cloud's own services answer at, which looks like any other address.
        "168.63.129.16/32",
    )
)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, whatever it is wrapped in. ValueError for none."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None:
            return False
        hidden = ip.teredo[1] if ip.teredo is not None else _translated(ip)
        inner = ip.ipv4_mapped or ip.sixtofour or hidden
        if inner is not None and not is_public(str(inner)):
            return False
        if ip.ipv4_mapped is not None:
            return True
    if any(ip.version == each.version and ip in each for each in _SPECIAL):
        return False
    return bool(ip.is_global and not ip.is_multicast and not ip.is_reserved)


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address behind a NAT64 or an IPv4-compatible address."""
    high = int(ip) >> 32
    if high in (0, 0x0064_FF9B_0000_0000_0000_0000) or high >> 48 == 0x0064_FF9B_0001:
        return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return None


def message_of(entry: Entry) -> tuple[str, str] | None:
    """The type and the body that tell a public entry: names and facts. None for what is the team's alone."""
    if not entry.public:
        return None
    content = entry.content
    data: dict[str, Any] = {
        "conversation": entry.conversation,
        "entry": entry.name,
        "side": content.side.value,
    }
    if isinstance(content, Message):
        kind = "message.sent"
        data |= {"resource": content.name, "attachments": [each.name for each in content.attachments]}
    else:
        kind = content.type.value.lower().replace("_", ".", 1)
        data["resource"] = content.resource
        if content.revision:
            data["revision"] = content.revision
    body = {"type": kind, "timestamp": utc_text(entry.create_time), "data": data}
    return kind, json.dumps(body, separators=(",", ":"))


def secret_text(raw: bytes) -> str:
    """A secret as its owner gets it."""
    return SECRET_PREFIX + base64.b64encode(raw).decode()


def headers(endpoint: Endpoint, delivery: Delivery, now: datetime) -> Mapping[str, str]:
    """What accompanies the body: its id, the time of this attempt, one signature for each secret."""
    stamp = str(int(now.timestamp()))
    signed = f"{delivery.id}.{stamp}.{delivery.body}".encode()
    signatures = []
    for secret in endpoint.secrets_at(now):
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        signatures.append(f"v1,{base64.b64encode(digest).decode()}")
    return {
        "content-type": "application/json",
        "user-agent": "Parley-Webhooks/1",
        "webhook-id": delivery.id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(signatures),
    }


def rotated(endpoint: Endpoint, secret: str, now: datetime) -> Endpoint:
    """With a new secret; the present one stays valid for a while."""
    return replace(endpoint, secret=secret, old_secret=endpoint.secret, old_secret_expire_time=now + OVERLAP)


def disabled(endpoint: Endpoint) -> Endpoint:
    """It does not want to be told any more."""
    return replace(endpoint, state=EndpointState.DISABLED)


def enabled(endpoint: Endpoint) -> Endpoint:
    """It is told again."""
    return (
        endpoint
        if endpoint.state is EndpointState.ENABLED
        else replace(endpoint, state=EndpointState.ENABLED)
    )


def attempted(delivery: Delivery, answer: Answer, now: datetime) -> tuple[Delivery, datetime | None]:
    """The delivery after an attempt, and when the next one is due; None where it is over."""
    attempts = delivery.attempts + 1
    tried = replace(
        delivery, attempts=attempts, status=answer.status, problem=answer.problem, attempt_time=now
    )
    if answer.taken:
        return replace(tried, state=State.DELIVERED), None
    if answer.status == GONE or attempts > len(PAUSES):
        return replace(tried, state=State.FAILED), None
    pause = PAUSES[attempts - 1]
    return tried, now + pause * (1 + JITTER * _share(delivery.id, attempts))


def again(delivery: Delivery, answer: Answer, now: datetime) -> Delivery:
    """The delivery after an attempt that somebody asked for: it can only make things better."""
    state = State.DELIVERED if answer.taken else delivery.state
    return replace(
        delivery,
        attempts=delivery.attempts + 1,
        status=answer.status,
        problem=answer.problem,
        attempt_time=now,
        state=state,
    )


def _share(delivery: str, attempt: int) -> float:
    """A number from 0 up to 1 that is another one for each attempt."""
    digest = hashlib.sha256(f"{delivery} {attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32
