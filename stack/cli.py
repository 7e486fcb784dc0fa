"""The command line of the stack."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from stack import variables
from stack.data_folder import DataFolder
from stack.failure import StackError

_EPILOG: Final = """\
examples:
  python -m stack up                         everything on http://127.0.0.1:8080, data in ./.parley
  python -m stack up --demo                  the same, with the demo marketplace and one negotiation played
  python -m stack up --data-dir b --port 0   a second stack beside the first, on ports that are free
  python -m stack status                     processes, restarts, addresses, memory
  python -m stack exec gating rebuild-metrics
                                             a command of a service, on the database of this stack
  curl -H "Authorization: Bearer $(python -m stack token --as buyer --user ana)" \\
       http://127.0.0.1:8080/v1/sellers/acme/listings

environment:
{variables}
  NO_COLOR                  No colours.
  Every other PARLEY_* variable reaches the services as it is: docs/settings.md lists them.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the demo's own options are added only when it is called."""
    parser = argparse.ArgumentParser(
        prog="python -m stack",
        description="Runs all of Parley on one machine: PostgreSQL, NATS, four services, the HTTP gateway.",
        epilog=_EPILOG.format(variables=variables.as_help()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--data-dir",
        metavar="FOLDER",
        help="where everything is kept (default: PARLEY_DATA_DIR, else ./.parley)",
    )
    _add_up(commands, shared)
    demo = commands.add_parser("demo", parents=[shared], help="load the demo marketplace, play negotiations")
    demo.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _add_token(commands, shared)
    _add_exec(commands, shared)
    secrets = commands.add_parser(
        "secrets",
        help="write the passwords and keys for docker-compose.yml",
        description="Writes the files that docker-compose.yml reads as secrets; what exists is kept.",
    )
    secrets.add_argument("folder", metavar="FOLDER", help="where to, for example .compose")
    for name, text in (
        ("ports", "print every address of the running stack"),
        ("status", "show its processes: state, restarts, address, memory"),
    ):
        command = commands.add_parser(name, parents=[shared], help=text, description=f"{text.capitalize()}.")
        command.add_argument("--json", action="store_true", help="for programs")
    return parser


def _add_up(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    up = commands.add_parser(
        "up",
        parents=[shared],
        help="start everything and stay until Ctrl-C",
        description="Starts everything, restarts what crashes, and stops it in order on Ctrl-C or SIGTERM.",
        epilog="A data folder survives any crash; remove it to start empty.",
    )
    up.add_argument(
        "--port", type=int, metavar="PORT", help="HTTP port of the gateway (default 8080; 0: any free)"
    )
    up.add_argument(
        "--port-base",
        type=int,
        metavar="PORT",
        help="gRPC takes the next four ports, PostgreSQL +32, NATS +42, metrics +101 to +105 "
        "(default 9100, or any free if --port is not 8080; 0: any free)",
    )
    up.add_argument(
        "--demo", action="store_true", help="when ready: load the demo marketplace, play one negotiation"
    )
    up.add_argument("--verbose", action="store_true", help="print every log line of every process")


def _add_token(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    token = commands.add_parser(
        "token",
        parents=[shared],
        help="print a token that the running stack accepts",
        description="Prints a bearer token (a JWT signed by the stack's own issuer).",
    )
    kinds = ("buyer", "seller", "observer", "operator")
    token.add_argument("--as", dest="kind", choices=kinds, required=True, help="whom it speaks for")
    token.add_argument("--user", metavar="ID", help="the user's id (default: one named after the role)")
    token.add_argument(
        "--seller", metavar="ID", help="with --as seller: the seller whose team the user is in"
    )
    token.add_argument(
        "--role", choices=("owner", "agent"), default="owner", help="with --as seller (default: owner)"
    )
    token.add_argument("--observer", metavar="ID", help="with --as observer: the observer")
    token.add_argument("--ttl", type=int, metavar="SECONDS", help="how long it is valid (default: 12 hours)")


def _add_exec(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    command = commands.add_parser(
        "exec",
        parents=[shared],
        help="run a command of a service beside the running stack",
        description="Runs `python -m services.SERVICE COMMAND` on the database of the running stack.",
        epilog="for example: python -m stack exec gating rebuild-metrics",
    )
    command.add_argument("service", metavar="SERVICE", help="gating, orders, offers or messaging")
    command.add_argument(
        "rest", nargs=argparse.REMAINDER, metavar="COMMAND", help="such as dead-letters list; --help for all"
    )


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command; its exit status. Failures that a user can act on are printed without a stack trace."""
    environment = os.environ if environ is None else environ
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["demo"]:
            return _demo(given[1:], environment)
        return _dispatch(build_parser().parse_args(given), environment)
    except StackError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _dispatch(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    if options.command == "secrets":
        return _secrets(Path(options.folder))
    folder = DataFolder.locate(options.data_dir, environ)
    if options.command == "up":
        from stack import up

        chosen = up.Options(options.port, options.port_base, verbose=options.verbose, demo=options.demo)
        return up.run(folder, chosen, environ)
    if options.command == "token":
        return _token(folder, options, environ)
    if options.command == "exec":
        from stack import service_command

        return service_command.run(folder, options.service, options.rest, environ)
    if options.command == "ports":
        return _ports(folder, as_json=options.json)
    return _status(folder, as_json=options.json)


def _token(folder: DataFolder, options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    from stack import keys

    if options.ttl is not None and options.ttl < 1:
        raise StackError("A token must be valid for at least one second.", "For example: --ttl 3600")
    who = keys.identity(
        options.kind, user=options.user, seller=options.seller, role=options.role, observer=options.observer
    )
    # A stack that runs knows its names best: it may have been started with other variables than this shell's.
    state = folder.state() or {}
    print(
        keys.issue(
            folder.issuer_key,
            who,
            ttl_seconds=options.ttl or keys.DEFAULT_TTL_SECONDS,
            issuer=state.get("issuer") or environ.get("PARLEY_AUTH_ISSUER") or keys.ISSUER,
            audience=state.get("audience") or environ.get("PARLEY_AUTH_AUDIENCE") or keys.AUDIENCE,
        )
    )
    return 0


def _secrets(folder: Path) -> int:
    from stack import container_secrets

    written = container_secrets.write(folder)
    print(f"{len(written)} files written to {folder}" if written else f"{folder} has everything")
    return 0


def _ports(folder: DataFolder, *, as_json: bool) -> int:
    from stack import addresses

    found = addresses.as_json(folder.running_state())
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            for part, address in value.items():
                print(f"{name + ' ' + part:<20} {address}")
        else:
            print(f"{name:<20} {value}")
    return 0


def _status(folder: DataFolder, *, as_json: bool) -> int:
    from stack import status

    found = status.collect(folder)
    if as_json:
        print(status.as_json(found))
    else:
        status.print_table(found)
    return 0


def _demo(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Hand over to `stack.demo`, which offers `configure(parser)` and `run(options, stack) -> int`."""
    if importlib.util.find_spec("stack.demo") is None:
        raise StackError("This installation has no demo.", "Use the whole repository.")
    demo = importlib.import_module("stack.demo")
    parser = argparse.ArgumentParser(
        prog="python -m stack demo",
        description="Loads the demo marketplace into the running stack and plays negotiations over HTTP.",
    )
    parser.add_argument("--data-dir", metavar="FOLDER", help="the stack's data folder (default: as for `up`)")
    demo.configure(parser)
    options = parser.parse_args(arguments)
    from stack.addresses import RunningStack

    stack = RunningStack.find(DataFolder.locate(options.data_dir, environ))
    return int(demo.run(options, stack))
