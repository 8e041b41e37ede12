"""A real receiver of webhooks on 127.0.0.1."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edgefactory.registry import notices

SECRET = "whsec_c2VjcmV0"  # noqa: S105 (of these tests)


@dataclass
class Receiver:
    """What it was sent, and how it answers: the first answer first, the last one for ever."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def proven(self) -> list[bytes]:
        """The bodies that bear the signature of who knows the secret, each delivery once."""
        found: dict[str, bytes] = {}
        for headers, body in self.got:
            name, at = headers["webhook-id"], headers["webhook-timestamp"]
            # As the specification says it, and not by our own code.
            proof = hmac.new(
                b"secret", b".".join([name.encode(), at.encode(), body]), hashlib.sha256
            )
            expected = "v1," + base64.b64encode(proof.digest()).decode()
            assert hmac.compare_digest(headers["webhook-signature"], expected)
            found[name] = body
        return list(found.values())


@contextmanager
def receiving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A server that keeps what it is sent, named by the environment, without waiting in between."""
    one = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            one.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(one.answers.pop(0) if len(one.answers) > 1 else one.answers[0])
            self.send_header("location", one.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        one.url = f"http://127.0.0.1:{server.server_address[1]}/hook?token=tacit"
        monkeypatch.setenv(notices.URL, one.url)
        monkeypatch.setenv(notices.SECRET, SECRET)
        monkeypatch.setattr(notices, "PAUSES_S", (0.0, 0.0, 0.0, 0.0))
        # A busy machine may take long; that says nothing of the code.
        monkeypatch.setattr(notices, "PATIENCE_S", 200.0)
        monkeypatch.setattr(notices, "TIMEOUT_S", 60.0)
        yield one
        server.shutdown()
