"""The server: a few threads that are all alike, over a host.

Whoever waits at the epoll is told of the next event, reads it, and, when it makes a request for a
model whole, runs and answers that itself: no thread hands anything to another. One of them stays
with the client that it has answered for STAYS_S: a client that goes on at once would meet another
thread, which waits for the interpreter and has nothing in its caches.
"""

import contextlib
import logging
import os
import select
import socket
import stat
import threading
import time
from pathlib import Path

from edge_runtime.access import Access
from edge_runtime.errors import InputError
from edge_runtime.hosting import Host
from edge_runtime.serving.application import App
from edge_runtime.serving.connection import Connection
from edge_runtime.serving.connections import SWEEP_S, Connections
from edge_runtime.serving.live import Live
from edge_runtime.serving.pool import Pool
from edge_runtime.serving.settings import ServingSettings
from edge_runtime.serving.status import Counted, Panel, Status
from edge_runtime.serving.wire import ONCE, SocketWire

DRAIN_STEP_S = 0.02
END_S = 0.2  # for threads that do not run a model to end
BACKLOG = 128
STAYS_S = 0.02
CALLERS = 64  # that are let in before others have their turn

log = logging.getLogger(__name__)


def _nothing() -> tuple[Panel, ...]:
    return ()


class Server:
    """Serves what `host` has loaded, from `start` to `stop`.

    `status` adds panels to the status page, `counted` lines to the metrics; `live` has the pictures
    that the page shows, where others put some there as well. Models are warmed up before it starts,
    and those that come later within a second or so; until then their pictures run one by one.
    """

    def __init__(
        self,
        host: Host,
        settings: ServingSettings,
        status: Status = _nothing,
        live: Live | None = None,
        counted: Counted = tuple,
    ) -> None:
        self._settings = settings
        self._pool = Pool(host, settings.workers, settings.limits.waiting)
        live = live or Live(settings.live)
        self._app = App(host, self._pool, status, settings.limits, live, counted)
        self._lock = self._app.lock
        self._sooner = threading.Event()
        self._connections = Connections(settings.limits, self._app, self._sooner.set)
        self._listening: dict[int, tuple[socket.socket, Access | None]] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._staying = False  # a thread with a client
        self.port = 0  # what TCP is listened on, once it is

    def start(self) -> None:
        """Listen; returns when requests are answered. Raises InputError when it cannot."""
        sockets = _sockets(self._settings)
        if self._settings.access is not None:
            self.port = sockets[0][0].getsockname()[1]
        self._pool.look()
        self._epoll, self._bell = select.epoll(), os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._bell, select.EPOLLIN)
        for listening, access in sockets:
            listening.setblocking(False)
            self._listening[listening.fileno()] = (listening, access)
            self._epoll.register(listening, ONCE | select.EPOLLIN)
        # One more than may run models: somebody must read who else asks, and refuse.
        works = [self._work] * (self._settings.workers + 1)
        for number, work in enumerate((*works, self._sweep, self._look)):
            name = f"serving-{number}"
            self._threads.append(threading.Thread(target=work, name=name, daemon=True))
            self._threads[-1].start()
        for listening, _ in sockets:
            log.info("serving on %s", listening.getsockname())

    def stop(self, drain_s: float = 5.0) -> None:
        """Take no more, answer what is there within `drain_s` seconds, and end."""
        if not self._threads:
            return
        self._drain(time.monotonic() + drain_s)
        with self._lock:
            self._stopping.set()
        self._sooner.set()
        os.eventfd_write(self._bell, 1)
        end = time.monotonic() + END_S
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            self._epoll.close()
            os.close(self._bell)
        self._threads = []
        if self._settings.socket is not None:
            self._settings.socket.unlink(missing_ok=True)

    def _work(self) -> None:
        watched = select.poll()
        watched.register(self._epoll, select.POLLIN)
        while not self._stopping.is_set():
            try:
                for number, _ in self._epoll.poll(maxevents=1):
                    self._serve(number, watched)
                self._pool.work()
            except Exception:  # a defect: it may cost a connection, but not the server
                log.exception("the server failed")

    def _serve(self, number: int, watched: "select.poll") -> None:
        """Do what the event asks for, and what the same client asks for next."""
        with self._lock:
            connection = self._connections.at(number)
            if connection is None:
                self._other(number)
                return
            if self._staying:
                connection.ready()
                return
            self._staying, connection.stays = True, threading.get_ident()
        try:
            self._stay(connection, watched)
        finally:
            with self._lock:
                self._staying = False
                connection.leave()

    def _stay(self, connection: Connection, watched: "select.poll") -> None:
        """Serve the client, as long as it goes on soon and nothing else happens."""
        while True:
            with self._lock:
                connection.ready()
            self._pool.work(once=True)
            if self._pool.waiting or not connection.reads:
                return
            watched.register(connection.number, select.POLLIN)
            found = watched.poll(STAYS_S * 1000)
            watched.unregister(connection.number)
            if [number for number, _ in found] != [connection.number]:
                return  # it says nothing, or somebody else says something as well

    def _other(self, number: int) -> None:
        """Do what an event asks for that is no client's."""
        if number in self._listening:
            self._let_in(*self._listening[number])
        elif number == self._bell and not self._stopping.is_set():
            with contextlib.suppress(BlockingIOError):  # somebody else heard it
                os.eventfd_read(self._bell)

    def _let_in(self, listening: socket.socket, access: Access | None) -> None:
        for _ in range(CALLERS):
            try:
                client, _ = listening.accept()
            except BlockingIOError:
                break
            except ConnectionError:
                continue  # it has gone again
            except OSError as error:  # no descriptors: the next sweep tries again
                log.warning("nobody can be let in: %s", error.strerror)
                return
            try:
                wire = _wire(client, self._epoll, access)
            except OSError:
                client.close()
            else:
                Connection(self._connections, access, wire).begin()
        self._epoll.modify(listening, ONCE | select.EPOLLIN)

    def _sweep(self) -> None:
        wait_s = SWEEP_S
        while not self._stopping.is_set():
            try:
                wait_s = self._sweep_once()
            except Exception:  # a defect: deadlines are kept all the same
                log.exception("the server failed")
            self._sooner.wait(wait_s)
            self._sooner.clear()

    def _sweep_once(self) -> float:
        """End what waits for too long; seconds until the next one will."""
        with self._lock:
            self._app.connections = len(self._connections)
            wait_s = self._connections.sweep()
            for listening, _ in self._listening.values():
                self._epoll.modify(listening, ONCE | select.EPOLLIN)
        if self._pool.waiting:  # who was late was perhaps followed by another request
            os.eventfd_write(self._bell, 1)
        return wait_s

    def _look(self) -> None:
        while not self._stopping.wait(SWEEP_S):
            self._pool.look()

    def _drain(self, end: float) -> None:
        with self._lock:
            self._app.draining = self._connections.draining = True
            for listening, _ in self._listening.values():
                self._epoll.unregister(listening)
                listening.close()
            self._listening.clear()
            self._connections.shut()
        while (self._app.in_flight or len(self._connections)) and time.monotonic() < end:
            time.sleep(DRAIN_STEP_S)
        with self._lock:
            if self._app.in_flight:
                log.warning("%d requests were not answered in time", self._app.in_flight)
            self._connections.abort()


