"""The command line: what it offers, and how it fails."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest

from stack import keys
from stack.cli import build_parser, main


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"    {command} " in text for command in ("up", "demo", "token", "exec", "ports", "status"))
    assert "PARLEY_NATS_URL" in text


@pytest.mark.parametrize("command", ["up", "token", "exec", "ports", "status"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--data-dir" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "rest"), [("ports", []), ("status", []), ("exec", ["gating", "dead-letters", "list"])]
)
def test_without_a_stack_the_way_to_one_is_shown(
    command: str, rest: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--data-dir", str(tmp_path), *rest], {}) == 1
    message = capsys.readouterr().err
    assert "No stack is running" in message
    assert "python -m stack up" in message


def test_a_token_is_printed_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "auth").mkdir()
    keys.ensure(tmp_path / "auth")
    arguments = ["token", "--as", "seller", "--seller", "acme", "--role", "agent", "--ttl", "60"]
    assert main(arguments, {"PARLEY_DATA_DIR": str(tmp_path), "PARLEY_AUTH_ISSUER": "me"}) == 0
    (token,) = capsys.readouterr().out.split()
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["roles"], claims["iss"]) == (
        "users/acme-agent",
        ["seller:acme:agent"],
        "me",
    )
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_needs_a_life(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "--as", "operator", "--ttl", "0", "--data-dir", str(tmp_path)], {}) == 1
    assert "at least one second" in capsys.readouterr().err


def test_up_understands_its_options() -> None:
    options = build_parser().parse_args(["up", "--port", "0", "--port-base", "9300", "--demo", "--verbose"])
    assert (options.port, options.port_base, options.demo, options.verbose) == (0, 9300, True, True)
