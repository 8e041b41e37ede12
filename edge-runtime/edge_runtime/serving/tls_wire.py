"""A client's socket in TLS. Imported where TLS is spoken only: `ssl` takes long to load."""

import contextlib
import select
import socket
import ssl

from edge_runtime.serving.wire import ONCE, SocketWire

_LATER = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class TlsWire(SocketWire):
    """See `SocketWire`. The client of the other side is asked for nothing but to speak TLS."""

    def __init__(self, client: socket.socket, epoll: select.epoll, context: ssl.SSLContext) -> None:
        client.setblocking(False)
        self._tls = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        super().__init__(self._tls, epoll)
        self._writes = False  # the handshake waits until it can write

    def greet(self) -> bool:
        """See `Wire.greet`."""
        self._writes = False
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._writes = True
            return False
        return True

    def read(self, buffer: bytearray) -> int | None:
        """See `Wire.read`."""
        try:
            return super().read(buffer)
        except _LATER:
            return None

    def more(self) -> bool:
        """See `Wire.more`."""
        return self._tls.pending() > 0

    def arm(self, reading: bool) -> None:
        """See `Wire.arm`."""
        if self._writes:
            self._epoll.modify(self.number, ONCE | select.EPOLLOUT)
        else:
            super().arm(reading)

    def half_close(self) -> None:
        """See `Wire.half_close`."""
        with contextlib.suppress(OSError, ValueError):  # it does not wait for the client's answer
            self._tls.unwrap()
        super().half_close()

    def close(self) -> None:
        """See `Wire.close`."""
        self._epoll.unregister(self.number)
        with contextlib.suppress(OSError, ValueError):
            self._tls.unwrap()
        self._tls.close()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return super()._send(data)
        except _LATER:
            return 0
