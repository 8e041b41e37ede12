"""A real web server of static files, with ETags and gzip, that can be told to misbehave."""

import gzip
import hashlib
import http.server
from collections.abc import Callable
from pathlib import Path

Answerer = Callable[["Handler"], None]
LONG_AGO = "Thu, 01 Jan 2026 00:00:00 GMT"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.folder`, knows single ranges, and lets a test answer a path itself."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range", "")))
        self.server.conditions.append(self.headers.get("If-None-Match", ""))
        answerer = self.server.answers.get(self.path)
        if answerer is not None:
            answerer(self)
            return
        path = self.server.folder / self.path.lstrip("/")
        if not path.is_file():
            self.reply(404, b"no such file")
            return
        data, asked = path.read_bytes(), self.headers.get("Range", "")
        etag = f'"{hashlib.sha256(data).hexdigest()}"'
        if self.headers.get("If-None-Match") == etag:
            self.reply(304, b"")
            return
        if not asked:
            headers = {"ETag": etag, "Last-Modified": LONG_AGO}
            takes = self.headers.get("Accept-Encoding")
            if self.server.packs and takes == "gzip" and path.suffix == ".json":
                data, headers["Content-Encoding"] = gzip.compress(data), "gzip"
            self.reply(200, data, headers)
            return
        first = int(asked.removeprefix("bytes=").rstrip("-"))
        if first >= len(data):
            self.reply(416, b"")
            return
        spread = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}
        self.reply(206, data[first:], spread)

    def reply(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        declared: int | None = None,
    ) -> None:
        """Answer; a `declared` length beyond the body's breaks the connection off."""
        self.send_response(status)
        length = len(body) if declared is None else declared
        for name, value in {"Content-Length": str(length), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length != len(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep the tests' output quiet."""


class Server(http.server.ThreadingHTTPServer):
    """A static web server on a free port of the loopback."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        self.conditions: list[str] = []
        self.packs = True
        self.answers: dict[str, Answerer] = {}

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"
