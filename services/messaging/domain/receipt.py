"""Up to where participants have read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.messaging.domain.side import Side


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """Up to where one participant has read; `message_time` orders messages together with `message_id`.

    What is read `in_copy` is not read by the side.
    """

    user: str
    side: Side
    message_id: str
    message_time: datetime
    read_time: datetime
    in_copy: bool = False

    @property
    def position(self) -> tuple[datetime, str]:
        """The newest message that was read."""
        return self.message_time, self.message_id
