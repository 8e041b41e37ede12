"""The server: a thread with an event loop, and workers, over a host."""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import threading
from functools import partial
from pathlib import Path

from edge_runtime.access import Access
from edge_runtime.errors import InputError
from edge_runtime.hosting import Host
from edge_runtime.serving.application import App
from edge_runtime.serving.connection import Connection
from edge_runtime.serving.connections import Connections
from edge_runtime.serving.live import Live
from edge_runtime.serving.pool import Pool
from edge_runtime.serving.settings import ServingSettings
from edge_runtime.serving.status import Counted, Panel, Status

SWEEP_S = 0.5
DRAIN_STEP_S = 0.02
BACKLOG = 128
HANDSHAKE_S = 10.0

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
        self._host, self._settings = host, settings
        self._live = live or Live(settings.live)
        self._pool = Pool(host, settings.workers, settings.limits.waiting)
        self._app = App(host, self._pool, status, settings.limits, self._live, counted)
        self._connections = Connections(settings.limits, self._app)
        self._listening: list[asyncio.Server] = []
        self._thread: threading.Thread | None = None
        self.port = 0  # what TCP is listened on, once it is

    def start(self) -> None:
        """Listen; returns when requests are answered. Raises InputError when it cannot."""
        sockets = _sockets(self._settings)
        if self._settings.access is not None:
            self.port = sockets[0][0].getsockname()[1]
        self._pool.look()
        self._pool.start()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(sockets, ready), name="serving", daemon=True
        )
        self._thread.start()
        ready.wait()
        for listening, _ in sockets:
            log.info("serving on %s", listening.getsockname())

    def stop(self, drain_s: float = 5.0) -> None:
        """Take no more, answer what is there within `drain_s` seconds, and end."""
        if self._thread is None:
            return
        stopped = asyncio.run_coroutine_threadsafe(self._drain(drain_s), self._loop)
        stopped.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._thread = None
        self._pool.stop()
        if self._settings.socket is not None:
            self._settings.socket.unlink(missing_ok=True)

    def _run(
        self, sockets: list[tuple[socket.socket, Access | None]], ready: threading.Event
    ) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            for listening, access in sockets:
                self._loop.run_until_complete(self._listen(listening, access))
            tasks = [self._loop.create_task(work) for work in (self._sweep(), self._look())]
            self._loop.call_soon(ready.set)
            self._loop.run_forever()
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    self._loop.run_until_complete(task)
        finally:
            ready.set()
            self._loop.close()

    async def _listen(self, listening: socket.socket, access: Access | None) -> None:
        make = partial(Connection, self._connections, access)
        tls = None if access is None else access.tls
        wait = None if tls is None else HANDSHAKE_S
        server = await self._loop.create_server(
            make, sock=listening, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=wait
        )
        self._listening.append(server)

    async def _sweep(self) -> None:
        while True:
            self._app.connections = len(self._connections)
            self._connections.sweep()
            await asyncio.sleep(SWEEP_S)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self._loop.run_in_executor(None, self._pool.look)

    async def _drain(self, drain_s: float) -> None:
        self._app.draining = self._connections.draining = True
        for server in self._listening:
            server.close()
        self._connections.shut()
        end = self._loop.time() + drain_s
        while (self._app.in_flight or len(self._connections)) and self._loop.time() < end:
            await asyncio.sleep(DRAIN_STEP_S)
        if self._app.in_flight:
            log.warning("%d requests were not answered in time", self._app.in_flight)
        self._connections.abort()
        await asyncio.sleep(0)  # let them be lost


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
