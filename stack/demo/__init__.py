"""The demo: a marketplace from a file, one negotiation told step by step, or many at once.

`marketplace.toml` is what is loaded; `story` is the one negotiation; `negotiation`, `audit` and `campaign`
play many and hold what was acknowledged against what is there. All of it goes through the public HTTP API
(`api`).
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from stack.addresses import RunningStack

CONCURRENCY: Final = 16
SEED: Final = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of `python -m stack demo`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--story", action="store_true", help="tell one negotiation step by step (this is the default)"
    )
    what.add_argument(
        "--negotiations",
        type=_positive,
        metavar="N",
        help="play N varied negotiations and check what they left",
    )
    parser.add_argument("--seed", type=int, default=SEED, help=f"what the N are drawn from (default {SEED})")
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=CONCURRENCY,
        metavar="N",
        help=f"how many are played at a time (default {CONCURRENCY})",
    )


def run(options: argparse.Namespace, stack: RunningStack) -> int:
    """Load the marketplace into `stack` and play; 0 if everything went as it should."""
    from stack.demo import playing

    if options.negotiations:
        return playing.many(stack, options.negotiations, seed=options.seed, concurrency=options.concurrency)
    return playing.story(stack)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
