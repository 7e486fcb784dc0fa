"""What of a log reaches the console, and how long a log may get."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from stack import logs
from stack.logs import Console, LogFile, is_important, render


def append(log: LogFile, output: bytes) -> None:
    with log.writer() as file:
        file.write(output)


@pytest.mark.parametrize(
    ("line", "important"),
    [
        ('{"event": "call", "level": "info"}', False),
        ('{"event": "slow", "level": "warning"}', True),
        ('{"event": "bug", "level": "error"}', True),
        ('{"event": "error", "level": "info"}', False),
        ("2026 UTC [1] LOG:  database system is ready to accept connections", False),
        ("2026 UTC [1] ERROR:  duplicate key value violates unique constraint", False),
        ("2026 UTC [1] FATAL:  the database system is starting up", False),
        ("2026 UTC [1] FATAL:  terminating connection due to administrator command", False),
        ("2026 UTC [1] FATAL:  could not write lock file: No space left on device", True),
        ("2026 UTC [1] PANIC:  could not write to file", True),
        ("[7] 2026/11/21 [WRN] Plaintext passwords detected", False),
        ("[7] 2026/11/21 [ERR] JetStream out of storage", True),
        ("Traceback (most recent call last):", True),
        ("offers cannot start: 2 settings are wrong", True),
        ("{not json", False),
    ],
)
def test_what_is_important(line: str, important: bool) -> None:
    assert is_important(line) is important


def test_json_becomes_readable() -> None:
    line = '{"event": "charge failed", "level": "error", "order": "orders/1", "timestamp": "x", "tries": 2}'
    assert render(line) == "error charge failed order=orders/1 tries=2"


def test_of_a_stack_trace_the_last_line_is_shown() -> None:
    line = '{"event": "bug", "level": "error", "exception": "Traceback\\n  File\\nValueError: no"}'
    assert render(line) == "error bug exception=ValueError: no"


def test_other_lines_stay_as_they_are_within_a_limit() -> None:
    assert render("plain") == "plain"
    assert len(render("x" * 10_000)) == logs.LINE_LIMIT_CHARACTERS


def test_a_reader_sees_complete_important_lines_once(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    append(log, b'{"level": "error", "event": "one"}\n{"level": "info", "event": "two"}\n{"level": "err')
    assert log.read_new(everything=False) == ['{"level": "error", "event": "one"}']
    append(log, b'or", "event": "three"}\n')
    assert log.read_new(everything=False) == ['{"level": "error", "event": "three"}']
    assert log.read_new(everything=False) == []


def test_a_reader_may_want_everything(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    append(log, b"one\n\ntwo\n")
    assert log.read_new(everything=True) == ["one", "two"]


def test_a_reader_starts_at_the_present(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("Traceback of yesterday\n")
    assert LogFile(tmp_path / "a.log").read_new(everything=True) == []


def test_last_lines_are_those_of_the_current_process(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    append(log, b"first process\n")
    append(log, b"second process\nsays two\n")
    assert log.last_lines(5) == ["second process", "says two"]
    assert log.last_lines(1) == ["says two"]


def test_a_flood_skips_to_its_end(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    append(log, b"x\n" * logs.READ_LIMIT_BYTES + b"the end\n")
    lines = log.read_new(everything=True)
    assert lines[-1] == "the end"
    assert len(lines) < logs.READ_LIMIT_BYTES


def test_a_long_file_is_cut_and_its_writer_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FILE_LIMIT_BYTES", 1_000)
    log = LogFile(tmp_path / "a.log")
    with log.writer() as writer:
        writer.write(b"old\n" * 300)
        log.bound()
        writer.write(b"new\n")
    assert (tmp_path / "a.log").read_bytes() == b"new\n"
    assert (tmp_path / "a.log.1").read_bytes() == b"old\n" * 125
    assert log.read_new(everything=True) == ["new"]


def test_the_console_prefixes_each_line() -> None:
    stream = io.StringIO()
    Console(stream, color=False).say("offers", "one\ntwo")
    assert stream.getvalue() == "offers    | one\noffers    | two\n"


def test_the_console_colours_names_apart() -> None:
    stream = io.StringIO()
    console = Console(stream, color=True)
    console.say("offers", "one")
    console.say("orders", "two", bad=True)
    offers, orders = stream.getvalue().splitlines()
    assert offers.split("offers")[0] != orders.split("orders")[0]
    assert "\x1b[31mtwo" in orders


def test_a_flood_on_the_console_is_cut_and_the_file_named() -> None:
    stream = io.StringIO()
    Console(stream, color=False).log_lines("offers", ["bad"] * 50, Path("offers.log"), everything=False)
    lines = stream.getvalue().splitlines()
    assert len(lines) == logs.CONSOLE_LINES_PER_READ + 1
    assert lines[-1].endswith("30 more lines in offers.log")


def test_a_closed_terminal_does_not_end_the_stack() -> None:
    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    Console(Closed(), color=False).say("offers", "nobody reads this")
