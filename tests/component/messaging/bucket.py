"""A store of documents that speaks the protocol of S3, over real HTTP: its buckets are folders."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

from localbucket import S3Handler

NAME = "files"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "parley", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-north-1"}
# A connection for each request: what is away answers on none that is left open.
HANDLING = {"protocol_version": "HTTP/1.0", "log_message": lambda *_: None}


@dataclass
class Bucket:
    """The bucket `files` of a folder; it can be away for a while, and come back at the same address."""

    folder: Path
    port: int = 0
    server: ThreadingHTTPServer | None = None
    thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve it."""
        handler = type("Handler", (S3Handler,), {**HANDLING, "data_root": self.folder})
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Be away."""
        if self.server is not None and self.thread is not None:
            self.server.shutdown()
            self.server.server_close()
            self.thread.join()
            self.server = None

    @property
    def url(self) -> str:
        """As a setting."""
        return f"s3://{NAME}/of-parley"

    @property
    def environment(self) -> dict[str, str]:
        """Where the tools of S3 look for their settings."""
        address = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", "AWS_ALLOW_HTTP": "true"}
        return {**CREDENTIALS, **address}


@contextmanager
def served(folder: Path) -> Iterator[Bucket]:
    """An empty bucket."""
    (folder / NAME).mkdir()
    bucket = Bucket(folder)
    bucket.start()
    try:
        yield bucket
    finally:
        bucket.stop()
