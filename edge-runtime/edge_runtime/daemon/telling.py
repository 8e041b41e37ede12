"""The daemon tells what it watches: signed into the spool now and then, then to the collector."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_runtime.contract import Watch
from edge_runtime.daemon.settings import TelemetrySettings
from edge_runtime.device import load_device_key
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.state import State
from edge_runtime.watching.forwarding import Turn, forward
from edge_runtime.watching.machine import Counters, look
from edge_runtime.watching.spool import Spool
from edge_runtime.watching.telling import Collector, Outbox, Receiver, Teller

LOOK_S = 1.0  # between looks whether a batch's turn has come

log = logging.getLogger(__name__)


def receiver(settings: TelemetrySettings, state: State) -> Receiver:
    """Who takes what is told: the collector at a URL, else a folder that somebody empties."""
    if settings.collector is not None:
        return Collector(settings.collector)
    return Outbox(state.folder / "telemetry", state.site().site)


@contextmanager
def telling(
    state: State, settings: TelemetrySettings, watch: Callable[[], Watch]
) -> Iterator[None]:
    """Tell until the context is left; what is in the spool then goes on next time.

    Raises StorageError or TrustError when it cannot begin.
    """
    teller = Teller(state.site().site, load_device_key(state))
    to, ending = receiver(settings, state), threading.Event()
    spool = Spool(state.folder / "spool.sqlite")

    def work() -> None:
        turn, due, counters = Turn(), time.monotonic() + settings.every_s, None
        while not ending.wait(LOOK_S):
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + settings.every_s
                    counters = _tell(teller, spool, watch(), counters, state.folder)
                turn = _forwarded(spool, to, turn)
            except EdgeRuntimeError as error:
                log.error("telemetry: %s", error)  # noqa: TRY400 (one line, as everywhere)

    thread = threading.Thread(target=work, name="telling", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
        spool.close()


def _tell(
    teller: Teller, spool: Spool, watch: Watch, before: Counters | None, disk: Path
) -> Counters:
    health, counters = look(disk, before)
    teller.tell(spool, watch, health, time.time())
    spool.flush()
    return counters


def _forwarded(spool: Spool, to: Receiver, turn: Turn) -> Turn:
    after = forward(spool, to, turn, time.monotonic())
    if after.failures and after.why != turn.why:
        log.warning("telemetry waits: %s", after.why)
    return after
