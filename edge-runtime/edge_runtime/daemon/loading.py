"""A release is loaded and self-tested in a thread of its own while the others serve.

What this box once chose of a release may no longer load: a driver has gone, or a package. Then what
else of the same release lies here is loaded and self-tested, and the fastest takes its place.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import msgspec

from edge_runtime import proof
from edge_runtime.contract import Engine, Release
from edge_runtime.daemon.gauge import Gauged
from edge_runtime.errors import EdgeRuntimeError, RefusedError
from edge_runtime.hardware import hardware_classes
from edge_runtime.hosting import Loaded, load_active
from edge_runtime.running import of_slot
from edge_runtime.state import State
from edge_runtime.store import Slot


@dataclass(frozen=True)
class Job:
    """Load `slot` with `threads`. Where `failed` says why that cannot be done: what else of its
    release can take its place, run by `engine` (None: by any)."""

    slot: Slot
    threads: int
    engine: Engine | None = None
    failed: EdgeRuntimeError | None = None


@dataclass
class Loading:
    """The work on `job`, from when it is made. `result` is None until it has ended; then `wake` is
    called."""

    state: State
    job: Job
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
            loaded = _loaded if self.job.failed is None else _another
            self.result = loaded(self.state, self.job)
        except EdgeRuntimeError as error:
            self.result = error
        except MemoryError:
            self.result = RefusedError("there is not enough memory to load it")
        self.wake()


def _loaded(state: State, job: Job) -> Loaded:
    active = of_slot(state, job.slot)
    loaded = load_active(state, active, job.threads)
    return Loaded(active, Gauged(loaded.session, active.release))


def _another(state: State, job: Job) -> Loaded:
    """The fastest of what else of the release lies here whole and passes its self-test.

    Raises what has `failed` where there is nothing to try, RefusedError where nothing passes.
    """
    assert job.failed is not None
    try:
        release = of_slot(state, job.slot).release
    except EdgeRuntimeError:
        raise job.failed from None
    best: Loaded | None = None
    best_ms = float("inf")
    refused: dict[str, str] = {}
    for slot in _others(state, job, release):
        try:
            found = load_active(state, of_slot(state, slot), job.threads)
            ms = proof.measure(found.session, proof.golden_pictures(release, state.contents)[0])
        except EdgeRuntimeError as error:
            refused[slot.chosen] = str(error)
            continue
        if ms < best_ms:
            best, best_ms = found, ms
    if best is not None:
        slot = msgspec.structs.replace(best.active.slot, ms=round(best_ms, 4))
        return Loaded(replace(best.active, slot=slot), Gauged(best.session, release))
    if not refused:
        raise job.failed
    text = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
    raise RefusedError(f"{job.failed}; nor does {text}")


def _others(state: State, job: Job, release: Release) -> Iterator[Slot]:
    """Slots of the same release with all else that may run here; nothing is fetched for them."""
    usable, _ = proof.candidates(release, hardware_classes(), job.engine)
    now = round(time.time(), 3)
    for candidate in usable:
        variant = candidate.variant
        slot = msgspec.structs.replace(
            job.slot,
            variant=variant.name,
            engine=variant.engine,
            provider=candidate.provider,
            since=now,
        )
        if slot.chosen != job.slot.chosen and all(
            map(state.contents.holds, variant.files.values())
        ):
            yield slot
