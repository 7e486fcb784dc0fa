"""Tells the story in a terminal: in colour on one, plain lines anywhere else."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table

from stack.demo.api import Exchange

_WIDTH: Final = 110
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LABEL_WIDTH: Final = 10
_COLORS: Final = ("cyan", "magenta", "yellow", "green", "blue")


class Narrator:
    """Numbers the steps and remembers the colour of each person."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or terminal()
        self._steps = 0
        self._colors: dict[str, str] = {}

    def say(self, text: str = "") -> None:
        """A line of its own; `text` may carry markup."""
        self.console.print(text, soft_wrap=True)

    def scene(self, title: str) -> None:
        """A heading."""
        self.console.print()
        if self.console.is_terminal:
            width = min(self.console.width, _WIDTH)
            self.console.print(Rule(f"[bold]{escape(title)}[/]", align="left", style="dim"), width=width)
        else:
            self.say(f"== {escape(title)}")

    def step(self, who: str, what: str, exchange: Exchange | None = None) -> None:
        """Who did what, and the call that did it."""
        self._steps += 1
        self.say(f"[bold]{self._steps:>3}[/]  {self.person(who)} {escape(what)}")
        if exchange is not None:
            took = f"{exchange.status} in {exchange.seconds * 1_000:.0f} ms"
            self.detail("call", f"[dim]{exchange.method} {escape(shortened(exchange.path))}  ({took})[/]")

    def person(self, who: str) -> str:
        """The name in its colour, as markup."""
        color = self._colors.setdefault(who, _COLORS[len(self._colors) % len(_COLORS)])
        return f"[bold {color}]{escape(who)}[/]"

    def detail(self, label: str, text: str) -> None:
        """One fact about the step; `text` may carry markup."""
        self.say(f"     [dim]{escape(label):<{_LABEL_WIDTH}}[/]{text}")

    def state(self, resource: str, before: str, after: str) -> None:
        """What a resource was before the step and is after it."""
        self.detail("state", f"{escape(resource)} {before or '(nothing)'} -> [bold green]{after}[/]")

    def refusal(self, reason: str, detail: str) -> None:
        """A refusal that the story wants."""
        self.detail("refused", f"[bold red]{escape(reason)}[/] {escape(detail)}")

    def table(self, title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
        """A small table; cells may carry markup."""
        if title:
            self.say(f"     [dim]{escape(title)}[/]")
        if not self.console.is_terminal:
            for row in rows:
                self.say("       " + "  ".join(cell for cell in row if cell))
            return
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(column, header_style="dim", overflow="fold")
        for row in rows:
            table.add_row(*row)
        self.console.print(Padding(table, (0, 0, 0, 5)))

    def problem(self, document: Mapping[str, Any]) -> None:
        """A refusal that nobody expected, whole."""
        self.say("[bold red]application/problem+json[/]")
        self.say(escape(json.dumps(document, indent=2)))


def shortened(path: str) -> str:
    """A path whose long ids show their last digits only; those at their front tell the time, and repeat."""
    return _ID.sub(lambda found: f"…{found[0][-4:]}", path)


def terminal() -> Console:
    """The console of this process: no guessed highlighting, no colours where they are not wanted."""
    no_color = bool(os.environ.get("NO_COLOR"))
    return Console(highlight=False, no_color=no_color or None, emoji=False)
