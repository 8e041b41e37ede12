"""The floor of `runtime-overhead`: the same call behind bare sockets, and nothing else.

`python bare_served.py MODEL PORT SOCKET`, until it is ended: a thread for each connection, which
reads a request of known length, decodes, runs the model and sends what came of it. It routes,
checks, bounds and counts nothing.
"""

import signal
import socket
import sys
import threading
from pathlib import Path

import simplejpeg

from edge_runtime.contract import decide, preprocess
from edge_runtime.hosting import Loaded
from served import loaded


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    model = loaded(Path(arguments[0]).read_bytes())
    over_tcp = socket.create_server(("127.0.0.1", int(arguments[1])))
    over_unix = socket.socket(socket.AF_UNIX)
    over_unix.bind(arguments[2])
    over_unix.listen()
    for listening in (over_tcp, over_unix):
        threading.Thread(target=_accept, args=(listening, model), daemon=True).start()
    signal.pause()


def _accept(listening: socket.socket, model: Loaded) -> None:
    while True:
        connection, _ = listening.accept()
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, model), daemon=True).start()


def _serve(connection: socket.socket, model: Loaded) -> None:
    release = model.active.release
    with connection:
        while True:
            body = _body(connection)
            if not body:
                return
            given, _ = preprocess(simplejpeg.decode_jpeg(body, colorspace="RGB"), release.input)
            found = decide(release.task, model.session.run(given[None]), 0, 0.0)
            answer = f"{found.labels[0]} {found.scores[0]}".encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
            connection.sendall(head + answer)


def _body(connection: socket.socket) -> bytes:
    """The body of the next request; empty when the client has gone."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        more = connection.recv(262_144)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += connection.recv(262_144)
    return bytes(body)


if __name__ == "__main__":
    main(sys.argv[1:])
