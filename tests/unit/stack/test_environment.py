"""What each process is told, and what it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import topology
from stack.data_folder import DataFolder, Secrets
from stack.environment import Environments, External
from stack.failure import StackError
from stack.ports import SERVICES, Ports

SECRETS = Secrets("id", "super", "broker", {service: f"{service}-password" for service in SERVICES})
DSNS = {f"PARLEY_{service.upper()}_DSN": f"postgresql://db/{service}" for service in SERVICES}


def environments(**environ: str) -> Environments:
    folder = DataFolder(Path("/data"))
    return Environments(folder, Ports(8080, 9100), SECRETS, External.of(environ), environ)


def test_a_service_is_told_its_addresses_peers_and_its_own_database() -> None:
    offers = environments(HOME="/home/me").service("offers")
    assert (
        offers["PARLEY_OFFERS_DSN"]
        == "postgresql://parley_offers:offers-password@127.0.0.1:9132/parley_offers"
    )
    assert offers["PARLEY_NATS_URL"] == "nats://parley:broker@127.0.0.1:9142"
    assert offers["PARLEY_OFFERS_GRPC_ADDRESS"] == "127.0.0.1:9103"
    assert offers["PARLEY_OFFERS_METRICS_ADDRESS"] == "127.0.0.1:9203"
    assert offers["PARLEY_ORDERS_TARGET"] == "127.0.0.1:9102"
    assert offers["PARLEY_AUTH_JWKS_FILE"] == "/data/auth/jwks.json"
    assert offers["PARLEY_SERVICE_KEY_FILE"] == "/data/auth/service.pem"
    assert offers["HOME"] == "/home/me"


@pytest.mark.parametrize("given", [{}, DSNS])
@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_told_the_database_of_another(service: str, given: dict[str, str]) -> None:
    found = {name for name in environments(**given).service(service) if name.endswith("_DSN")}
    assert found == {f"PARLEY_{service.upper()}_DSN"}


def test_the_gateway_is_told_no_database() -> None:
    gateway = environments(**DSNS).gateway()
    assert not [name for name in gateway if "DSN" in name]
    assert gateway["PARLEY_GATEWAY_ADDRESS"] == "127.0.0.1:8080"
    assert gateway["PARLEY_GATEWAY_METRICS_ADDRESS"] == "127.0.0.1:9205"


def test_the_servers_are_told_no_secret_of_the_user() -> None:
    server = environments(PATH="/bin", AWS_SECRET="x", PARLEY_LOG_LEVEL="debug").server()
    assert "AWS_SECRET" not in server
    assert server["PATH"] == "/bin"


def test_real_servers_replace_the_embedded_ones() -> None:
    given = {**DSNS, "PARLEY_NATS_URL": "nats://real:4222"}
    orders = environments(**given).service("orders")
    assert orders["PARLEY_ORDERS_DSN"] == "postgresql://db/orders"
    assert orders["PARLEY_NATS_URL"] == "nats://real:4222"
    external = External.of(given)
    assert (external.postgres, external.nats, external.keys) == (True, True, False)
    assert not {"postgres", "nats"} & set(external.roles())
    assert "offers metrics" in external.roles()


def test_a_dsn_may_come_from_a_file() -> None:
    given = {f"{name}_FILE": "/run/secret" for name in DSNS}
    assert External.of(given).postgres
    orders = environments(**given).service("orders")
    assert orders["PARLEY_ORDERS_DSN_FILE"] == "/run/secret"
    assert "PARLEY_ORDERS_DSN" not in orders


def test_some_databases_but_not_all_is_a_mistake_that_names_the_rest() -> None:
    with pytest.raises(StackError) as caught:
        External.of({"PARLEY_ORDERS_DSN": "postgresql://db/orders"})
    assert "missing: PARLEY_GATING_DSN, PARLEY_OFFERS_DSN, PARLEY_MESSAGING_DSN" in caught.value.message


def test_keys_of_another_issuer_come_in_pairs() -> None:
    with pytest.raises(StackError, match="missing: PARLEY_SERVICE_KEY_FILE"):
        External.of({"PARLEY_AUTH_JWKS_FILE": "/keys/jwks.json"})
    given = {"PARLEY_AUTH_JWKS_FILE": "/keys/jwks.json", "PARLEY_SERVICE_KEY_FILE": "/keys/service.pem"}
    assert environments(**given).service("orders")["PARLEY_AUTH_JWKS_FILE"] == "/keys/jwks.json"


def test_an_inherited_address_does_not_win_over_the_stack() -> None:
    offers = environments(PARLEY_OFFERS_GRPC_ADDRESS="0.0.0.0:1", PARLEY_NATS_URL_FILE="").service("offers")
    assert offers["PARLEY_OFFERS_GRPC_ADDRESS"] == "127.0.0.1:9103"
    assert "PARLEY_NATS_URL_FILE" not in offers


def test_other_settings_reach_the_services() -> None:
    offers = environments(PARLEY_LOG_LEVEL="debug", PARLEY_SHUTDOWN_SECONDS="3").service("offers")
    assert offers["PARLEY_LOG_LEVEL"] == "debug"
    assert offers["PARLEY_SHUTDOWN_SECONDS"] == "3"


def test_the_supervisor_waits_longer_than_a_process_was_given_to_stop(tmp_path: Path) -> None:
    file = tmp_path / "seconds"
    file.write_text("40\n", "utf-8")
    by_file = {"PARLEY_SHUTDOWN_SECONDS_FILE": str(file)}
    for given, name, told, grace in (
        ({}, "orders", "12", 15.0),
        ({"PARLEY_SHUTDOWN_SECONDS": "60"}, "gateway", "60", 63.0),
        ({"PARLEY_SHUTDOWN_SECONDS": "60", "PARLEY_ORDERS_SHUTDOWN_SECONDS": "0"}, "orders", "60", 3.0),
        ({"PARLEY_SHUTDOWN_SECONDS": "soon"}, "orders", "soon", 15.0),
        (by_file, "orders", None, 43.0),
        ({"PARLEY_SHUTDOWN_SECONDS_FILE": "/nowhere"}, "orders", None, 15.0),
    ):
        made = environments(**given)
        programs = {program.name: program for program in topology.services(Ports(8080, 9100), made)}
        programs["gateway"] = topology.gateway(Ports(8080, 9100), made)
        assert programs[name].command.environment.get("PARLEY_SHUTDOWN_SECONDS") == told
        assert programs[name].stop_grace_seconds == grace


def test_mails_go_into_the_data_folder_unless_a_server_is_named() -> None:
    found = environments().service("messaging")
    assert found["PARLEY_MESSAGING_MAIL_FOLDER"] == "/data/mail"
    assert found["PARLEY_MESSAGING_PUBLIC_URL"] == "http://127.0.0.1:8080"
    assert found["PARLEY_MESSAGING_MAIL_IN_ADDRESS"] == "127.0.0.1:9207"
    assert len(found["PARLEY_MESSAGING_REPLY_KEY"]) >= 32
    assert "PARLEY_MESSAGING_MAIL_FOLDER" not in environments().service("orders")
    real = {"PARLEY_MESSAGING_SMTP_ADDRESS": "mail.example:587", "PARLEY_PUBLIC_URL": "https://p.example"}
    found = environments(**real).service("messaging")
    assert "PARLEY_MESSAGING_MAIL_FOLDER" not in found
    assert "PARLEY_MESSAGING_MAIL_IN_ADDRESS" not in found
    assert "PARLEY_MESSAGING_PUBLIC_URL" not in found
