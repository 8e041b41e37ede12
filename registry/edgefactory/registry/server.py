"""A plain static server for a published tree, for the demo and for tests.

It serves files and nothing else: GET and HEAD, no listing, no dot files, no links out of the
tree; one byte range, so that a broken download can go on. In production any web server does.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from edgefactory.datasets.errors import InputError

log = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 16
IDLE_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A server at work; it ends with its `with` block."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The tree's base URL, without a final slash."""
        return f"http://{self.host}:{self.port}"


@contextlib.contextmanager
def serve(published: Path, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """Serve the folder `published` while the block runs; port 0 takes a free one.

    Raises InputError when there is no such folder or the port is in use.
    """
    if not published.is_dir():
        raise InputError(f"{published} is not a folder; publish a release there first")
    try:
        server = _Server((host, port), partial(_Handler, published.resolve()))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot serve on {host}:{port}: {reason}; choose another port") from error
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Server(host, int(server.server_address[1]))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # One publisher a port: a second server on it is an error, never a silent neighbour.
    allow_reuse_port = False

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A client that hangs up is no news; anything else goes to the log, not to the terminal."""
        log.debug("request from %s failed", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "edgefactory"
    sys_version = ""
    timeout = IDLE_SECONDS

    def __init__(self, root: Path, *args: object) -> None:
        self._root = root
        super().__init__(*args)  # type: ignore[arg-type]  # (request, address, server), as given

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (inherited name)
        """Say nothing: the demo's terminal belongs to the demo."""

    def _answer(self, with_body: bool) -> None:
        path = self._path()
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as file, contextlib.suppress(ConnectionError, TimeoutError):
            size = path.stat().st_size
            start, end = self._range(size)
            partial_content = (start, end) != (0, size)
            self.send_response(HTTPStatus.PARTIAL_CONTENT if partial_content else HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(end - start))
            self.send_header("Accept-Ranges", "bytes")
            if partial_content:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            self.end_headers()
            if with_body:
                file.seek(start)
                self._send(file, end - start)

    def _path(self) -> Path | None:
        relative = PurePosixPath(unquote(urlsplit(self.path).path).lstrip("/"))
        if any(part.startswith(".") or "\0" in part for part in relative.parts):
            return None
        try:
            path = (self._root / relative).resolve()
            return path if path.is_relative_to(self._root) and path.is_file() else None
        except OSError:  # a name that is too long, or a circle of links
            return None

    def _range(self, size: int) -> tuple[int, int]:
        """The bytes that are asked for; a range that cannot be served is ignored, as is allowed."""
        found = re.fullmatch(r"bytes=(\d{1,18})-(\d{0,18})", self.headers.get("Range", ""))
        if not found or int(found[1]) >= size:
            return 0, size
        end = min(int(found[2]) + 1, size) if found[2] else size
        return (int(found[1]), end) if end > int(found[1]) else (0, size)

    def _send(self, file: BinaryIO, left: int) -> None:
        while left and (block := file.read(min(BLOCK_BYTES, left))):
            self.wfile.write(block)
            left -= len(block)