def _wire(client: socket.socket, epoll: select.epoll, access: Access | None) -> SocketWire:
    if access is None or access.tls is None:
        return SocketWire(client, epoll)
    from edge_runtime.serving.tls_wire import TlsWire

    return TlsWire(client, epoll, access.tls)


def check_listening(settings: ServingSettings) -> None:
    """Raise InputError when a server with `settings` could not listen now, as `start` would."""
    for listening, _ in _sockets(settings):
        listening.close()
    if settings.socket is not None:
        settings.socket.unlink(missing_ok=True)


def _sockets(settings: ServingSettings) -> list[tuple[socket.socket, Access | None]]:
    """What is listened on, that of TCP first. Raises InputError, with nothing left open."""
    found: list[tuple[socket.socket, Access | None]] = []
    try:
        if settings.access is not None:
            found.append((_tcp(settings.access), settings.access))
        if settings.socket is not None:
            found.append((_unix(settings.socket), None))
    except InputError:
        for listening, _ in found:
            listening.close()
        raise
    return found


def _tcp(access: Access) -> socket.socket:
    family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
    try:
        return socket.create_server((access.host, access.port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InputError(
            f"cannot listen on {access.host}:{access.port}: {why}; choose another address"
        ) from error


def _unix(path: Path) -> socket.socket:
    """A unix socket that only this user may open. A dead server's is replaced."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_dead(path)
        listening.bind(str(path))
        path.chmod(0o600)  # nobody can connect before listen()
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(f"cannot listen on {path}: {error.strerror or error}") from error
    return listening


def _remove_dead(path: Path) -> None:
    """Remove the socket at `path` if nobody listens. Raises OSError if somebody does."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise FileExistsError(17, "a file that is no socket lies there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        try:
            knocking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError(17, "another server listens there")
