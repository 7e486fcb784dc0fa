"""Log files of the processes and what of them is worth a line on the console.

Processes write to their files directly, so the supervisor is never in their way; it reads the files' ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

FILE_LIMIT_BYTES: Final = 32 * 1024 * 1024
READ_LIMIT_BYTES: Final = 256 * 1024
TAIL_LIMIT_BYTES: Final = 8 * 1024
CONSOLE_LINES_PER_READ: Final = 20
LINE_LIMIT_CHARACTERS: Final = 400

_IMPORTANT_LEVELS: Final = frozenset({"warning", "error", "critical"})
_HINT: Final = re.compile(
    rb"warning|error|critical|FATAL|PANIC|\[ERR\]|\[FTL\]|Traceback|cannot start", re.IGNORECASE
)
_IMPORTANT_TEXT: Final = re.compile(
    r"\b(FATAL|PANIC|CRITICAL)\b|\[(ERR|FTL)\]|^Traceback|cannot start|Error: "
)
# Said by PostgreSQL whenever clients come early or are sent away; what follows from it is reported anyway.
_EXPECTED_TEXT: Final = re.compile(r"FATAL:  (the database system is|terminating (connection|background))")
_SHOWN_APART: Final = frozenset({"event", "level", "timestamp", "service", "logger"})
_COLORS: Final = (36, 32, 33, 35, 34, 96, 92, 95, 94, 93)
_RESET: Final = "\x1b[0m"
_RED: Final = "\x1b[31m"


def render(raw: str) -> str:
    """One log line for people: JSON becomes `level event key=value`, anything else stays as it is."""
    record = _record(raw)
    if record is None:
        return raw[:LINE_LIMIT_CHARACTERS]
    details = " ".join(f"{key}={_short(value)}" for key, value in record.items() if key not in _SHOWN_APART)
    text = f"{record.get('level', 'info')} {record.get('event', '')} {details}".strip()
    return text[:LINE_LIMIT_CHARACTERS]


def is_important(raw: str) -> bool:
    """Whether a line belongs on the console without being asked for."""
    record = _record(raw)
    if record is not None:
        return str(record.get("level", "")).lower() in _IMPORTANT_LEVELS
    return bool(_IMPORTANT_TEXT.search(raw)) and not _EXPECTED_TEXT.search(raw)


def _record(raw: str) -> dict[str, Any] | None:
    if not raw.startswith("{"):
        return None
    try:
        record = json.loads(raw)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _short(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        # A stack trace: its last line is what happened.
        return value.rstrip().rsplit("\n", 1)[-1].strip()
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


class LogFile:
    """The log of one process, kept below a size, and a reader at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = path.stat().st_size if path.exists() else 0
        self._partial = b""
        self._start = self._position

    def writer(self) -> IO[bytes]:
        """Open the file for a process to append to, and mark the place where its output starts; close it."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._start = self._size()
        return os.fdopen(descriptor, "ab", buffering=0)

    def read_new(self, *, everything: bool) -> list[str]:
        """Complete lines since the last call: all of them, or the important ones."""
        size = self._size()
        if size < self._position:
            self._position = 0
        if size == self._position:
            return []
        if size - self._position > READ_LIMIT_BYTES:
            self._position, self._partial = size - READ_LIMIT_BYTES, b""
        with self.path.open("rb") as file:
            file.seek(self._position)
            chunk = self._partial + file.read(READ_LIMIT_BYTES)
            self._position = file.tell()
        complete, _, self._partial = chunk.rpartition(b"\n")
        self._partial = self._partial[:READ_LIMIT_BYTES]
        # Most output is uninteresting; one search over all of it is cheaper than a look at each line.
        if not everything and not _HINT.search(complete):
            return []
        lines = complete.decode("utf-8", "replace").splitlines()
        return [line for line in lines if line.strip() and (everything or is_important(line))]

    def last_lines(self, count: int) -> list[str]:
        """The last lines that the current process wrote."""
        size = self._size()
        start = max(self._start if self._start <= size else 0, size - TAIL_LIMIT_BYTES)
        if size == start:
            return []
        with self.path.open("rb") as file:
            file.seek(start)
            text = file.read(TAIL_LIMIT_BYTES).decode("utf-8", "replace")
        return [line for line in text.splitlines() if line.strip()][-count:]

    def bound(self) -> None:
        """Cut the file once it is too long, keeping its second half as `<name>.1`."""
        size = self._size()
        if size <= FILE_LIMIT_BYTES:
            return
        with self.path.open("rb") as source, self.path.with_name(f"{self.path.name}.1").open("wb") as target:
            source.seek(size - FILE_LIMIT_BYTES // 2)
            while block := source.read(READ_LIMIT_BYTES):
                target.write(block)
        # The processes append, so they go on at the new end.
        os.truncate(self.path, 0)
        self._position, self._partial, self._start = 0, b"", 0

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


class Console:
    """Prints for people: one prefix per process, in colour on a terminal (unless NO_COLOR is set)."""

    def __init__(self, stream: IO[str] | None = None, *, color: bool | None = None) -> None:
        self._stream = stream or sys.stdout
        wants_color = self._stream.isatty() and not os.environ.get("NO_COLOR")
        self._color = wants_color if color is None else color
        self._colors: dict[str, str] = {}

    def say(self, name: str, text: str, *, bad: bool = False) -> None:
        """Print `text`, line by line, behind the name."""
        for line in text.splitlines() or [""]:
            self._write(f"{self._prefix(name)} {self._paint(line) if bad else line}\n")

    def plain(self, text: str) -> None:
        """Print as it is."""
        self._write(f"{text}\n")

    def log_lines(self, name: str, lines: Iterable[str], path: Path, *, everything: bool) -> None:
        """Print lines of a log file; a flood is cut, with the file named."""
        rendered = [render(line) for line in lines]
        shown = rendered if everything else rendered[:CONSOLE_LINES_PER_READ]
        for line in shown:
            self.say(name, line)
        if len(rendered) > len(shown):
            self.say(name, f"... {len(rendered) - len(shown)} more lines in {path}")

    def _prefix(self, name: str) -> str:
        label = f"{name:<10}|"
        if not self._color:
            return label
        color = self._colors.setdefault(name, f"\x1b[{_COLORS[len(self._colors) % len(_COLORS)]}m")
        return f"{color}{label}{_RESET}"

    def _paint(self, line: str) -> str:
        return f"{_RED}{line}{_RESET}" if self._color else line

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (BrokenPipeError, OSError):
            # The terminal or the pager is gone; the stack is not.
            pass
