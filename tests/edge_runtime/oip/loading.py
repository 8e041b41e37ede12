"""Models that are loaded without a store, and a client that says exactly what it sends."""

import json
import socket
from dataclasses import dataclass
from typing import Any

from edge_runtime.contract import FileRef
from edge_runtime.engines import Session, load
from edge_runtime.hosting import Loaded
from edge_runtime.running import Active
from edge_runtime.store import Slot

from ..models import Built

RELEASE = "a" * 64


def loaded(built: Built, session: Session | None = None) -> Loaded:
    """The release as it would run; `session` instead of the real one."""
    variant = built.release.variants[0]
    files = {name: built.blobs[ref.sha256] for name, ref in variant.files.items()}
    slot = Slot(
        FileRef(RELEASE, 1),
        built.release.version,
        built.release.sequence,
        variant.name,
        variant.engine,
        0,
    )
    active = Active("branch-1", slot, built.release, variant)
    return Loaded(active, load(variant, files, 1) if session is None else session)


@dataclass(frozen=True)
class Said:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def connect(port: int) -> socket.socket:
    """A client's connection."""
    return socket.create_connection(("127.0.0.1", port), 30)


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A POST as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


def get(path: str, *headers: str) -> bytes:
    """A GET as bytes."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "\r\n"]).encode()


def hear(client: socket.socket) -> Said:
    """The next response on `client`; ConnectionError when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(client)
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(client)
    return Said(int(first.split()[1]), headers, body)


def _more(client: socket.socket) -> bytes:
    data = client.recv(65536)
    if not data:
        raise ConnectionError("the server hung up")
    return data


def ask(port: int, request: bytes) -> Said:
    """The response to one request on a connection of its own."""
    with connect(port) as client:
        client.sendall(request)
        return hear(client)
