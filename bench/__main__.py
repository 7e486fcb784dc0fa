"""`python -m bench [NAME …]`: measures, prints a table, and exits with 1 if a goal was missed."""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from collections.abc import Callable

from bench import desk, listings, messages, renewals, requests, simulation, startup, throughput, visibility
from bench.figures import Figure, show
from bench.rig import Rig, running_stack
from stack.demo.api import Api
from stack.demo.loading import load
from stack.demo.marketplace import read

ON_A_STACK: dict[str, Callable[[Rig], Figure]] = {
    "gate": throughput.evaluate_gate,
    "many": throughput.evaluate_gate_of_many,
    "visible": visibility.accept_to_visible,
    "place": throughput.place_order,
    "listings": listings.list_listings,
    "desk": desk.folders,
    "requests": requests.list_order_requests,
    "simulate": simulation.simulate,
    "renewals": renewals.renew,
    "send": messages.send_message,
    "timeline": messages.list_timeline,
    "watch": messages.watch,
    "memory": startup.memory,
}
ALONE: dict[str, Callable[[], Figure]] = {"start": startup.first_order}


def main() -> int:
    """Measures what is named, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*ALONE, *ON_A_STACK])}")
    names = parser.parse_args().names or [*ALONE, *ON_A_STACK]
    unknown = set(names) - {*ALONE, *ON_A_STACK}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    figures = [measure() for name, measure in ALONE.items() if name in names]
    wanted = [measure for name, measure in ON_A_STACK.items() if name in names]
    if wanted:
        with running_stack() as rig:
            asyncio.run(_load_marketplace(rig))
            for measure in wanted:
                rig.tidy()
                figures.append(measure(rig))
                print(f"measured: {figures[-1].name}: {figures[-1].result}", file=sys.stderr, flush=True)
    print(f"Python {platform.python_version()}, {platform.machine()}\n")
    print(show(figures))
    return 0 if all(figure.reached for figure in figures) else 1


async def _load_marketplace(rig: Rig) -> None:
    async with Api(rig.stack.http, rig.stack.token) as api:
        await load(api, read())


if __name__ == "__main__":
    sys.exit(main())
