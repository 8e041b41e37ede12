"""One client's connection: bytes become requests, one at a time, and every wait ends."""

import asyncio
import re
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

import msgspec

from edge_runtime.access import Access
from edge_runtime.serving.http1 import Answer, AnswerError, Head, parse_head, refusal, response
from edge_runtime.serving.inbox import Inbox
from edge_runtime.serving.settings import Limits

LEAST_RATE = 32 * 1024  # bytes a second below which a body comes too slowly
SMALL_BODY_BYTES = 64 * 1024  # not worth counting against what all clients hold
LINGER_S, LINGER_BYTES = 2.0, 32 * 2**20  # read on after a refusal, so that the client hears it
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LOCAL_HOST = re.compile(r"(localhost|\[[0-9a-f:.]+\]|[0-9]+(\.[0-9]+){3})(:[0-9]+)?", re.IGNORECASE)


class Request(msgspec.Struct, frozen=True):
    """A whole request; `admin` when it came over the unix socket. `started` is monotonic."""

    head: Head
    body: bytes
    admin: bool
    peer: str
    started: float


Reply = Callable[[Answer], None]
Cancel = Callable[[], None]


class Application(Protocol):
    """What answers requests."""

    def ask(self, request: Request, reply: Reply) -> Cancel | None:
        """Call `reply` once, now or later, in the loop's thread; and how to call it off."""

    def told(self, request: Request | None, answer: Answer, sent: int) -> None:
        """An answer goes out; without a request it is a refusal of what was none."""


class Room(Protocol):
    """What all connections share."""

    limits: Limits
    application: Application
    draining: bool
    shared: bytearray  # what each of them is read into

    def enter(self, connection: "Connection") -> bool:
        """Take in a connection; False when there is no room."""

    def leave(self, connection: "Connection") -> None:
        """The connection has ended."""

    def reserve(self, count: int) -> bool:
        """Hold `count` more bytes; False when there is no room (negative: let them go)."""


class Waits(Enum):
    """What a connection waits for."""

    REQUEST = auto()  # nothing of the next request has come
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    WRITING = auto()  # the client takes its answer slowly
    END = auto()  # refused; what still comes is thrown away


