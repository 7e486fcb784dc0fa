"""What a run under faults found, in Jepsen's words."""

from __future__ import annotations

from dataclasses import dataclass, field

from stack.demo.audit import Audit

SHOWN = 20


@dataclass(slots=True)
class Report:
    """One scenario.

    `verdict` counts acknowledged, lost, duplicated, unexpected and recovered orders (recovered: done, though
    the answer was lost). `faults` says how many seconds each took until everything was ready again, `booked`
    how many charges the books of the provider hold, `findings` what no other count covers, `given_up` the
    dead letters.
    """

    title: str
    verdict: Audit = field(default_factory=Audit)
    seconds: float = 0.0
    booked: int = 0
    faults: list[tuple[str, float]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Everything that is not as it should be."""
        return [*self.verdict.findings(), *self.findings, *(f"given up: {each}" for each in self.given_up)]

    def lines(self) -> list[str]:
        """For people."""
        v = self.verdict
        counts = (
            f"acknowledged {v.acknowledged}, lost {len(v.lost)}, unexpected {len(v.unexpected)}, "
            f"duplicated {len(v.duplicated)}, recovered {v.recovered}; charged {v.charged}, "
            f"in the provider's books {self.booked}; other findings {len(self.findings)}"
        )
        faults = [f"  {name}: recovered after {seconds:.1f} s" for name, seconds in self.faults]
        return [
            f"{self.title}: {v.negotiations} negotiations in {self.seconds:.0f} s",
            f"  {counts}",
            *faults,
            *(f"  {note}" for note in self.notes),
            *(f"  given up: {letter}" for letter in self.given_up[:SHOWN]),
            *(f"  FOUND {text}" for text in [*self.verdict.findings(), *self.findings][:SHOWN]),
        ]
