"""All connections of a server: how many there may be, and which have waited too long."""

import heapq
import time
from collections.abc import Callable

from edge_runtime.serving.connection import Application, Connection, Waits
from edge_runtime.serving.inbox import READ_BYTES
from edge_runtime.serving.settings import Limits

FEW = 32  # one of so many connections makes room at a time
SWEEP_S = 0.5  # between two looks at the deadlines, at most
IDLE, BEGUN = (Waits.REQUEST, Waits.END), (Waits.HEAD, Waits.GREETING)


class Connections:
    """The `Room` of the connections. Belongs to whoever holds the server's lock.

    `sooner` is called when deadlines must be looked at before the time that `sweep` gave last.
    """

    def __init__(
        self, limits: Limits, application: Application, sooner: Callable[[], None]
    ) -> None:
        self.limits, self.application = limits, application
        self.draining = False
        self.shared = bytearray(READ_BYTES)
        self.held = 0
        self._open: dict[int, Connection] = {}
        self._sooner, self._next = sooner, 0.0

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Connection) -> bool:
        """See `Room.enter`: when full, whoever has been idle for longest makes room.

        So does, after them, whose head or greeting is not whole: honest clients send it at once.
        A few go at a time, for a crowd must not cost a look at all of them each.
        """
        most = self.limits.connections
        if len(self._open) >= most:
            idle = (c for c in self._open.values() if c.waits in (*IDLE, *BEGUN))
            longest = heapq.nsmallest(
                max(1, most // FEW), idle, key=lambda c: (c.waits in BEGUN, c.deadline)
            )
            if not longest:
                return False
            for other in longest:
                other.abort()
        self._open[connection.number] = connection
        return True

    def at(self, number: int) -> Connection | None:
        """That whose wire has this number."""
        return self._open.get(number)

    def leave(self, connection: Connection) -> None:
        """See `Room.leave`."""
        self._open.pop(connection.number, None)

    def reserve(self, count: int) -> bool:
        """See `Room.reserve`."""
        if count > 0 and self.held + count > self.limits.held_bytes:
            return False
        self.held += count
        return True

    def expect(self, deadline: float) -> None:
        """See `Room.expect`."""
        if deadline < self._next:
            self._next = deadline
            self._sooner()

    def sweep(self) -> float:
        """End what has waited beyond its deadline; seconds until the next look."""
        now = time.monotonic()
        self._next = now + SWEEP_S
        for connection in [c for c in self._open.values() if c.deadline <= now]:
            connection.expired()
        first = min((c.deadline for c in self._open.values()), default=self._next)
        self._next = min(first, self._next)
        return max(0.0, self._next - time.monotonic())

    def shut(self) -> None:
        """Close all that is idle; the others close after their answer, as `draining` says."""
        for connection in list(self._open.values()):
            connection.shut()

    def abort(self) -> None:
        """Hang up on all."""
        for connection in list(self._open.values()):
            connection.abort()
