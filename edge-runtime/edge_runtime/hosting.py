"""The models that are loaded here; each is replaced in one step while requests run."""

import contextlib
import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.apart import is_apart
from edge_runtime.contract import Outputs
from edge_runtime.engines import Session, UInt8
from edge_runtime.errors import EdgeRuntimeError, MissingError
from edge_runtime.proof import open_variant, self_test_release
from edge_runtime.running import Active
from edge_runtime.state import State


@dataclass(frozen=True)
class Loaded:
    """A release that this box has proven, and the session that runs it.

    The session takes calls from several threads at once.
    """

    active: Active
    session: Session


Tap = Callable[[Loaded, UInt8, Outputs | EdgeRuntimeError], None]
"""Is told of each inference: the batch (uint8 [N,h,w,3]) and what came of it. It runs in the
request's own time, so it keeps or counts what it needs and returns at once."""


class Host:
    """Models by name. Whoever took one keeps it until done, however often it is replaced."""

    def __init__(self, taps: tuple[Tap, ...] = ()) -> None:
        self._models: dict[str, Loaded] = {}
        self._lock = threading.Lock()
        self._taps = taps

    def get(self, name: str) -> Loaded:
        """What runs as `name` now. Raises MissingError when nothing does."""
        loaded = self._models.get(name)
        if loaded is None:
            known = ", ".join(sorted(self._models)) or "none"
            raise MissingError(f"no model {name!r} is loaded here (loaded: {known})")
        return loaded

    def names(self) -> tuple[str, ...]:
        """The names of all that is loaded."""
        return tuple(sorted(self._models))

    def put(self, name: str, loaded: Loaded) -> None:
        """Let `loaded` run as `name` from the next request on; what ran before ends with its
        last request."""
        with self._lock:
            self._models = {**self._models, name: loaded}

    def drop(self, name: str) -> None:
        """Let nothing run as `name` any more."""
        with self._lock:
            self._models = {key: value for key, value in self._models.items() if key != name}

    def run(self, name: str, batch: UInt8) -> tuple[Loaded, Outputs]:
        """The outputs for `batch` (uint8 [N,h,w,3]) of what runs as `name`, and who made them.

        Raises MissingError, or RefusedError when the session fails.
        """
        loaded = self.get(name)
        return loaded, self.run_on(loaded, batch)

    def run_on(self, loaded: Loaded, batch: UInt8) -> Outputs:
        """The same on what `get` gave: for a batch that was made to its input specification.

        Raises RefusedError when the session fails.
        """
        try:
            outputs = loaded.session.run(batch)
        except EdgeRuntimeError as error:
            self._tell(loaded, batch, error)
            raise
        self._tell(loaded, batch, outputs)
        return outputs

    def _tell(self, loaded: Loaded, batch: UInt8, result: Outputs | EdgeRuntimeError) -> None:
        for tap in self._taps:
            tap(loaded, batch, result)


def load_active(state: State, active: Active, threads: int) -> Loaded:
    """Load what is active, let it decide about its golden pictures, and hand on what passed.

    It may take seconds, so call it beside the requests. Raises MissingError, StorageError, or
    RefusedError when it does not load or decides otherwise than where it was proven.
    """
    variant, contents = active.variant, state.contents
    session: Session
    provider = active.slot.provider
    if is_apart(variant.engine, provider):
        from edge_runtime.engines.isolated import IsolatedSession, Source

        session = IsolatedSession(
            Source(
                variant,
                lambda: {name: contents.read(ref) for name, ref in variant.files.items()},
                threads,
                contents.built / variant.engine,
                contents.room(),
                provider=provider,
            )
        )
    else:
        session = open_variant(variant, contents, threads, provider)
    self_test_release(active.release, variant, session, contents)
    give_back_memory()
    return Loaded(active, session)


def give_back_memory() -> None:
    """Return free memory to the system: glibc keeps what a model has left, swap for swap."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