class Connection(asyncio.BufferedProtocol):
    """Parses, enforces the limits of size and time, and answers in order."""

    def __init__(self, room: Room, access: Access | None) -> None:
        self._room, self._access = room, access
        self._transport: asyncio.Transport | None = None
        self._inbox = Inbox(room.shared)
        self._scanned = 0
        self._head: Head | None = None
        self._held = 0
        self._request: Request | None = None
        self._cancel: Cancel | None = None
        self._advancing = self._half_closed = self._blocked = self._admitted = False
        self._thrown = 0
        limits = room.limits
        self._patience = {
            Waits.REQUEST: limits.idle_s,
            Waits.HEAD: limits.head_s,
            Waits.WRITING: limits.write_s,
            Waits.END: LINGER_S,
        }
        self.waits, self.deadline = Waits.REQUEST, float("inf")
        self.peer = "unix"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = str(name[0])
        self._wait(Waits.REQUEST)
        self._admitted = self._room.enter(self)
        if not self._admitted:
            full = AnswerError(503, "too many connections; try again later", {"Retry-After": "1"})
            self._refuse(full)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._cancel is not None:
            self._cancel()
        self._room.reserve(-self._held)
        self._held, self._transport, self._request = 0, None, None
        if self._admitted:
            self._room.leave(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return memoryview(self._room.shared)

    def buffer_updated(self, nbytes: int) -> None:
        if self.waits is Waits.END:
            self._thrown += nbytes
            if self._thrown > LINGER_BYTES:
                self.abort()
            return
        self._inbox.came(nbytes)
        if self.waits not in (Waits.ANSWER, Waits.WRITING):
            self._advance()
        elif self._transport is not None:
            # The next request of a client that does not wait: it is read when its turn comes.
            self._transport.pause_reading()
        self._inbox.keep()

    def eof_received(self) -> bool:
        self._half_closed = True
        if self.waits in (Waits.ANSWER, Waits.WRITING):
            return self._transport is not None and self._transport.can_write_eof()
        return False

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        if self.waits is Waits.WRITING:
            self._next()

    def expired(self) -> None:
        """Its deadline has passed."""
        if self.waits in (Waits.HEAD, Waits.BODY):
            self._refuse(AnswerError(408, "the request came too slowly"))
        else:
            self.abort()

    def shut(self) -> None:
        """Close when nothing is being answered; later, when something is."""
        if self.waits in (Waits.REQUEST, Waits.HEAD, Waits.BODY) and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, waits: Waits, seconds: float | None = None) -> None:
        self.waits = waits
        given = self._patience.get(waits, float("inf")) if seconds is None else seconds
        self.deadline = time.monotonic() + given

    def _advance(self) -> None:
        """Go on with what has come, until something is missing."""
        if self._advancing:  # an answer that was there at once: the loop below goes on
            return
        self._advancing = True
        try:
            while self.waits in (Waits.REQUEST, Waits.HEAD, Waits.BODY) and self._step():
                pass
        except AnswerError as error:
            self._refuse(error)
        finally:
            self._advancing = False

    def _step(self) -> bool:
        if self._head is None:
            self._head = self._read_head()
            if self._head is None:
                return False
        if len(self._inbox) < self._head.length:
            return False
        body = self._inbox.take(self._head.length)
        head, self._head = self._head, None
        admin = self._access is None
        self._request = Request(head, body, admin, self.peer, time.monotonic())
        self._wait(Waits.ANSWER)
        self._cancel = self._room.application.ask(self._request, self._reply)
        if self.waits is not Waits.ANSWER:
            self._cancel = None
        return True

    def _read_head(self) -> Head | None:
        end = self._inbox.find(b"\r\n\r\n", max(0, self._scanned - 3))
        most = self._room.limits.head_bytes
        if end > most or (end < 0 and len(self._inbox) > most):
            raise AnswerError(431, f"the head is too long; at most {most} bytes are read")
        if end < 0:
            self._scanned = len(self._inbox)
            if self._inbox and self.waits is Waits.REQUEST:
                self._wait(Waits.HEAD)
            return None
        head = parse_head(self._inbox.take(end + 4)[:-4], self._room.limits.body_bytes)
        self._scanned = 0
        self._admit(head)
        if len(self._inbox) < head.length:
            if head.length > SMALL_BODY_BYTES:
                if not self._room.reserve(head.length):
                    raise AnswerError(503, "too many bodies at once", {"Retry-After": "1"})
                self._held = head.length
            self._wait(Waits.BODY, self._room.limits.body_s + head.length / LEAST_RATE)
            if head.expects and not self._inbox:
                self._write(CONTINUE)
        return head

    def _admit(self, head: Head) -> None:
        """Refuse who may not ask, before anything more is read. Raises AnswerError."""
        if self._access is None:
            return
        if self._access.token:
            if not self._access.admits(head.headers.get("authorization", "")):
                raise AnswerError(401, "a token is needed", {"WWW-Authenticate": "Bearer"})
        elif LOCAL_HOST.fullmatch(head.headers.get("host", "localhost")) is None:
            # A page in a browser here whose name was made to point at us (DNS rebinding).
            raise AnswerError(421, "ask for localhost or an address")

    def _reply(self, answer: Answer) -> None:
        request, self._cancel = self._request, None
        if request is None or self._transport is None or self._transport.is_closing():
            return  # the client has gone
        self._request = None
        self._room.reserve(-self._held)
        self._held = 0
        close = not request.head.keep_alive or self._room.draining or self._half_closed
        self._answer(request, answer, response(answer, close, request.head.method))
        if close:
            self._wait(Waits.WRITING)
            self._transport.close()
        elif self._blocked:
            self._wait(Waits.WRITING)
        else:
            self._next()

    def _next(self) -> None:
        """The answer is out: the next request may come."""
        if self._transport is None or self._transport.is_closing():
            return
        self._wait(Waits.REQUEST)
        self._transport.resume_reading()
        if self._inbox:
            self._advance()

    def _refuse(self, error: AnswerError) -> None:
        """Answer what cannot be done, and end: where the next request begins is unknown."""
        self._room.reserve(-self._held)
        self._held = 0
        answer = refusal(error)
        self._answer(None, answer, response(answer, close=True))
        self._inbox.clear()
        self._wait(Waits.END)
        if self._transport is not None:
            if self._transport.can_write_eof():
                self._transport.write_eof()
            else:
                self._transport.close()

    def _answer(self, request: Request | None, answer: Answer, data: bytes) -> None:
        """It is counted first: whoever has an answer finds it in the metrics and the log."""
        self._room.application.told(request, answer, len(data))
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)
