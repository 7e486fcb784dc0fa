"""What a measurement answers, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One number beside its floor and its goal. `details` are for people."""

    name: str
    measured: str
    floor: str
    result: str
    goal: str
    reached: bool
    details: tuple[str, ...] = ()


def spread(values: Sequence[float]) -> str:
    """The median of some rounds and the range in which they lie."""
    return f"{median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def show(figures: Sequence[Figure]) -> str:
    """A table in Markdown, so that it can go into docs/performance.md as it is."""
    lines = ["| figure | measured | floor | result | goal | |", "|---|---|---|---|---|---|"]
    for figure in figures:
        verdict = "reached" if figure.reached else "**missed**"
        cells = (figure.name, figure.measured, figure.floor, figure.result, figure.goal, verdict)
        lines.append(f"| {' | '.join(cells)} |")
    for figure in figures:
        if figure.details:
            lines += ["", f"{figure.name}:", "", *(f"- {detail}" for detail in figure.details)]
    return "\n".join(lines)
