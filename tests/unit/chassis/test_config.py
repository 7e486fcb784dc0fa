from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import pytest

from chassis import config
from chassis.config import Address, ConfigError, Secret, ServiceConfig, StorageConfig, setting


class Mode(StrEnum):
    FAST = "fast"
    SAFE = "safe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig:
    dsn: Secret = setting(shape="postgresql://...", hint="Ask the operator")
    address: Address = setting(Address("127.0.0.1", 9101))
    limit: int = setting(10, minimum=1, maximum=20)
    ratio: float = setting(0.5, minimum=0)
    enabled: bool = setting(False)
    mode: Mode = setting(Mode.FAST)
    origins: tuple[str, ...] = setting(())
    key_file: Path | None = setting(None, must_exist=True)
    offers_target: Address = setting(Address("127.0.0.1", 9103))


MINIMAL = {"PARLEY_PROBE_DSN": "postgresql://u:p@h/d"}


def loaded(environment: dict[str, str]) -> ProbeConfig:
    return config.load(ProbeConfig, "probe", MINIMAL | environment)


def mistakes(environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.load(ProbeConfig, "probe", environment)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_defaults_hold_where_nothing_is_set() -> None:
    settings = loaded({})
    assert settings.address == Address("127.0.0.1", 9101)
    assert (settings.limit, settings.mode, settings.origins, settings.key_file) == (10, Mode.FAST, (), None)


def test_every_type_is_read() -> None:
    settings = loaded(
        {
            "PARLEY_PROBE_ADDRESS": "[::1]:80",
            "PARLEY_PROBE_LIMIT": "20",
            "PARLEY_PROBE_RATIO": "1.5",
            "PARLEY_PROBE_ENABLED": "Yes",
            "PARLEY_PROBE_MODE": "safe",
            "PARLEY_PROBE_ORIGINS": "a, b,,",
        }
    )
    assert settings.address == Address("::1", 80)
    assert str(settings.address) == "[::1]:80"
    assert (settings.limit, settings.ratio, settings.enabled, settings.mode) == (20, 1.5, True, Mode.SAFE)
    assert settings.origins == ("a", "b")


def test_the_variable_of_the_service_wins_over_the_shared_one() -> None:
    assert loaded({"PARLEY_LIMIT": "3"}).limit == 3
    assert loaded({"PARLEY_LIMIT": "3", "PARLEY_PROBE_LIMIT": "4"}).limit == 4


def test_a_secret_may_lie_in_a_file_and_never_shows(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://u:hidden@h/d\n", "utf-8")
    settings = config.load(ProbeConfig, "probe", {"PARLEY_PROBE_DSN_FILE": str(file)})
    assert settings.dsn.reveal() == "postgresql://u:hidden@h/d"
    assert "hidden" not in repr(settings)


def test_all_mistakes_are_reported_at_once_with_name_shape_and_hint(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    found = mistakes(
        {
            "PARLEY_PROBE_LIMIT": "21",
            "PARLEY_PROBE_RATIO": "nan",
            "PARLEY_PROBE_ENABLED": "perhaps",
            "PARLEY_PROBE_MODE": "slow",
            "PARLEY_PROBE_ADDRESS": "here:99999",
            "PARLEY_PROBE_KEY_FILE": missing,
            "PARLEY_PROBE_LIMITS": "1",
        }
    )
    assert found == [
        "PARLEY_PROBE_DSN: is not set; expected postgresql://.... Ask the operator",
        (
            "PARLEY_PROBE_ADDRESS: has the port '99999', which is not a number from 0 to 65535 "
            "('here:99999'); expected host:port"
        ),
        "PARLEY_PROBE_LIMIT: is above 20 ('21'); expected a whole number from 1 to 20",
        "PARLEY_PROBE_RATIO: is not a number ('nan'); expected a number from 0",
        "PARLEY_PROBE_ENABLED: is neither true nor false ('perhaps'); expected true or false",
        "PARLEY_PROBE_MODE: is not one of the values ('slow'); expected one of fast, safe",
        f"PARLEY_PROBE_KEY_FILE: names nothing that exists ({missing[:80]!r}); expected a path",
        (
            "PARLEY_PROBE_LIMITS: is not a setting of this service; expected a known variable. "
            "Did you mean PARLEY_PROBE_LIMIT?"
        ),
    ]


def test_a_value_given_twice_or_from_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    twice = mistakes({**MINIMAL, "PARLEY_PROBE_DSN_FILE": str(tmp_path)})
    assert "is set twice" in twice[0]
    unreadable = mistakes({"PARLEY_PROBE_DSN_FILE": str(tmp_path / "missing")})
    assert "cannot be read (No such file or directory)" in unreadable[0]
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert "not UTF-8 text" in mistakes({"PARLEY_PROBE_DSN_FILE": str(binary)})[0]


def test_an_empty_secret_is_not_a_secret() -> None:
    assert "is empty" in mistakes({"PARLEY_PROBE_DSN": ""})[0]


def test_how_others_dial_this_service_is_no_mistake_of_it() -> None:
    assert loaded({"PARLEY_PROBE_TARGET": "127.0.0.1:1"}).limit == 10


def test_a_command_that_only_looks_after_data_needs_the_database_alone() -> None:
    environment = {**MINIMAL, "PARLEY_PROBE_GRPC_ADDRESS": "127.0.0.1:1"}
    assert config.load(StorageConfig, "probe", environment, whole=False).dsn.reveal().startswith("postgresql")
    with pytest.raises(ConfigError, match="PARLEY_PROBE_AUTH_JWKS_FILE: is not set"):
        config.load(ServiceConfig, "probe", environment)


def test_peers_are_the_fields_that_end_in_target(tmp_path: Path) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class WithPeers(ServiceConfig):
        offers_target: Address = setting(Address("127.0.0.1", 9103))

    jwks = tmp_path / "jwks.json"
    jwks.touch()
    environment = {**MINIMAL, "PARLEY_AUTH_JWKS_FILE": str(jwks), "PARLEY_OFFERS_TARGET": "offers:9103"}
    assert config.load(WithPeers, "probe", environment).targets() == {"offers": "offers:9103"}
