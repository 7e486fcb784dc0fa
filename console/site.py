"""The files of the console and the paths at which a browser finds them.

Every page is the same document, the shell; a script in it looks at the address and shows what belongs
there. All other files lie below a path that carries a digest of all of them: a browser keeps them for ever,
modules find each other by relative imports, and no page ever mixes two versions.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

BASE: Final = "/console"
LANGUAGES: Final = ("en", "de", "fr", "it", "es")
PAGES: Final = (
    (re.compile(r"/console/?"), "/console"),
    (re.compile(r"/conversations/[A-Za-z0-9-]{1,100}"), "/conversations/{conversation}"),
    (re.compile(r"/profile"), "/profile"),
    (re.compile(r"/verify-email"), "/verify-email"),
    (re.compile(r"/act"), "/act"),
)
"""The paths of the shell, and what to call them. `files/app.js` knows what each of them shows."""
ENTRY: Final = "app.js"
TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}
# No script but those files, no connection but to this origin, no string that is read as markup.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_DIGEST_DIGITS: Final = 12
_ASSET: Final = re.compile(
    rf"{BASE}/(?P<version>[0-9a-f]{{{_DIGEST_DIGITS}}})/(?P<name>[a-z][a-z0-9-]*\.[a-z]+)"
)
_IMPORT: Final = re.compile(r"""^(?:import|export)\b[^;]*?["']\./([a-z0-9-]+\.js)["'];""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is answered.

    `label` stands for its path in metrics, `packed` is the body for whoever takes gzip, `etag` is quoted.
    """

    label: str
    body: bytes
    packed: bytes
    content_type: str
    etag: str
    is_immutable: bool


class Site:
    """All files, in memory: they are few and small."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        """`sources` by name: `shell.html`, the entry and whatever they lead to. KeyError without them."""
        digest = hashlib.sha256()
        for name, body in sorted(sources.items()):
            digest.update(f"{name} {len(body)}\n".encode() + body)
        self.version = digest.hexdigest()[:_DIGEST_DIGITS]
        self._files = {
            name: _asset(f"{BASE}/{{file}}", name, body, is_immutable=True)
            for name, body in sources.items()
            if name != "shell.html"
        }
        links = "".join(
            f'<link rel="modulepreload" href="{self.path(name)}">\n' for name in modules(sources, ENTRY)
        )
        shell = sources["shell.html"].decode().replace("<!-- modules -->\n", links)
        shell = shell.replace("{base}", f"{BASE}/{self.version}")
        self._pages = {
            label: _asset(label, "shell.html", shell.encode(), is_immutable=False) for _, label in PAGES
        }

    def path(self, name: str) -> str:
        """Where the file of that name is served."""
        return f"{BASE}/{self.version}/{name}"

    def find(self, path: str) -> Asset | None:
        """What is served at a path; None where nothing is."""
        if (found := _ASSET.fullmatch(path)) is not None:
            return self._files.get(found["name"]) if found["version"] == self.version else None
        for pattern, label in PAGES:
            if pattern.fullmatch(path):
                return self._pages[label]
        return None


def modules(sources: Mapping[str, bytes], first: str) -> list[str]:
    """A module and all that it imports before it runs, each once; what it imports later is left out."""
    found: dict[str, None] = {}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += reversed(_IMPORT.findall(sources[name].decode()))
    return list(found)


def read_sources() -> Mapping[str, bytes]:
    """The files by name, as they are in this package."""
    return dict(_read())


def read_site() -> Site:
    """The site of the files in this package."""
    return Site(read_sources())


def _read() -> Iterator[tuple[str, bytes]]:
    for entry in (files("console") / "files").iterdir():
        if entry.name.rpartition(".")[2] in TYPES:
            yield entry.name, entry.read_bytes()


def _asset(label: str, name: str, body: bytes, *, is_immutable: bool) -> Asset:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    # Without a time of its own, so that the same bytes are packed into the same bytes.
    packed = gzip.compress(body, mtime=0)
    return Asset(label, body, packed, TYPES[name.rpartition(".")[2]], etag, is_immutable)
