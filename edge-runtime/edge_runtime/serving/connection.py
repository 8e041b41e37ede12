"""One client's connection: bytes become requests, one at a time, and every wait ends."""

import logging
import re
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

import msgspec

from edge_runtime.access import Access
from edge_runtime.serving.http1 import Answer, AnswerError, Head, parse_head, refusal, response
from edge_runtime.serving.inbox import Inbox
from edge_runtime.serving.settings import Limits
from edge_runtime.serving.wire import Wire

LEAST_RATE = 32 * 1024  # bytes a second below which a body comes too slowly
SMALL_BODY_BYTES = 64 * 1024  # not worth counting against what all clients hold
LINGER_S, LINGER_BYTES = 2.0, 32 * 2**20  # read on after a refusal, so that the client hears it
HANDSHAKE_S = 10.0
READS = 8  # of one client, before others have their turn
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LOCAL_HOST = re.compile(r"(localhost|\[[0-9a-f:.]+\]|[0-9]+(\.[0-9]+){3})(:[0-9]+)?", re.IGNORECASE)

log = logging.getLogger(__name__)


class Request(msgspec.Struct, frozen=True):
    """A whole request; `admin` when it came over the unix socket. `started` is monotonic."""

    head: Head
    body: bytes
    admin: bool
    peer: str
    started: float


Reply = Callable[[Answer], None]


class Pending(msgspec.Struct, frozen=True):
    """An answer that is being worked on, and how it is called off.

    After `seconds` it is too `late`, which replies so; `cancel` replies nothing.
    """

    seconds: float
    late: Callable[[], None]
    cancel: Callable[[], None]


class Application(Protocol):
    """What answers requests."""

    def ask(self, request: Request, reply: Reply) -> Pending | None:
        """Call `reply` once: now, or later under the same lock; then how to call it off."""

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

    def expect(self, deadline: float) -> None:
        """Look at the deadlines again at `deadline` (monotonic), or before."""


class Waits(Enum):
    """What a connection waits for."""

    GREETING = auto()  # the handshake of TLS
    REQUEST = auto()  # nothing of the next request has come
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    WRITING = auto()  # the client takes its answer slowly
    END = auto()  # refused; what still comes is thrown away
    NOTHING = auto()  # it has ended


READING = (Waits.REQUEST, Waits.HEAD, Waits.BODY)


