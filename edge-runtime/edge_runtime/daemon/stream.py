"""One stream of the daemon: opens its source, and again when it fails, until it is stopped."""

import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from edge_runtime.daemon.eye import Eye
from edge_runtime.daemon.looking import Looking
from edge_runtime.daemon.polling import after_failure
from edge_runtime.daemon.settings import StreamSettings
from edge_runtime.decoding.decoder import Decoder, no_decoder
from edge_runtime.decoding.source import source_of
from edge_runtime.errors import EdgeRuntimeError, MissingError
from edge_runtime.hosting import Host
from edge_runtime.streams.counting import Moment
from edge_runtime.streams.eventlog import EventLog
from edge_runtime.streams.sources import Frame

if TYPE_CHECKING:
    from edge_runtime.daemon.streaming import Around

OPEN_S: Final = 10.0  # for a process to start and a camera to answer, before its silence counts
NOTE_S: Final = 60.0  # between lines in the log while nothing but the reason changes
STEADY_S: Final = 60.0  # a source that held for so long is opened again as if for the first time

Phase = Literal["opening", "running", "waiting", "ended", "refused", "stopped"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """What came of a stream so far. Of the `frames` that its source has shown, `skipped` were not
    looked at, `decided` were decided about, and with `failed` the model failed; with the rest there
    was no model. `why` says what is wrong, empty where nothing is."""

    phase: Phase = "opening"
    why: str = ""
    frames: int = 0
    skipped: int = 0
    decided: int = 0
    failed: int = 0
    reconnects: int = 0


class Stream:
    """`start` once, `stop` and `join` once; `facts` and `counts` at any time, from any thread."""

    def __init__(self, name: str, settings: StreamSettings, around: "Around", host: Host) -> None:
        self.name, self.settings = name, settings
        self.source = source_of(settings.source, around.state.folder)
        self.facts = Facts()
        self._host, self._around = host, around
        events = EventLog(around.state.events / f"{name}.jsonl")
        self._looking = Looking(name, settings, around.live, events)
        path = around.state.cameras / f"{name}.json"
        self._eye = Eye(around.watcher, name, self.source.place, path)
        self._ending = threading.Event()
        self._decoder: Decoder | None = None
        self._thread = threading.Thread(target=self._work, name=f"stream {name}", daemon=True)
        self._started = time.monotonic()
        self._said = float("-inf")
        self._before = 0  # frames of the source before it was opened the last time

    @property
    def counts(self) -> dict[str, int]:
        """How many crossed the line, by direction; empty where there is none."""
        return {} if self.settings.line is None else dict(self._looking.counts)

    def start(self) -> None:
        """Open the source and work; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Begin to end; `join` waits for it."""
        self._ending.set()
        decoder = self._decoder
        if decoder is not None:
            decoder.stop()

    def join(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        missing = no_decoder()
        if missing:
            self._say("refused", missing)
            return
        self._eye.open(self.settings.silent_s)
        try:
            self._keep_playing()
        finally:
            if self._ending.is_set():
                self._say("stopped", "")
            elif self.facts.phase != "ended":
                self._say("stopped", "a defect of ours; the error output has more")
            self._eye.close()

    def _keep_playing(self) -> None:
        """Open the source again and again; returns when it has ended, or is to end."""
        failures = 0
        while not self._ending.is_set():
            begun = time.monotonic()
            try:
                self._play()
            except EdgeRuntimeError as error:
                if self._ending.is_set():
                    return
                if not self.source.live and self.facts.frames:
                    self._say("ended", f"it cannot be read to its end: {error}")
                    return
                failures = 1 if time.monotonic() - begun > STEADY_S else failures + 1
                self._say("waiting", str(error))
                wait = after_failure(self._around.pace, failures, 0.0, random.random())
                self._ending.wait(wait)
                self._change(reconnects=self.facts.reconnects + 1)
                self._before = self.facts.frames
            else:
                return

    def _play(self) -> None:
        """Look at pictures until the source ends. Raises MissingError when it fails."""
        spacing = 1 / self.settings.fps if self.source.live else 0.0  # a file is paced as it plays
        with Decoder(self.source, self.settings.fps) as decoder:
            self._decoder = decoder
            patience = OPEN_S + self.settings.silent_s
            while not self._ending.is_set():
                begun = time.monotonic()
                frame = decoder.next(patience)
                if frame is None:
                    self._say("ended", "the file has ended")
                    return
                patience = self.settings.silent_s
                self._look(frame)
                self._ending.wait(max(0.0, begun + spacing - time.monotonic()))

    def _look(self, frame: Frame) -> None:
        index = self._before + frame.index
        skipped = self.facts.skipped + index - self.facts.frames
        self._change(frames=index + 1, skipped=skipped)
        live = self.source.live
        seconds = time.monotonic() - self._started if live else frame.seconds
        self._around.watcher.picture(frame.picture, self.name)
        self._eye.look()
        try:
            self._looking.look(self._host, frame.picture, Moment(index, seconds, time.time()))
        except MissingError as error:  # no model yet
            self._say("running", str(error))
        except EdgeRuntimeError as error:
            self._change(failed=self.facts.failed + 1)
            self._say("running", str(error))
        else:
            self._change(decided=self.facts.decided + 1)
            self._say("running", "")

    def _say(self, phase: Phase, why: str) -> None:
        """Say it in the log too, but what a model says of each picture only now and then."""
        if (phase, why) == (self.facts.phase, self.facts.why):
            return
        new = phase != self.facts.phase
        self.facts = replace(self.facts, phase=phase, why=why)
        now = time.monotonic()
        if not new and (not why or now - self._said < NOTE_S):
            return
        self._said = now
        level = logging.WARNING if why and phase != "ended" else logging.INFO
        about = {"event": f"stream-{phase}", "model": self.settings.model}
        text = f"{phase}: {why}" if why else phase
        log.log(level, "stream %s (%s): %s", self.name, self.source.shown, text, extra=about)

    def _change(self, **numbers: int) -> None:
        self.facts = replace(self.facts, **numbers)  # type: ignore[arg-type]  # no phase among them
