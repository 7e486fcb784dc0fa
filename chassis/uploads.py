"""What is left of a stream of requests when its call has ended early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

DISCARD_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""Of what a client still writes after a refusal: several times the files that people send by mistake."""


async def discard(requests: AsyncIterator[bytes], *, deadline: float) -> None:
    """Takes the rest off the client's hands, up to a limit and until `deadline` (of the loop's clock).

    A write that meets the end of its call fails, and client libraries then put an error of their own in the
    place of the answer (grpc/grpc#36066): nobody would learn why he was refused.
    """
    left = DISCARD_LIMIT_BYTES
    try:
        async with asyncio.timeout_at(deadline):
            async for request in requests:
                left -= len(request)
                if left <= 0:
                    return
    except TimeoutError:
        return
