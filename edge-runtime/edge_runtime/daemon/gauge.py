"""How a loaded model does: requests, errors, latency of late; kept by the session that runs it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge_runtime.contract import Outputs, Release, Task, all_finite
from edge_runtime.engines import InputTensor, Session, UInt8
from edge_runtime.errors import RefusedError

KEPT = 1024  # latencies, the latest
ENOUGH = 200  # of them say something about p99
_AXES: Mapping[Task, Mapping[str, int]] = {
    "classification": {"probabilities": 2},
    "detection": {"boxes": 3, "scores": 2, "labels": 2},
    "embedding": {"embedding": 2},
}


@dataclass(frozen=True)
class Reading:
    """Requests and errors so far, `odd` (outputs against the contract), and p99 of the latest
    latencies (ms; None while there are too few)."""

    requests: int
    errors: int
    odd: str
    p99_ms: float | None


class Gauged:
    """A session that keeps its own figures, and lets no odd outputs out.

    Called from several threads without a lock: a count that two of them raise at once may lose
    one, which no verdict hangs on.
    """

    def __init__(self, session: Session, release: Release) -> None:
        self._session, self._release = session, release
        self._ms = np.zeros(KEPT)
        self._requests = self._errors = 0
        self._odd = ""

    @property
    def input(self) -> InputTensor:
        """The graph's one input."""
        return self._session.input

    def run(self, batch: UInt8) -> Outputs:
        """As the session's; also raises RefusedError for outputs against the graph contract."""
        start = time.perf_counter()
        self._requests += 1
        try:
            outputs = self._session.run(batch)
        except RefusedError:
            self._errors += 1
            raise
        self._ms[self._requests % KEPT] = (time.perf_counter() - start) * 1000
        odd = oddness(self._release.task, outputs, len(batch))
        if odd:
            self._errors += 1
            self._odd = odd
            raise RefusedError(f"{self._release.name} {self._release.version}: {odd}")
        return outputs

    def reading(self) -> Reading:
        """The figures now."""
        ms = self._ms[self._ms > 0]
        p99 = float(np.percentile(ms, 99)) if len(ms) >= ENOUGH else None
        return Reading(self._requests, self._errors, self._odd, p99)


def oddness(task: Task, outputs: Outputs, pictures: int) -> str:
    """How `outputs` for so many pictures break the graph contract: missing, of another shape, not
    finite. "" when they do not. A few microseconds; `decide` looks at each picture closer."""
    for name, axes in _AXES[task].items():
        if name not in outputs:
            return f"no output {name}"
        value = np.asarray(outputs[name])
        if value.ndim != axes or len(value) != pictures:
            return f"{name} of shape {value.shape} for {pictures} pictures"
        if value.dtype.kind == "f" and not all_finite(value):
            return f"{name} are not finite numbers"
    return _misfit(outputs) if task == "detection" else ""


def _misfit(outputs: Outputs) -> str:
    boxes, scores, labels = (np.shape(outputs[name]) for name in ("boxes", "scores", "labels"))
    if boxes == (*scores, 4) and labels == scores:
        return ""
    return f"boxes {boxes}, scores {scores} and labels {labels} do not fit together"
