"""Where a server listens, and how much of everything it takes."""

from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.access import Access, is_loopback, parse_address, read_token, tls_context
from edge_runtime.errors import InputError

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients may send and hold. Times in seconds, sizes in bytes."""

    head_bytes: int = 16 * 1024
    body_bytes: int = 32 * MIB
    held_bytes: int = 128 * MIB  # of all bodies that are being received or wait together
    connections: int = 256  # the longest idle one makes room for a new one
    head_s: float = 10.0  # from a request's first byte to the end of its head
    body_s: float = 15.0  # a body of n bytes may take body_s + n / LEAST_RATE
    idle_s: float = 60.0  # between two requests
    write_s: float = 15.0  # for a client to take its answer
    waiting: int = 64  # requests for inference that wait for a worker
    deadline_s: float = 30.0  # from a whole request to its answer
    pictures: int = 32  # in one request


@dataclass(frozen=True)
class ServingSettings:
    """`access` says where to listen on TCP and for whom, `socket` is the path of a unix socket.

    Each may be None. On the socket the file's mode (0600) decides who may ask, no token does.
    `workers` requests run at a time. With `live` the status page shows the picture that came last.
    """

    access: Access | None = None
    socket: Path | None = None
    workers: int = 2
    live: bool = True
    limits: Limits = field(default_factory=Limits)


def listen_on(
    listen: str, token_file: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> Access:
    """Who is answered at `listen` (HOST:PORT): on loopback everyone, unless there is a token.

    Beyond loopback a token and TLS are demanded. Raises InputError, MissingError.
    """
    host, port = parse_address(listen)
    if not is_loopback(host) and (token_file is None or cert is None or key is None):
        raise InputError(
            f"{host} can be reached from other machines; give a token file, a TLS certificate "
            "and its key, or listen on 127.0.0.1"
        )
    if (cert is None) != (key is None):
        raise InputError("a TLS certificate and its key belong together; give both")
    token = "" if token_file is None else read_token(token_file)
    tls = None if cert is None or key is None else tls_context(cert, key)
    return Access(host, port, token, tls)
