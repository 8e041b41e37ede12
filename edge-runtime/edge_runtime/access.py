"""Where a server listens and whom it answers: loopback without TLS, further only with it."""

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime import durable
from edge_runtime.errors import InputError

if TYPE_CHECKING:
    import ssl  # it takes long to load, and few speak TLS

MAX_TOKEN_BYTES = 4096
SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Access:
    """`token` is what every request must carry; `tls` None speaks plain HTTP."""

    host: str
    port: int
    token: str
    tls: "ssl.SSLContext | None" = None

    def admits(self, authorization: str) -> bool:
        """True when the header `authorization` carries the token; takes the same time if not."""
        import hmac

        expected = f"Bearer {self.token}".encode()
        return hmac.compare_digest(authorization.encode("utf-8", "replace"), expected)


def access(listen: str, token_file: Path, cert: Path | None, key: Path | None) -> Access:
    """What the options say. Raises InputError, or MissingError for a file that is not there."""
    host, port = parse_address(listen)
    token = read_token(token_file)
    if (cert is None) != (key is None):
        raise InputError("--tls-cert and --tls-key belong together; give both")
    if cert is None or key is None:
        if not is_loopback(host):
            raise InputError(
                f"{host} can be reached from other machines; give --tls-cert and --tls-key, or "
                "listen on 127.0.0.1"
            )
        return Access(host, port, token)
    return Access(host, port, token, tls_context(cert, key))


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT or [HOST]:PORT. Raises InputError."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise InputError(f"--listen {text!r} is not of the form HOST:PORT")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """True when `host` can be reached from this machine only. Raises InputError."""
    try:
        found = socket.getaddrinfo(host, None)
    except OSError as error:
        raise InputError(f"--listen: {host} is no address of this box: {error}") from error
    return all(ipaddress.ip_address(str(entry[4][0])).is_loopback for entry in found)


def read_token(path: Path) -> str:
    """The token in the file at `path`. Raises MissingError, InputError or StorageError."""
    token = durable.read(path, MAX_TOKEN_BYTES, "the token").decode("utf-8", "replace").strip()
    if (
        len(token) < SHORTEST_TOKEN
        or not token.isascii()
        or not token.isprintable()
        or " " in token
    ):
        raise InputError(
            f"{path} holds no token: one line of at least {SHORTEST_TOKEN} printable characters "
            "without spaces is expected"
        )
    return token


def tls_context(cert: Path, key: Path) -> "ssl.SSLContext":
    """What a server speaks TLS with. Raises InputError."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise InputError(f"{cert} and {key} are no certificate and its key: {error}") from error
    return context
