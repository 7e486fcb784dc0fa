"""Whether the marketplace verified a buyer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.kernel.refusal import stale_etag
from services.gating.domain import refusals
from services.gating.domain.events import BuyerVerificationSet


@dataclass(frozen=True, slots=True)
class BuyerVerification:
    """What `author` said of `buyer` at `set_time`; it lapses at `expire_time`, exclusive. Version 0: nothing
    was ever said.
    """

    buyer: str
    verified: bool = False
    expire_time: datetime | None = None
    author: str = ""
    set_time: datetime | None = None
    version: int = 0

    @property
    def name(self) -> str:
        """The aggregate's name in events."""
        return f"{self.buyer}/verification"

    @property
    def etag(self) -> str:
        """The version as callers see it."""
        return f"v{self.version}"

    def holds(self, at: datetime) -> bool:
        """Whether the buyer counts as verified at an instant."""
        return self.verified and (self.expire_time is None or at < self.expire_time)


@dataclass(frozen=True, slots=True)
class Vouched:
    """What somebody says of a buyer."""

    verified: bool
    expire_time: datetime | None
    author: str


def set_verification(
    current: BuyerVerification, wanted: Vouched, *, etag: str, now: datetime
) -> tuple[BuyerVerification, BuyerVerificationSet | None]:
    """The verification as it is wanted; no event where it is so already."""
    if etag and etag != current.etag:
        raise stale_etag(current.name, etag, current.etag)
    if wanted.expire_time is not None and wanted.expire_time <= now:
        raise refusals.time_out_of_range("expire_time")
    if (wanted.verified, wanted.expire_time) == (current.verified, current.expire_time):
        return current, None
    changed = BuyerVerification(
        current.buyer, wanted.verified, wanted.expire_time, wanted.author, now, current.version + 1
    )
    return changed, BuyerVerificationSet(changed, now)
