"""The books of the sandbox provider, which know nothing of orders: what was really charged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.kernel.money import Money
from tests.faults.rig import Rig

_CAPTURED = "SELECT key, currency, amount FROM sandbox_charge WHERE outcome = 'CAPTURED'"


@dataclass(frozen=True, slots=True)
class Owed:
    """What may have been taken for a payment: at least and at most so often, this amount."""

    payment: str
    least: int
    most: int
    amount: Money


async def captures(rig: Rig) -> Mapping[str, Sequence[Money]]:
    """What was taken, by the id of the payment: the provider's keys are `{payment}-{attempt}`."""
    found: dict[str, list[Money]] = defaultdict(list)
    for row in await rig.query("orders", _CAPTURED):
        found[row["key"].rpartition("-")[0]].append(Money(row["currency"], row["amount"]))
    return found


def compare(taken: Mapping[str, Sequence[Money]], owed: Sequence[Owed]) -> list[str]:
    """Every difference between what was taken and what was owed; `taken` is what this run added."""
    findings = []
    known = Counter(each.payment for each in owed)
    findings += [f"{payment} was charged, and nobody owed it" for payment in taken if payment not in known]
    for each in owed:
        amounts = taken.get(each.payment, ())
        if not each.least <= len(amounts) <= each.most:
            findings.append(
                f"{each.payment} was charged {len(amounts)} times, owed {each.least} to {each.most}"
            )
        findings += [f"{each.payment} was charged {got}" for got in amounts if got != each.amount]
    return findings
