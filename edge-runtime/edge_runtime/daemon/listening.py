"""A release on trial hears the pictures that the live one decides about, and decides too."""

import contextlib
import os
import queue
import threading
import time
from dataclasses import replace

from edge_runtime.contract import Outputs
from edge_runtime.daemon.gauge import oddness
from edge_runtime.daemon.settings import ShadowSettings
from edge_runtime.daemon.shadow import Tally, difference
from edge_runtime.engines import UInt8
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hosting import Loaded

WAITING = 2  # batches; more are dropped, for nobody waits for the trial


class Listener:
    """Compares `trial` with `live` in a thread of its own, until closed.

    A defect of ours in that thread ends it: the tally then stands still, and time decides.
    """

    def __init__(self, live: Loaded, trial: Loaded, limits: ShadowSettings) -> None:
        self.live, self.trial = live, trial
        self._limits = limits
        self._waiting: queue.Queue[tuple[UInt8, Outputs] | None] = queue.Queue(WAITING)
        self._next = 0.0
        self._closed = False
        self.tally = Tally()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    def tap(self, loaded: Loaded, batch: UInt8, result: Outputs | EdgeRuntimeError) -> None:
        """Take a batch of the live one, unless it is too soon or too many wait."""
        now = time.monotonic()
        if loaded is not self.live or now < self._next or isinstance(result, EdgeRuntimeError):
            return
        if self._waiting.full():
            return
        self._next = now + self._limits.spacing_s * len(batch)
        try:
            self._waiting.put_nowait((batch.copy(), result))
        except queue.Full:  # another request was quicker
            return

    def close(self) -> None:
        """Stop listening; a run of the trial that has begun ends by itself."""
        self._closed = True
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return

    def _run(self) -> None:
        _be_nice()
        while (heard := self._waiting.get()) is not None and not self._closed:
            self.tally = self._compared(*heard)

    def _compared(self, batch: UInt8, outputs: Outputs) -> Tally:
        tally = self.tally
        release = self.trial.active.release
        try:
            found = self.trial.session.run(batch)
        except EdgeRuntimeError as error:
            return replace(tally, broken=f"it fails: {error}")
        odd = oddness(release.task, found, len(batch))
        if odd:
            return replace(tally, broken=odd)
        releases = (self.live.active.release, release)
        for index in range(len(batch)):
            try:
                other = difference(releases, (outputs, found), index, self._limits)
            except EdgeRuntimeError:  # the live one's outputs are odd: nothing to compare with
                continue
            tally = replace(
                tally,
                pictures=tally.pictures + 1,
                disagreed=tally.disagreed + (other is not None),
                first=tally.first or other or "",
            )
        return tally


def _be_nice() -> None:
    """Let this thread give way to those that serve (Linux: niceness is per thread)."""
    with contextlib.suppress(OSError):  # a sandbox forbids it; the work is only less polite
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