class Connection:
    """Parses, enforces the limits of size and time, and answers in order.

    Its methods are called under the lock of its server, and arm its wire anew; but not in the
    thread that `stays` with it and looks at the wire itself.
    """

    def __init__(self, room: Room, access: Access | None, wire: Wire) -> None:
        self._room, self._access, self._wire = room, access, wire
        self.number = wire.number
        self.stays = 0  # a thread's ident
        self._inbox = Inbox(room.shared)
        self._scanned = 0
        self._head: Head | None = None
        self._held = 0
        self._request: Request | None = None
        self._pending: Pending | None = None
        self._advancing = False
        self._thrown = 0
        limits = room.limits
        self._patience = {
            Waits.GREETING: HANDSHAKE_S,
            Waits.REQUEST: limits.idle_s,
            Waits.HEAD: limits.head_s,
            Waits.WRITING: limits.write_s,
            Waits.END: LINGER_S,
        }
        self.waits, self.deadline = Waits.GREETING, float("inf")
        self._then = Waits.REQUEST  # after what is written now

    def begin(self) -> None:
        """The client is there."""
        if self._room.enter(self):
            self._wait(Waits.GREETING)
            self.ready()
        else:
            full = AnswerError(503, "too many connections; try again later", {"Retry-After": "1"})
            self._refuse(full)
            self.abort()

    def ready(self) -> None:
        """Its wire can be read, or written, or has broken, as it was armed for; or perhaps not."""
        try:
            self._go_on()
        except OSError:
            self.abort()
        except Exception:  # a defect of ours may cost a connection, but not more
            log.exception("a connection failed")
            self.abort()
        self._arm()

    @property
    def reads(self) -> bool:
        """Whether it waits for its client to go on."""
        return self.waits in READING

    def leave(self) -> None:
        """Nobody stays with it any more."""
        self.stays = 0
        self._arm()

    def expired(self) -> None:
        """Its deadline has passed."""
        if self.waits in (Waits.HEAD, Waits.BODY):
            self._refuse(AnswerError(408, "the request came too slowly"))
            self._arm()
        elif self._pending is not None:
            self._pending.late()
        else:
            self.abort()

    def shut(self) -> None:
        """Close when nothing is being answered; later, when something is."""
        if self.waits in (Waits.GREETING, *READING):
            self.abort()

    def abort(self) -> None:
        """Hang up at once."""
        if self.waits is Waits.NOTHING:
            return
        self.waits = Waits.NOTHING
        if self._pending is not None:
            self._pending.cancel()
        self._release()
        self._request = self._pending = None
        self._room.leave(self)
        self._wire.close()

    def _arm(self) -> None:
        if self.waits is not Waits.NOTHING and self.stays != threading.get_ident():
            self._wire.arm(self.waits in (Waits.GREETING, Waits.END, *READING))

    def _wait(self, waits: Waits, seconds: float | None = None) -> None:
        self.waits = waits
        given = self._patience[waits] if seconds is None else seconds
        self.deadline = time.monotonic() + given
        self._room.expect(self.deadline)

    def _go_on(self) -> None:
        if self.waits is Waits.GREETING:
            if not self._wire.greet():
                return
            self._wait(Waits.REQUEST)
        elif self.waits is Waits.ANSWER and self._wire.is_broken():
            self.abort()
            return
        self._sent()
        if self._inbox and self.waits is Waits.REQUEST:  # it came before the last one was answered
            self._advance()
        for _ in range(READS):
            if self.waits not in READING and self.waits is not Waits.END:
                return
            count = self._wire.read(self._room.shared)
            if count is None:
                return
            if count == 0:
                self.abort()
                return
            self._came(count)
            if self.waits is not Waits.BODY and not self._wire.more():
                return

    def _came(self, count: int) -> None:
        """So many bytes have been read."""
        if self.waits is Waits.END:
            self._thrown += count
            if self._thrown > LINGER_BYTES:
                self.abort()
            return
        self._inbox.came(count)
        self._advance()
        self._inbox.keep()

    def _advance(self) -> None:
        """Go on with what has come, until something is missing."""
        self._advancing = True  # an answer that is there at once leaves what follows to this loop
        try:
            while self.waits in READING and self._step():
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
        self._request = Request(head, body, admin, self._wire.peer, time.monotonic())
        self.waits, self.deadline = Waits.ANSWER, float("inf")
        pending = self._room.application.ask(self._request, self._reply)
        if pending is not None:
            self._pending = pending
            self._wait(Waits.ANSWER, pending.seconds)
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
                self._wire.write(CONTINUE)
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
        request, self._request, self._pending = self._request, None, None
        if request is None:
            return  # the client has gone
        self._release()
        close = not request.head.keep_alive or self._room.draining
        data = response(answer, close, request.head.method)
        self._answer(request, answer, data, Waits.NOTHING if close else Waits.REQUEST)
        if self._advancing:
            return
        if self._inbox or self._wire.more():
            self.ready()
        else:
            self._arm()

    def _refuse(self, error: AnswerError) -> None:
        """Answer what cannot be done, and end: where the next request begins is unknown."""
        self._release()
        self._inbox.clear()
        answer = refusal(error)
        self._answer(None, answer, response(answer, close=True), Waits.END)

    def _answer(self, request: Request | None, answer: Answer, data: bytes, then: Waits) -> None:
        """It is counted first: whoever has an answer finds it in the metrics and the log."""
        self._room.application.told(request, answer, len(data))
        self._wait(Waits.WRITING)
        self._then = then
        try:
            self._wire.write(data)
            self._sent()
        except OSError:
            self.abort()

    def _sent(self) -> None:
        """Go on when all that was written is out."""
        if not self._wire.flush() or self.waits is not Waits.WRITING:
            return
        if self._then is Waits.NOTHING or (self._then is Waits.REQUEST and self._room.draining):
            self.abort()
            return
        if self._then is Waits.END:
            self._wire.half_close()
        self._wait(self._then)

    def _release(self) -> None:
        """Let go of the room that a large body had."""
        if self._held:
            self._room.reserve(-self._held)
            self._held = 0
