"""The two ways to run the demo against a stack, from the first call to the exit status."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any, Final

from rich.markup import escape

from stack import inspection
from stack.addresses import RunningStack
from stack.data_folder import DEFAULT_NAME
from stack.demo import campaign, scripts
from stack.demo.api import Api, NotYet, Patience, Refused, Unanswered
from stack.demo.audit import audit
from stack.demo.loading import load
from stack.demo.marketplace import Marketplace, read
from stack.demo.narrator import Narrator
from stack.demo.story import BUYER, Story, StoryBroken, Told

JUST_STARTED_SECONDS: Final = 60.0
PATIENCE: Final = Patience(seconds=20.0)
# Its gate follows the hour in Tokyo.
_NIGHTLY: Final = "sellers/kumo/listings/manual-translation/packages/up-to-20-pages"


def story(stack: RunningStack) -> int:
    """Load the marketplace and tell the one negotiation."""
    narrator = Narrator()
    try:
        told = asyncio.run(_tell(stack, narrator))
    except Refused as refusal:
        narrator.say(f"\n[bold red]The story broke off:[/] {escape(str(refusal))}")
        narrator.problem(refusal.document)
        return 1
    except (NotYet, Unanswered, StoryBroken) as error:
        narrator.say(f"\n[bold red]The story broke off:[/] {escape(str(error))}")
        return 1
    _invite(narrator, stack, told)
    return 0


async def _tell(stack: RunningStack, narrator: Narrator) -> Told:
    marketplace = read()
    async with Api(stack.http, stack.token, patience=PATIENCE) as api:
        started = time.monotonic()
        await load(api, marketplace)
        _introduce(narrator, marketplace, seconds=time.monotonic() - started)
        return await Story(api, marketplace, narrator, on_order=lambda: _first_order(stack)).play()


def _first_order(stack: RunningStack) -> str:
    """How long the first negotiated order took, where the stack has just been started for it."""
    seconds = inspection.seconds_since_start(stack.supervisor)
    return f"negotiated order {seconds:.1f} s after the start" if seconds < JUST_STARTED_SECONDS else ""


def many(stack: RunningStack, count: int, *, seed: int, concurrency: int) -> int:
    """Load the marketplace, play `count` negotiations, and check what they left."""
    narrator = Narrator()
    try:
        return asyncio.run(_play_many(stack, narrator, count, seed=seed, concurrency=concurrency))
    except Refused as refusal:
        narrator.problem(refusal.document)
        return 1
    except (NotYet, Unanswered, ValueError) as error:
        narrator.say(f"[bold red]{escape(str(error))}[/]")
        return 1


async def _play_many(
    stack: RunningStack, narrator: Narrator, count: int, *, seed: int, concurrency: int
) -> int:
    marketplace, console = read(), narrator.console
    async with Api(stack.http, stack.token, patience=PATIENCE) as api:
        await load(api, marketplace)
        stalls = await scripts.survey(api, marketplace, api.buyer("surveyor"))
        drawn = scripts.draw(count, seed=seed, stalls=stalls)
        started = time.monotonic()
        with campaign.ProgressLine(console, count) as progress:
            records = await campaign.play_all(api, drawn, concurrency=concurrency, on_end=progress.advance)
        seconds = time.monotonic() - started
        narrator.say("reading everything back ...")
        verdict = await audit(api, records)
    campaign.summarize(console, records, verdict, seconds=seconds)
    return 0 if verdict.is_clean and not any(record.failure for record in records) else 1


def _introduce(narrator: Narrator, marketplace: Marketplace, *, seconds: float) -> None:
    listings = marketplace.listings()
    packages = sum(len(listing.packages) for listing in listings)
    narrator.scene("The marketplace")
    narrator.say(
        f"     {len(marketplace.sellers)} sellers, {len(listings)} listings, {packages} packages, "
        f"loaded in {seconds:.1f} s from stack/demo/marketplace.toml"
    )
    narrator.table(
        "local times of the gate: orders become requests",
        ("seller", "", "time zone", "currency", "gate"),
        [
            (
                seller.id,
                seller.title,
                seller.time_zone,
                seller.listings[0].packages[0].price.currency,
                _gate(seller.settings, entitled=seller.plan == "PREMIUM"),
            )
            for seller in marketplace.sellers
        ],
    )


def _gate(settings: dict[str, object], *, entitled: bool) -> str:
    if not entitled:
        return "set, but not in the plan"
    windows = settings["windows"]
    if not (isinstance(windows, list) and windows):
        return "always on"
    return ", ".join(_window(window) for window in windows)


def _window(window: dict[str, Any]) -> str:
    days = window["days"]
    span = f"{days[0][:3].title()}-{days[-1][:3].title()} " if len(days) < 7 else ""
    return f"{span}{window['start']}-{window['end']}"


def _invite(narrator: Narrator, stack: RunningStack, told: Told) -> None:
    """Links, tokens and three commands; each works as it stands when pasted."""
    buyer, seller = _token_command(stack, "buyer"), _token_command(stack, "seller")
    ana, acme = stack.token("buyer", user=BUYER), stack.token("seller", seller="acme", role="owner")
    narrator.scene("Now you")
    narrator.say("     The console, as the buyer and as the seller, valid for 12 hours:")
    narrator.say(f"{stack.http}/{told.conversation}#token={ana}")
    narrator.say(f"{stack.http}/{told.conversation}#token={acme}")
    narrator.say("\n     The same tokens for a shell:")
    narrator.say(f"export {BUYER.upper()}={ana}")
    narrator.say(f"export ACME={acme}")
    narrator.say("\n     Three commands to try:")
    for title, command in (
        ("her orders", f'-H "Authorization: Bearer $({buyer})" {stack.http}/v1/orders'),
        (
            "the offer's revisions, as the seller",
            f'-H "Authorization: Bearer $({seller})" {stack.http}/v1/{told.offer}/revisions',
        ),
        (
            "what the gate says",
            f'-X POST -H "Authorization: Bearer $({buyer})" {stack.http}/v1/{_NIGHTLY}:evaluateGate',
        ),
    ):
        narrator.say(f"     [dim]# {title}[/]")
        narrator.say(f"curl -sw '\\n' {escape(command)}")


def _token_command(stack: RunningStack, kind: str) -> str:
    who = f"--user {BUYER}" if kind == "buyer" else "--seller acme"
    command = f"{shlex.quote(_short(Path(sys.executable)))} -m stack token --as {kind} {who}"
    if stack.data_dir == (Path.cwd() / DEFAULT_NAME).resolve():
        return command
    return f"{command} --data-dir {shlex.quote(_short(stack.data_dir))}"


def _short(path: Path) -> str:
    try:
        return os.fspath(path.relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(path)
