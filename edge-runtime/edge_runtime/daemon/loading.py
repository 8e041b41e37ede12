"""A release is loaded and self-tested in a thread of its own while the others serve."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_runtime.daemon.gauge import Gauged
from edge_runtime.errors import EdgeRuntimeError, RefusedError
from edge_runtime.hosting import Loaded, load_active
from edge_runtime.running import of_slot
from edge_runtime.state import State
from edge_runtime.store import Slot


@dataclass
class Loading:
    """The load of `slot`, from when it is made. `result` is None until it has ended; then `wake` is
    called."""

    state: State
    slot: Slot
    threads: int
    wake: Callable[[], None]
    result: Loaded | EdgeRuntimeError | None = None
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def found(self, limit: float) -> Loaded | EdgeRuntimeError | None:
        """What it came to; RefusedError also when it takes longer than `limit` seconds.

        A thread that hangs cannot be ended; it is left behind, and sleeps or spins, niced.
        """
        if self.result is not None:
            return self.result
        if time.monotonic() - self.since > limit:
            return RefusedError(f"its load or self-test hangs: no end in {limit:g} s")
        if not self._thread.is_alive() and self.result is None:
            return RefusedError("its load ended without a result; stderr says more")
        return None

    def _run(self) -> None:
        try:
            active = of_slot(self.state, self.slot)
            loaded = load_active(self.state, active, self.threads)
            self.result = Loaded(active, Gauged(loaded.session, active.release))
        except EdgeRuntimeError as error:
            self.result = error
        except MemoryError:
            self.result = RefusedError("there is not enough memory to load it")
        self.wake()
