"""ZIP archives that are sent while they are written."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from chassis.kernel.clock import Clock

if TYPE_CHECKING:
    from zipfile import ZipFile


class _Sink:
    """Where the archive is written to: nothing can be read or changed there any more."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        return

    def close(self) -> None:
        return


class ZipArchive:
    """Implements `app.personal_data.Archive`."""

    def __init__(self, clock: Clock) -> None:
        from zipfile import ZIP_DEFLATED, ZipFile

        self._time = clock.now().timetuple()[:6]
        self._sink = _Sink()
        self._zip: ZipFile = ZipFile(self._sink, "w", ZIP_DEFLATED)
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """The next file."""
        from zipfile import ZIP_DEFLATED, ZipInfo

        info = ZipInfo(name, self._time)
        info.compress_type = ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        self._file = self._zip.open(info, "w")

    def write(self, data: bytes) -> None:
        """More of it."""
        assert self._file is not None
        self._file.write(data)

    def end(self) -> None:
        """The file is complete."""
        assert self._file is not None
        self._file.close()
        self._file = None

    def close(self) -> None:
        """The archive is complete."""
        self._zip.close()

    def drain(self) -> bytes:
        """What was made since the last time."""
        made, self._sink.waiting = bytes(self._sink.waiting), bytearray()
        return made
