"""The command line of a service: `python -m services.<name> [run | migrate | republish | dead-letters]`, and
what commands the service itself defines.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Never, TypeVar

from chassis import config as settings
from chassis import migrations, telemetry
from chassis.auth import KeyFileError
from chassis.background import BackgroundFailure
from chassis.bus import Bus
from chassis.config import ConfigError, StorageConfig
from chassis.db import Database
from chassis.dead_letters import DeadLetter, DeadLetters
from chassis.host import Definition, Host, Runtime, Service, UpkeepCommand
from chassis.inbox import Undecodable
from chassis.kernel.clock import SystemClock
from chassis.kernel.ids import UuidV7
from chassis.kernel.refusal import Refusal
from chassis.opening import StartError, open_database
from chassis.outbox import Relay
from chassis.server import AddressTaken

__all__ = ["Definition", "Runtime", "Service", "UpkeepCommand", "main"]

MISCONFIGURED = 2
FAILED = 1
DONE = 0
COMMAND_START_SECONDS = 5.0

T = TypeVar("T")

_log = telemetry.logger("serve")


def main(definition: Definition[Any], arguments: Sequence[str] | None = None) -> Never:
    """Run the command that the arguments name, and exit: 0 done, 1 failed, 2 wrong settings or arguments."""
    options = _parser(definition).parse_args(arguments)
    # A command that prints its result says everything else on standard error.
    telemetry.configure_logging(definition.name, "error", stream=sys.stderr)
    try:
        code = options.command(definition, options)
    except ConfigError as error:
        print(error, file=sys.stderr, flush=True)
        code = MISCONFIGURED
    except (StartError, KeyFileError, AddressTaken, migrations.MigrationError) as error:
        print(f"{definition.name}: {error}", file=sys.stderr, flush=True)
        code = FAILED
    except Refusal as refusal:
        print(f"{definition.name}: {refusal.message} ({refusal.reason})", file=sys.stderr, flush=True)
        code = FAILED
    sys.exit(code)


def _parser(definition: Definition[Any]) -> argparse.ArgumentParser:
    name = definition.name
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{name}", description=f"The {name} service of Parley."
    )
    parser.set_defaults(command=_run)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    commands.add_parser("run", help="serve until SIGTERM (the default)").set_defaults(command=_run)
    migrate = commands.add_parser("migrate", help="bring the database to the newest schema")
    migrate.add_argument("--to", default="head", metavar="REVISION", help="stop at this revision")
    migrate.set_defaults(command=_migrate)
    republish = commands.add_parser("republish", help="publish kept events once more")
    republish.add_argument(
        "--since", type=_instant, metavar="TIME", help="ISO 8601; without it, all that are kept"
    )
    republish.set_defaults(command=_republish)
    letters = commands.add_parser("dead-letters", help="events that could not be taken in")
    actions = letters.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", help="all of them, the oldest first").set_defaults(command=_list_letters)
    for action, command, text in (
        ("show", _show_letter, "print one with its headers and body"),
        ("replay", _replay_letter, "take it in again, and remove it once that succeeds"),
        ("drop", _drop_letter, "give it up for good"),
    ):
        one = actions.add_parser(action, help=text)
        one.add_argument("consumer", help="for example orders-on-offers")
        one.add_argument("event_id")
        one.set_defaults(command=command)
    for own in definition.commands:
        commands.add_parser(own.name, help=own.help).set_defaults(command=_look_after, upkeep=own)
    return parser


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


# -------------------------------------------------------------------------------- run


def _run(definition: Definition[Any], _options: argparse.Namespace) -> int:
    import uvloop

    config = settings.load(definition.config, definition.name)
    _check_log_level(definition.name, config.log_level)
    telemetry.configure_logging(definition.name, config.log_level)
    try:
        telemetry.configure_tracing(definition.name, config.otlp_endpoint)
        return uvloop.run(_serve(Host(definition, config)))
    except telemetry.TracingUnavailable as error:
        raise StartError(str(error)) from error
    finally:
        telemetry.stop_recording()


async def _serve(host: Host[Any]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    starting = asyncio.create_task(_started(host))
    stopping = asyncio.create_task(stop.wait())
    failed = asyncio.create_task(host.background.failed())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
        await asyncio.wait([stopping, failed], return_when=asyncio.FIRST_COMPLETED)
    for task in (stopping, failed):
        task.cancel()
    failure: BackgroundFailure | None = None
    if failed.done() and not failed.cancelled():
        failure = failed.result()
        _log.error("giving_up", reason=str(failure))
    await host.stop()
    return DONE if failure is None else FAILED


async def _started(host: Host[Any]) -> None:
    await host.start()
    # What is there now stays: the collector need not walk through it again and again.
    gc.collect()
    gc.freeze()


def _check_log_level(name: str, level: str) -> None:
    if level not in telemetry.LOG_LEVELS:
        mistake = settings.Mistake(
            settings.variables(name, "log_level")[0],
            f"is no level ({level!r})",
            "one of " + ", ".join(telemetry.LOG_LEVELS),
        )
        raise ConfigError(name, (mistake,))


# -------------------------------------------------------------------------------- looking after data


def _migrate(definition: Definition[Any], options: argparse.Namespace) -> int:
    config = settings.load(StorageConfig, definition.name, whole=False)
    try:
        revision = asyncio.run(migrations.upgrade(definition.migrations, config.dsn.reveal(), options.to))
    except (OSError, ValueError) as error:
        raise StartError(f"the database cannot be reached ({type(error).__name__})") from error
    print(f"{definition.name}: the schema is at {revision}", flush=True)
    return DONE


def _republish(definition: Definition[Any], options: argparse.Namespace) -> int:
    async def work(database: Database, nats_url: str) -> int:
        clock = SystemClock()
        bus = await Bus.connect(nats_url, name=f"parley-{definition.name}-republish")
        try:
            return await Relay(database, bus, clock, producer=definition.name).republish(options.since)
        finally:
            await bus.close()

    count = _with_database(definition, work)
    print(f"{definition.name}: {count} events will be published again by the running service", flush=True)
    return DONE


def _list_letters(definition: Definition[Any], _options: argparse.Namespace) -> int:
    async def work(database: Database, _nats_url: str) -> Sequence[DeadLetter]:
        return await DeadLetters(database).list()

    letters = _with_database(definition, work)
    for letter in letters:
        print(
            f"{letter.create_time.isoformat(timespec='seconds')}  {letter.consumer}  {letter.event_id}  "
            f"{letter.type or letter.subject}  {letter.deliveries} deliveries  {letter.reason}"
        )
    print(f"{definition.name}: {len(letters)} dead letters", file=sys.stderr, flush=True)
    return DONE


def _show_letter(definition: Definition[Any], options: argparse.Namespace) -> int:
    async def work(database: Database, _nats_url: str) -> DeadLetter:
        return await DeadLetters(database).show(options.consumer, options.event_id)

    letter = _with_database(definition, work)
    shown = {
        "consumer": letter.consumer,
        "event_id": letter.event_id,
        "subject": letter.subject,
        "reason": letter.reason,
        "deliveries": letter.deliveries,
        "create_time": letter.create_time.isoformat(),
        "headers": dict(letter.headers),
        "body_base64": base64.b64encode(letter.body).decode(),
    }
    print(json.dumps(shown, indent=2), flush=True)
    return DONE


def _drop_letter(definition: Definition[Any], options: argparse.Namespace) -> int:
    async def work(database: Database, _nats_url: str) -> None:
        await DeadLetters(database).drop(options.consumer, options.event_id)

    _with_database(definition, work)
    print(f"{definition.name}: dropped {options.event_id}", flush=True)
    return DONE


def _replay_letter(definition: Definition[Any], options: argparse.Namespace) -> int:
    config = settings.load(definition.config, definition.name)

    async def work() -> None:
        host = Host(definition, config, start_seconds=COMMAND_START_SECONDS)
        await host.open()
        try:
            known = {reactions.consumer: reactions for reactions in host.reactions.values()}
            if options.consumer not in known:
                raise StartError(f"{options.consumer} is no consumer; there are {', '.join(sorted(known))}")
            redo = known[options.consumer].redo
            await DeadLetters(host.database).replay(options.consumer, options.event_id, redo)
        except Undecodable as error:
            raise StartError(f"it can never be taken in: {error}") from error
        finally:
            await host.stop()

    asyncio.run(work())
    print(f"{definition.name}: {options.event_id} was taken in", flush=True)
    return DONE


def _look_after(definition: Definition[Any], options: argparse.Namespace) -> int:
    upkeep: UpkeepCommand = options.upkeep
    said = _with_database(definition, lambda database, _nats_url: upkeep.work(database))
    print(f"{definition.name}: {said}", flush=True)
    return DONE


def _with_database(definition: Definition[Any], work: Callable[[Database, str], Awaitable[T]]) -> T:
    """What `work` answers for the database of the service, whose other settings are not needed."""
    config = settings.load(StorageConfig, definition.name, whole=False)

    async def run() -> T:
        clock = SystemClock()
        encode = definition.encoder(UuidV7(clock), clock)
        database = await open_database(
            definition, config, clock=clock, encode=encode, seconds=COMMAND_START_SECONDS
        )
        try:
            return await work(database, config.nats_url)
        finally:
            await database.close()

    return asyncio.run(run())
