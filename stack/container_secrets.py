"""The files that docker-compose.yml hands to its containers: passwords, addresses with passwords, keys.

A container sees each file alone, with the mode that it has here, and reads it as a user whom this machine
does not know. So the files are readable by all, and the folder around them by its owner only.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Final

from stack import keys
from stack.data_folder import write_atomically
from stack.failure import StackError
from stack.nats_server import USER as NATS_USER
from stack.ports import DEFAULT_BASE, SERVICES, Ports

POSTGRES_HOST: Final = "postgres"
NATS_HOST: Final = "nats"
MAIL_HOST: Final = "mail"
_PASSWORD_BYTES: Final = 24
_READABLE: Final = 0o644
_NATS: Final = """\
listen: "0.0.0.0:{port}"
max_payload: 1MB
authorization {{ user: {user}, password: {password} }}
jetstream {{
  store_dir: "/data"
  # The default of two minutes loses acknowledged messages when the machine loses power.
  sync_interval: always
}}
"""


def write(folder: Path) -> list[Path]:
    """Write what is missing into `folder` and return what was written. StackError if that is forbidden.

    What exists is kept: the databases in their volumes know the passwords that they were made with.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / "auth").mkdir(mode=0o700, exist_ok=True)
        written = [*_passwords(folder), *_mail_certificate(folder)]
        keys.ensure(folder / "auth")
        (folder / "auth" / "service.pem").chmod(_READABLE)
    except OSError as error:
        raise StackError(
            f"{folder} cannot be written: {error.strerror}.", "Choose another folder."
        ) from error
    return written


def _passwords(folder: Path) -> list[Path]:
    ports, written = Ports(0, DEFAULT_BASE), []

    def keep(name: str, content: str) -> str:
        path = folder / name
        if not path.exists():
            write_atomically(path, content, mode=_READABLE)
            written.append(path)
        return path.read_text("utf-8")

    keep("postgres_password", _password())
    for service in SERVICES:
        password = keep(f"{service}_password", _password())
        role = f"parley_{service}"
        keep(f"{service}_dsn", f"postgresql://{role}:{password}@{POSTGRES_HOST}:{ports['postgres']}/{role}")
    keep("reply_key", _password())
    # The URL holds the password, from which the configuration follows.
    url = keep("nats_url", f"nats://{NATS_USER}:{_password()}@{NATS_HOST}:{ports['nats']}")
    password = url.removeprefix(f"nats://{NATS_USER}:").partition("@")[0]
    keep("nats.conf", _NATS.format(port=ports["nats"], user=NATS_USER, password=json.dumps(password)))
    return written


def _mail_certificate(folder: Path) -> list[Path]:
    """For the mail catcher, which messaging trusts by this very certificate."""
    paths = [folder / "mail_certificate", folder / "mail_key"]
    if all(path.exists() for path in paths):
        return []
    # As the keys: the library behind it takes a while to load.
    from stack import certificates

    for path, content in zip(paths, certificates.self_signed(MAIL_HOST), strict=True):
        write_atomically(path, content, mode=_READABLE)
    return paths


def _password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)
