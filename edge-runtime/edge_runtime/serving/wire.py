"""A client's socket, which never makes a thread wait; and the same in TLS.

Each tells the epoll what it waits for, once: who was told of an event has the wire for itself until
it is armed again.
"""

import contextlib
import select
import socket
from typing import Protocol

ONCE = select.EPOLLONESHOT


class Wire(Protocol):
    """What a connection reads from and writes to. OSError means that the client has gone."""

    number: int  # its descriptor
    peer: str

    def greet(self) -> bool:
        """Shake hands as far as it goes; True once that is done."""

    def read(self, buffer: bytearray) -> int | None:
        """Read into the start of `buffer`: how much, 0 at the end, None when nothing is there."""

    def more(self) -> bool:
        """Whether something was read ahead, of which the epoll knows nothing."""

    def write(self, data: bytes) -> None:
        """Send `data`; what does not go out is kept for `flush`."""

    def flush(self) -> bool:
        """Send what was kept; True when nothing is left."""

    def arm(self, reading: bool) -> None:
        """Let the epoll tell when it can be written, if something was kept, or has broken; and,
        if `reading`, when it can be read."""

    def is_broken(self) -> bool:
        """True when nobody can be answered any more."""

    def half_close(self) -> None:
        """Say that nothing more will be written."""

    def close(self) -> None:
        """Hang up; what was kept is lost."""


class SocketWire:
    """A `Wire` over a socket, which it owns."""

    def __init__(self, client: socket.socket, epoll: select.epoll) -> None:
        client.setblocking(False)
        if client.family == socket.AF_UNIX:
            self.peer = "unix"
        else:
            self.peer = str(client.getpeername()[0])
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._epoll = client, epoll
        self._kept = bytearray()
        self.number = client.fileno()
        epoll.register(self.number, ONCE)

    def greet(self) -> bool:
        """See `Wire.greet`."""
        return True

    def read(self, buffer: bytearray) -> int | None:
        """See `Wire.read`."""
        try:
            return self._client.recv_into(buffer)
        except BlockingIOError:
            return None

    def more(self) -> bool:
        """See `Wire.more`."""
        return False

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        if self._kept:
            self._kept += data
            return
        sent = self._send(data)
        if sent < len(data):
            self._kept += memoryview(data)[sent:]

    def flush(self) -> bool:
        """See `Wire.flush`."""
        if self._kept:
            del self._kept[: self._send(self._kept)]
        return not self._kept

    def arm(self, reading: bool) -> None:
        """See `Wire.arm`."""
        events = ONCE | (select.EPOLLIN if reading else 0)
        self._epoll.modify(self.number, events | (select.EPOLLOUT if self._kept else 0))

    def is_broken(self) -> bool:
        """See `Wire.is_broken`."""
        asked = select.poll()
        asked.register(self.number, 0)  # these two are always told
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in asked.poll(0))

    def half_close(self) -> None:
        """See `Wire.half_close`."""
        with contextlib.suppress(OSError):  # the client was faster
            self._client.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """See `Wire.close`."""
        self._epoll.unregister(self.number)
        self._client.close()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._client.send(data)
        except BlockingIOError:
            return 0
