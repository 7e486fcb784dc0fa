"""What `python -m stack secrets` writes, against what docker-compose.yml reads."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from stack.cli import main
from stack.container_secrets import write


def test_every_secret_of_the_compose_file_is_written(tmp_path: Path, repository: Path) -> None:
    text = (repository / "docker-compose.yml").read_text("utf-8")
    wanted = re.findall(r"\{file: \./\.compose/([^}]+)\}", text)
    assert wanted
    write(tmp_path)
    for name in wanted:
        # A container reads its file as a user whom this machine does not know.
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o644, name
    assert (tmp_path / "auth" / "issuer.pem").stat().st_mode & 0o777 == 0o600
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_passwords_fit_together_and_stay(tmp_path: Path) -> None:
    write(tmp_path)
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    password = (tmp_path / "offers_password").read_text()
    dsn = (tmp_path / "offers_dsn").read_text()
    assert dsn == f"postgresql://parley_offers:{password}@postgres:9132/parley_offers"
    nats_password = (tmp_path / "nats_url").read_text().split(":")[2].partition("@")[0]
    assert nats_password in (tmp_path / "nats.conf").read_text()
    assert len({path.read_text() for path in tmp_path.glob("*_password")}) == 5
    assert write(tmp_path) == []
    assert {path: path.read_bytes() for path in first} == first


def test_the_mail_catcher_gets_a_certificate_for_its_name(tmp_path: Path) -> None:
    write(tmp_path)
    certificate = x509.load_pem_x509_certificate((tmp_path / "mail_certificate").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "mail_certificate", tmp_path / "mail_key")
    ssl.create_default_context(cafile=str(tmp_path / "mail_certificate"))


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "compose"
    assert main(["secrets", str(folder)], {}) == 0
    assert "14 files written" in capsys.readouterr().out
    assert main(["secrets", str(folder)], {}) == 0
    assert "has everything" in capsys.readouterr().out
