"""The settings of mails and of the translator: what contradicts itself is told before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.config import ConfigError, load
from services.messaging.config import MessagingConfig, SmtpTls, TranslatorKind

IN = "PARLEY_MESSAGING_"
SMTP = "PARLEY_MESSAGING_SMTP_"
TRANSLATOR = "PARLEY_MESSAGING_TRANSLATOR"
LANGUAGES = "PARLEY_MESSAGING_TRANSLATION_LANGUAGES"


def read(folder: Path, **variables: str) -> MessagingConfig:
    jwks = folder / "jwks.json"
    jwks.write_text("{}")
    base = {"PARLEY_MESSAGING_DSN": "postgresql://x", "PARLEY_AUTH_JWKS_FILE": str(jwks)}
    return load(MessagingConfig, "messaging", {**base, **variables})


def test_the_defaults_send_nothing(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.smtp_address, found.mail_folder, found.smtp_tls) == (None, None, SmtpTls.STARTTLS)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.8.8.8"])
def test_mails_travel_in_the_clear_on_the_loopback_only(tmp_path: Path, host: str) -> None:
    read(tmp_path, **{f"{SMTP}ADDRESS": f"{host}:25", f"{SMTP}TLS": "none"})
    read(tmp_path, **{f"{SMTP}ADDRESS": "mail.example:465", f"{SMTP}TLS": "implicit"})
    with pytest.raises(ConfigError, match="SMTP_TLS"):
        read(tmp_path, **{f"{SMTP}ADDRESS": "mail.example:25", f"{SMTP}TLS": "none"})


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({f"{SMTP}ADDRESS": "mail.example:25", "PARLEY_MESSAGING_MAIL_FOLDER": "/tmp/mail"}, "MAIL_FOLDER"),
        ({f"{SMTP}USER": "parley"}, "SMTP_PASSWORD"),
        ({f"{SMTP}PASSWORD": "secret"}, "SMTP_PASSWORD"),
        ({"PARLEY_MESSAGING_PUBLIC_URL": "parley.example"}, "PUBLIC_URL"),
        ({"PARLEY_MESSAGING_PUBLIC_URL": "javascript:alert(1)"}, "PUBLIC_URL"),
        ({"PARLEY_MESSAGING_MAIL_FROM": "Parley <no-reply@parley.example>"}, "MAIL_FROM"),
        ({f"{IN}REPLY_DOMAIN": "reply.example.org"}, "REPLY_KEY"),
        ({f"{IN}REPLY_KEY": "secret" * 10}, "REPLY_KEY"),
        ({f"{IN}REPLY_DOMAIN": "reply.example.org", f"{IN}REPLY_KEY": "secret"}, "REPLY_KEY"),
        ({f"{IN}REPLY_DOMAIN": "Reply@example.org", f"{IN}REPLY_KEY": "secret" * 10}, "REPLY_DOMAIN"),
        ({f"{IN}MAIL_IN_ADDRESS": "127.0.0.1:25"}, "REPLY_DOMAIN"),
        ({f"{IN}MAIL_IN_REQUIRE_TLS": "true"}, "MAIL_IN_CERTIFICATE"),
        ({f"{IN}MAIL_IN_CERTIFICATE": __file__}, "MAIL_IN_PRIVATE_KEY"),
        ({"PARLEY_MESSAGING_MAIL_FROM_NAME": "Parley\nBcc: all@mail.example"}, "MAIL_FROM_NAME"),
        ({TRANSLATOR: "apertium"}, "TRANSLATOR_URL"),
        ({TRANSLATOR: "libretranslate", f"{TRANSLATOR}_URL": "file:///etc/passwd"}, "TRANSLATOR_URL"),
        ({f"{TRANSLATOR}_URL": "http://127.0.0.1:5000"}, "TRANSLATOR"),
        ({LANGUAGES: "en,de,fr,it,es,pt,nl,pl,ja,sv"}, "TRANSLATION_LANGUAGES"),
        ({LANGUAGES: "en,en"}, "TRANSLATION_LANGUAGES"),
        ({LANGUAGES: "en,de-AT"}, "TRANSLATION_LANGUAGES"),
    ],
)
def test_contradictions(tmp_path: Path, variables: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, **variables)
    assert [mistake.variable for mistake in error.value.mistakes] == [f"PARLEY_MESSAGING_{named}"]
    assert "secret" not in str(error.value)


def test_a_translator_and_its_languages(tmp_path: Path) -> None:
    assert read(tmp_path).translator is TranslatorKind.NONE
    assert len(read(tmp_path).translation_languages) == 9
    found = read(
        tmp_path,
        **{TRANSLATOR: "apertium", f"{TRANSLATOR}_URL": "http://apertium:2737", LANGUAGES: "de, en"},
    )
    assert (found.translator, found.translation_languages) == (TranslatorKind.APERTIUM, ("de", "en"))


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    found = read(tmp_path, **{f"{SMTP}USER": "parley", f"{SMTP}PASSWORD_FILE": str(tmp_path / "password")})
    assert found.smtp_password.reveal() == "secret"
    assert "secret" not in repr(found)
