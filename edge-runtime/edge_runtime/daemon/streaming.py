"""The daemon's streams: each in a thread of its own, started, changed and stopped by settings."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from edge_runtime.daemon.polling import Pace
from edge_runtime.daemon.settings import Settings, StreamSettings
from edge_runtime.hosting import Host
from edge_runtime.serving import Panel, Row
from edge_runtime.serving.live import Live
from edge_runtime.state import State
from edge_runtime.watching import Watcher

if TYPE_CHECKING:
    from edge_runtime.daemon.stream import Stream

PACE: Final = Pace(first=1.0, longest=60.0)
STOP_S: Final = 5.0  # for a picture that is being decided about
_NUMBERS: Final = ("frames", "skipped", "decided", "failed", "reconnects")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Around:
    """What the streams of a daemon share; `pace` is that of opening a source again."""

    state: State
    watcher: Watcher
    live: Live
    pace: Pace = PACE


class Streams:
    """A part of the daemon (`Part`), that hears of settings before and after it is entered."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._lock = threading.Lock()
        self._wanted: Mapping[str, StreamSettings] = {}
        self._host: Host | None = None
        self._running: dict[str, Stream] = {}

    @property
    def live(self) -> Live:
        """Where they put what they saw last."""
        return self._around.live

    @contextmanager
    def __call__(self, host: Host) -> Iterator[None]:
        """Run the streams until the context is left."""
        with self._lock:
            self._host = host
            self._arrange(self._wanted, host)
        try:
            yield
        finally:
            with self._lock:
                self._host = None
                self._arrange({}, host)

    def take(self, settings: Settings) -> None:
        """Run what `settings` name; what has not changed goes on."""
        with self._lock:
            self._wanted = settings.streams
            if self._host is not None:
                self._arrange(self._wanted, self._host)

    def panels(self) -> tuple[Panel, ...]:
        """What the status page says of them; nothing where there are none."""
        rows = tuple(_row(stream) for stream in self._running.values())
        return (Panel("Streams", rows),) if rows else ()

    def counted(self) -> Iterator[str]:
        """Lines for Prometheus."""
        streams = tuple(self._running.values())
        if not streams:
            return
        yield "# TYPE edge_runtime_stream_up gauge"
        for stream in streams:
            yield f"edge_runtime_stream_up{_labels(stream)} {int(_is_well(stream))}"
        for number in _NUMBERS:
            name = f"edge_runtime_stream_{number}_total"
            yield f"# TYPE {name} counter"
            for stream in streams:
                yield f"{name}{_labels(stream)} {asdict(stream.facts)[number]}"
        yield "# TYPE edge_runtime_stream_crossings_total counter"
        for stream in streams:
            for way, count in stream.counts.items():
                labels = _labels(stream, direction=way)
                yield f"edge_runtime_stream_crossings_total{labels} {count}"

    def _arrange(self, wanted: Mapping[str, StreamSettings], host: Host) -> None:
        if not wanted and not self._running:
            return
        from edge_runtime.daemon.stream import Stream  # a box without cameras does without it

        going = [s for name, s in self._running.items() if wanted.get(name) != s.settings]
        for stream in going:
            stream.stop()
        end = time.monotonic() + STOP_S
        for stream in going:
            if not stream.join(max(0.0, end - time.monotonic())):
                log.warning("stream %s has not ended in %g s; it is left", stream.name, STOP_S)
            self._around.watcher.close(stream.name)
        kept = {name: s for name, s in self._running.items() if s not in going}
        new = {
            name: Stream(name, settings, self._around, host)
            for name, settings in wanted.items()
            if name not in kept
        }
        self._running = {name: kept.get(name) or new[name] for name in wanted}
        for stream in new.values():
            stream.start()


def _is_well(stream: "Stream") -> bool:
    return stream.facts.phase == "running"


def _labels(stream: "Stream", **more: str) -> str:
    labels = {"stream": stream.name, "model": stream.settings.model, **more}
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def _row(stream: "Stream") -> Row:
    facts = stream.facts
    told = [f"{facts.phase}, {stream.source.shown}", f"{facts.decided} pictures decided"]
    told += [f"{value} {key}" for key in ("skipped", "failed") if (value := getattr(facts, key))]
    told += [f"{count} {way}" for way, count in stream.counts.items()]
    if facts.reconnects:
        told.append(f"opened again {facts.reconnects} times")
    if facts.why:
        told.append(facts.why)
    well = _is_well(stream) and not facts.why
    return Row(stream.name, "; ".join(told)[:300], "good" if well else "bad")
