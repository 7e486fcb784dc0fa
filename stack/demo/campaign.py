"""Plays many negotiations at once, shows how far it is, and sums up."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from stack.demo.api import Api
from stack.demo.audit import Audit
from stack.demo.negotiation import Pace, Record, play
from stack.demo.scripts import Kind, Script

SHOWN_FINDINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Latency:
    """From the acknowledged acceptance to the order that the buyer sees, in seconds."""

    p50: float
    p99: float
    samples: int

    @classmethod
    def of(cls, records: Sequence[Record]) -> Latency | None:
        """None where no order was waited for."""
        values = sorted(r.visible_seconds for r in records if r.visible_seconds is not None)
        if not values:
            return None
        return cls(_rank(values, 50), _rank(values, 99), len(values))


async def play_all(
    api: Api,
    scripts: Sequence[Script],
    *,
    concurrency: int,
    pace: Pace | None = None,
    on_end: Callable[[Record], None] = lambda _: None,
) -> list[Record]:
    """Play the scripts, `concurrency` at a time, each by a buyer of its own; in the order of the scripts."""
    run = uuid.uuid4().hex[:8]
    gate = asyncio.Semaphore(concurrency)

    async def one(script: Script) -> Record:
        async with gate:
            record = await play(api, script, buyer=f"visitor-{run}-{script.number}", pace=pace)
        on_end(record)
        return record

    return list(await asyncio.gather(*(one(script) for script in scripts)))


class ProgressLine:
    """A bar on a terminal; elsewhere a line at each quarter."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._failed = 0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TextColumn("[red]{task.fields[failed]}[/]"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("negotiations", total=total, failed="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, record: Record) -> None:
        """One more is over."""
        self._done += 1
        self._failed += bool(record.failure)
        failed = f"{self._failed} failed" if self._failed else ""
        self._progress.update(self._task, advance=1, failed=failed)
        quarter = max(1, self._total // 4)
        if not self._console.is_terminal and (self._done % quarter == 0 or self._done == self._total):
            self._console.print(f"{self._done} of {self._total} negotiations {failed}".rstrip())


def summarize(console: Console, records: Sequence[Record], verdict: Audit, *, seconds: float) -> None:
    """Print outcomes, latency and the verdict."""
    console.print()
    console.print(_outcomes(records))
    console.print()
    say = partial(console.print, soft_wrap=True)
    latency = Latency.of(records)
    if latency is not None:
        say(
            f"accept to visible order: p50 [bold]{latency.p50 * 1_000:.0f} ms[/], "
            f"p99 [bold]{latency.p99 * 1_000:.0f} ms[/] ({latency.samples} orders)"
        )
    say(f"{len(records)} negotiations in {seconds:.1f} s, {len(records) / seconds:.1f} each second")
    say(
        f"acknowledged {verdict.acknowledged}, charged {verdict.charged}, lost {len(verdict.lost)}, "
        f"duplicated {len(verdict.duplicated)}, unexpected {len(verdict.unexpected)}, "
        f"recovered {verdict.recovered}"
    )
    failures = [f"#{r.script.number} {r.script.kind.value}: {r.failure}" for r in records if r.failure]
    for text in [*verdict.findings(), *failures][:SHOWN_FINDINGS]:
        say(f"[red]{escape(text)}[/]")
    if verdict.is_clean and not failures:
        say("[bold green]consistent: each acknowledged accept: one order, charged once, in both timelines[/]")
    else:
        say("[bold red]not as it should be, see above[/]")


def _outcomes(records: Sequence[Record]) -> Table:
    played = Counter(record.script.kind for record in records)
    failed = Counter(record.script.kind for record in records if record.failure)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("outcome")
    table.add_column("played", justify="right")
    table.add_column("failed", justify="right")
    for kind in Kind:
        if played[kind]:
            table.add_row(kind.value, str(played[kind]), f"[red]{failed[kind]}[/]" if failed[kind] else "")
    table.add_row("[bold]all[/]", f"[bold]{len(records)}[/]", str(sum(failed.values()) or ""))
    return table


def _rank(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile of sorted values."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]
