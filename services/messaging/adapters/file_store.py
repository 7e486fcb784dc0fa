"""Files of participants in a folder, in S3 or what speaks like it, in Google's or Azure's store: by URL."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.request import url2pathname

from chassis.kernel.refusal import Refusal, unavailable
from chassis.telemetry import logger

PIECE_BYTES: Final = 256 * 1024
RETRIES: Final = 3
"""How often a request to a store elsewhere is repeated: for a second, while whoever sends a file waits."""
_KEY_BYTES: Final = 24
_FOLDER: Final = "file://"
_S3: Final = "s3://"

_log = logger("file_store")


class ObjectFileStore:
    """Implements `app.attachment_ports.FileStore`. Credentials come from where each provider's tools look."""

    def __init__(self, url: str) -> None:
        """`url` is `file:///folder`, `s3://bucket/prefix`, `gs://…` or `az://…`; opened when first needed."""
        self._url = url
        self._opened: Any = None

    def new_key(self) -> str:
        """Random, in folders that do not grow without end."""
        name = secrets.token_hex(_KEY_BYTES)
        return f"attachments/{name[:2]}/{name}"

    async def put(self, key: str, file: BinaryIO) -> None:
        """Keeps the file. Refusal UNAVAILABLE."""
        import obstore

        file.seek(0)
        try:
            await obstore.put_async(self._store(), key, file)
        except Exception as error:  # noqa: BLE001 - whatever a store raises, it does not keep the file now
            raise _unavailable(error) from None

    async def open(self, key: str) -> AsyncIterator[bytes]:
        """The bytes. Refusal UNAVAILABLE; RuntimeError for a file that was lost."""
        import obstore

        try:
            found = await obstore.get_async(self._store(), key)
        except FileNotFoundError:
            raise RuntimeError("a file that is remembered is not in the store") from None
        except Exception as error:  # noqa: BLE001 - whatever a store raises, it does not give the file now
            raise _unavailable(error) from None
        return _pieces(found)

    async def delete(self, key: str) -> None:
        """Removes it. Refusal UNAVAILABLE."""
        import obstore

        try:
            await obstore.delete_async(self._store(), key)
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001 - whatever a store raises, the file is still there
            raise _unavailable(error) from None

    def _store(self) -> Any:
        if self._opened is None:
            from obstore.store import from_url

            if self._url.startswith(_FOLDER):
                _make_private(Path(url2pathname(self._url.removeprefix(_FOLDER))))
                self._opened = from_url(self._url)
            elif self._url.startswith(_S3):
                # Files are removed one by one; not everything that speaks like S3 removes several at once.
                self._opened = from_url(
                    self._url, config={"disable_bulk_delete": True}, retry_config={"max_retries": RETRIES}
                )
            else:
                self._opened = from_url(self._url, retry_config={"max_retries": RETRIES})
        return self._opened


def _make_private(folder: Path) -> None:
    """The store makes folders and files for everybody who gets that far: nobody else gets into the first."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    async for piece in found.stream(min_chunk_size=PIECE_BYTES):
        yield bytes(piece)


def _unavailable(error: Exception) -> Refusal:
    # Its text names buckets and hosts.
    _log.warning("file_store_failed", error=type(error).__name__)
    return unavailable("PEER_UNAVAILABLE", "the store of files cannot be reached", peer="file store")
