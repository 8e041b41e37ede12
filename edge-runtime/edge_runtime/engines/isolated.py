"""A model in a worker process, as its parent sees it: a `Session` that outlives its engine.

OpenVINO has ended processes that replace models in place, by a segmentation fault. Here each
loaded model has a process of its own, which is all that an engine can take down: a request during
which it dies is repeated once in a fresh one, a request that takes too long is refused and the
process ended. It goes when the session does, and when the parent dies.
"""

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime import children
from edge_runtime.contract import Outputs, Provider, Variant
from edge_runtime.engines.arrays import UInt8
from edge_runtime.engines.compiled import MAX_COMPILED_BYTES
from edge_runtime.engines.tensors import InputTensor
from edge_runtime.engines.wire import (
    Answer,
    Open,
    Opened,
    Question,
    Ran,
    Refused,
    Run,
    receive,
    send,
)
from edge_runtime.errors import EdgeRuntimeError, InputError, MissingError, RefusedError
from edge_runtime.regions import Region
from edge_runtime.workers import worker

_KINDS: Final = {kind.exit_code: kind for kind in (InputError, MissingError, RefusedError)}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What a worker loads, and again after it died: `read` returns the variant's files, verified.

    `kept` is the folder of compiled models (None: none), each of which may have `room` bytes,
    `load_s` how long loading may take, `run_s` how long one run may. `provider` runs it inside
    ONNX Runtime.
    """

    variant: Variant
    read: Callable[[], Mapping[str, bytes]]
    threads: int = 1
    kept: Path | None = None
    room: int = MAX_COMPILED_BYTES
    load_s: float = 120.0
    run_s: float = 30.0
    provider: Provider | None = None


class IsolatedSession:
    """See `Session`; requests of several threads go to the engine one after the other."""

    def __init__(self, source: Source) -> None:
        """Start the worker and load the model. Raises MissingError, RefusedError, StorageError."""
        self._source = source
        self._lock = threading.Lock()
        self._worker: _Worker | None = _started(source)
        self.input = self._worker.input

    def run(self, batch: UInt8) -> Outputs:
        """See `Session.run`."""
        with self._lock:
            try:
                return self._current().run(batch, self._source.run_s)
            except _DiedError as error:
                log.warning("%s: %s; it is started again", self._source.variant.name, error)
                self._worker = None
            try:
                return self._current().run(batch, self._source.run_s)
            except _DiedError as error:
                self._worker = None
                raise RefusedError(
                    f"{self._source.variant.name}: {error}, twice on the same input"
                ) from None

    @property
    def process(self) -> int:
        """The worker's process id, 0 when none runs."""
        worker = self._worker
        return worker.process if worker is not None else 0

    def _current(self) -> "_Worker":
        if self._worker is None or self._worker.ended:
            self._worker = None
            self._worker = _started(self._source)
        return self._worker


def _started(source: Source) -> "_Worker":
    """A worker. Where loading ends the process, what was kept may be why: once more without."""
    try:
        return _Worker(source)
    except _DiedError as error:
        log.warning("%s: %s; once more", source.variant.name, error)
    try:
        return _Worker(dataclasses.replace(source, kept=None))
    except _DiedError as error:
        raise RefusedError(f"{source.variant.name} cannot be loaded: {error}") from None


class _DiedError(Exception):
    """The worker has gone; the message says how."""


class _Worker:
    """A worker process with the model of `source` loaded."""

    def __init__(self, source: Source) -> None:
        self.ended = False
        self._own = worker(source.variant.engine)
        content = self._own.content
        with contextlib.closing(content):
            try:
                opened = self._ask(_job(source, content), source.load_s, "loading the model")
            except EdgeRuntimeError:
                self._own.end()
                raise
        assert isinstance(opened, Opened)
        self.input = InputTensor(opened.kind, opened.shape)

    @property
    def process(self) -> int:
        """Its process id."""
        return self._own.process.pid

    def run(self, batch: UInt8, seconds: float) -> Outputs:
        """The outputs. Raises RefusedError, _DiedError."""
        if batch.dtype != np.uint8 or not batch.size:
            raise RefusedError(f"expected a batch of uint8, not {batch.dtype} {list(batch.shape)}")
        view = self._own.given.view(batch.nbytes)
        np.copyto(np.ndarray(batch.shape, np.uint8, view), batch)
        ran = self._ask(Run(batch.shape), seconds, "running the model")
        assert isinstance(ran, Ran)
        return _taken(ran, self._own.made)

    def _ask(self, question: Question, seconds: float, what: str) -> Answer:
        try:
            talk = self._own.talk
            talk.settimeout(seconds)
            send(talk, question)
            answer: Answer | None = receive(talk, Answer)  # type: ignore[arg-type]  # a union
        except TimeoutError:
            self.ended = True
            self._own.end()
            raise RefusedError(
                f"{what} took longer than {seconds:g} s; the engine hangs, or the model is too "
                "slow for this box"
            ) from None
        except OSError:
            answer = None
        if answer is None:
            fate = children.fate(self._own.process)
            self._own.end()
            raise _DiedError(f"the engine's process {fate} while {what}")
        if isinstance(answer, Refused):
            raise _KINDS.get(answer.exit_code, EdgeRuntimeError)(answer.error)
        return answer


def _taken(ran: Ran, region: Region) -> Outputs:
    """Copies of the outputs that lie in `region`."""
    view = region.view(max(placed.offset + placed.bytes for placed in ran.outputs.values()) or 1)
    return {
        name: np.frombuffer(view[placed.offset : placed.offset + placed.bytes], placed.kind)
        .reshape(placed.shape)
        .copy()
        for name, placed in ran.outputs.items()
    }


def _job(source: Source, content: Region) -> Open:
    """What to load; the files lie one after the other in `content`."""
    variant, files = source.variant, source.read()
    content.fill(files[name] for name in variant.files)
    return Open(
        engine=variant.engine,
        precision=variant.precision,
        main=variant.main,
        files=variant.files,
        threads=source.threads,
        kept=str(source.kept or ""),
        room=source.room,
        provider=source.provider,
    )
