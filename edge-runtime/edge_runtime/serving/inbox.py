"""What a client has sent and nobody has taken: copied once where it is taken at once.

All connections are read into one buffer, one after the other, so a new read costs no memory of its
own; only what is left when a connection has done what it can is kept apart.
"""

READ_BYTES = 256 * 1024  # at a time; most requests come whole


class Inbox:
    """The bytes of one connection, in order. `shared` is what every connection is read into."""

    def __init__(self, shared: bytearray) -> None:
        self._shared = shared
        self._start = self._end = 0  # of what lies in `shared`: only while nothing is kept
        self._kept = bytearray()

    def __len__(self) -> int:
        return len(self._kept) + self._end - self._start

    def came(self, count: int) -> None:
        """So many bytes have been read into `shared`."""
        self._start, self._end = 0, count
        if self._kept:
            self.keep()

    def keep(self) -> None:
        """Copy what is left: `shared` will be overwritten."""
        self._kept += memoryview(self._shared)[self._start : self._end]
        self._start = self._end = 0

    def find(self, end: bytes, start: int) -> int:
        """How many bytes lie before `end`, sought from `start` on; -1 when it has not come."""
        if self._kept:
            return self._kept.find(end, start)
        found = self._shared.find(end, self._start + start, self._end)
        return found if found < 0 else found - self._start

    def take(self, count: int) -> bytes:
        """The first `count` bytes, of those that are there."""
        if self._kept:
            with memoryview(self._kept) as kept:
                taken = bytes(kept[:count])
            del self._kept[:count]
            return taken
        self._start += count
        return bytes(memoryview(self._shared)[self._start - count : self._start])

    def clear(self) -> None:
        """Throw everything away."""
        self._kept.clear()
        self._start = self._end = 0
