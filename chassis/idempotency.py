"""Answers are given once: the same key and body get the first answer again, another body is refused.

The key's row is the first thing that a transaction writes, so a concurrent duplicate waits on it. If the
first call commits, the duplicate finds the stored answer; if it fails, the duplicate takes over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from chassis.kernel.refusal import Kind, Refusal

RETENTION: Final = timedelta(days=30)
"""How long an answer is kept."""

PRIMARY_KEY: Final = "pk_idempotency"
"""The constraint that a key breaks which was claimed before."""

PRUNE_BATCH: Final = 5_000
"""Rows that one pruning statement removes."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What makes a call the same call again. `fingerprint` digests the business fields of the request."""

    principal: str
    method: str
    key: str
    fingerprint: bytes


class Replay(Exception):
    """The call was answered before; `body` is that answer, serialized: empty where it was forgotten with an
    erased person.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__("answered before")
        self.body = body


_CLAIM = (
    "INSERT INTO idempotency (principal, method, key, fingerprint, create_time) "
    "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"
)
_FIND = "SELECT fingerprint, answer FROM idempotency WHERE principal = $1 AND method = $2 AND key = $3"
_PRUNE = (
    "DELETE FROM idempotency WHERE (principal, method, key) IN "
    "(SELECT principal, method, key FROM idempotency WHERE create_time < $1 ORDER BY create_time LIMIT $2)"
)


async def claim(connection: Any, key: IdempotencyKey, now: datetime) -> None:
    """Takes the key for the running transaction, waiting for whoever else holds it.

    Replay when it was answered before; Refusal INVALID (REQUEST_ID_REUSED) when that was another request.
    """
    status = await connection.execute(_CLAIM, key.principal, key.method, key.key, key.fingerprint, now)
    if status == "INSERT 0 0":
        await replay(connection, key)


async def replay(connection: Any, key: IdempotencyKey) -> None:
    """Raises the stored answer of a key as Replay, or Refusal INVALID when its request was another one."""
    await replay_answered(connection, key)
    # The answer passed its retention between two statements: the caller may simply ask again.
    raise Refusal(
        Kind.UNAVAILABLE,
        "STORAGE_UNAVAILABLE",
        "the stored answer has just expired",
        retry_after_seconds=0.1,
    )


async def replay_answered(connection: Any, key: IdempotencyKey) -> None:
    """Raises what `replay` raises for a key that was answered; returns for one that was not."""
    row = await connection.fetchrow(_FIND, key.principal, key.method, key.key)
    if row is None:
        return
    if row["fingerprint"] != key.fingerprint:
        raise Refusal(
            Kind.INVALID,
            "REQUEST_ID_REUSED",
            "this request id was used for another request",
            metadata={"request_id": key.key, "method": key.method},
        )
    # Empty also where the answer was forgotten with somebody whom it named (`chassis.erasure`). That it was
    # done is still true: whoever were refused would take another key, and do it twice.
    raise Replay(row["answer"] or b"")


async def prune(connection: Any, now: datetime) -> int:
    """Forgets answers past their retention, one batch at a time; answers how many."""
    removed = 0
    while True:
        status = await connection.execute(_PRUNE, now - RETENTION, PRUNE_BATCH)
        count = int(status.split()[-1])
        removed += count
        if count < PRUNE_BATCH:
            return removed
