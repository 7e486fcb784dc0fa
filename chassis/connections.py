"""The connections of a service to its database, lent for a while and taken back as they were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self

import asyncpg

from chassis import statements
from chassis.storage_errors import ConstraintError, is_contention, overloaded, translated

WARM_CONNECTIONS: Final = 4
"""Made before the first call: a new one takes 20 ms."""
ACQUIRE_SECONDS: Final = 5.0
COMMAND_SECONDS: Final = 30.0
_SERVER_SETTINGS = {
    "application_name": "parley",
    "jit": "off",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}


class Connections:
    """A pool of asyncpg."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, *, pool_size: int, settings: Mapping[str, str]) -> Self:
        """Connects, and refuses with UNAVAILABLE when that fails. `settings` are further ones of every
        session.
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min(WARM_CONNECTIONS, pool_size),
                max_size=pool_size,
                init=statements.prepare_connection,
                # Transactions end here, in `lent`: the usual reset would cost a round trip each time.
                reset=_keep_as_is,
                max_inactive_connection_lifetime=0,
                command_timeout=COMMAND_SECONDS,
                statement_cache_size=512,
                server_settings={**_SERVER_SETTINGS, **settings},
            )
        except Exception as error:
            raise translated(error) from error
        return cls(pool)

    async def close(self) -> None:
        """Waits for what runs, then disconnects."""
        await self._pool.close()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        """One of them. Whatever is open at the end is rolled back, and errors of the driver leave
        translated.
        """
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except TimeoutError:
            raise overloaded() from None
        except Exception as error:
            raise translated(error) from error
        is_usable = True
        try:
            yield connection
        except Exception as error:
            if is_contention(error):
                raise
            known = translated(error)
            if known is error:
                raise
            is_usable = isinstance(known, ConstraintError)
            raise known from error
        finally:
            await asyncio.shield(self._give_back(connection, is_usable=is_usable))

    async def _give_back(self, connection: Any, *, is_usable: bool) -> None:
        try:
            if not is_usable:
                connection.terminate()
            elif not connection.is_closed() and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever went wrong, this connection is of no more use
            # A connection that was lost is out of the pool already, and says so by this error.
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
        finally:
            # Here as well, when it was lost meanwhile: the answer is what happened before, not this.
            with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError):
                await self._pool.release(connection)


async def _keep_as_is(_connection: Any) -> None:
    return
