"""All connections of a server: how many there may be, and which have waited too long."""

import heapq
import time

from edge_runtime.serving.connection import Application, Connection, Waits
from edge_runtime.serving.inbox import READ_BYTES
from edge_runtime.serving.settings import Limits

FEW = 32  # one of so many connections makes room at a time


class Connections:
    """The `Room` of the connections. Belongs to the loop's thread."""

    def __init__(self, limits: Limits, application: Application) -> None:
        self.limits, self.application = limits, application
        self.draining = False
        self.shared = bytearray(READ_BYTES)
        self.held = 0
        self._open: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Connection) -> bool:
        """See `Room.enter`: when full, whoever has been idle for longest makes room.

        So does, after them, whose head is not whole: it comes in one piece from honest clients.
        A few go at a time, for a crowd must not cost a look at all of them each.
        """
        most = self.limits.connections
        if len(self._open) >= most:
            idle = (c for c in self._open if c.waits in (Waits.REQUEST, Waits.END, Waits.HEAD))
            longest = heapq.nsmallest(
                max(1, most // FEW), idle, key=lambda c: (c.waits is Waits.HEAD, c.deadline)
            )
            if not longest:
                return False
            for other in longest:
                other.abort()
                self._open.pop(other, None)
        self._open[connection] = None
        return True

    def leave(self, connection: Connection) -> None:
        """See `Room.leave`."""
        self._open.pop(connection, None)

    def reserve(self, count: int) -> bool:
        """See `Room.reserve`."""
        if count > 0 and self.held + count > self.limits.held_bytes:
            return False
        self.held += count
        return True

    def sweep(self) -> None:
        """End what has waited beyond its deadline."""
        now = time.monotonic()
        for connection in [c for c in self._open if c.deadline < now]:
            connection.expired()

    def shut(self) -> None:
        """Close all that is idle; the others close after their answer, as `draining` says."""
        for connection in list(self._open):
            connection.shut()

    def abort(self) -> None:
        """Hang up on all."""
        for connection in list(self._open):
            connection.abort()
