"""The process that swaps: `swap_soak_side.py ENGINE SWAPS REQUESTS`, a JSON object at its end.

Threads ask a `Host` for decisions at a steady pace, while one release takes the other's place again
and again, spread over the requests; between stretches of swaps there are such without any. A
request fails when it raises, or when its answer is not that of the release which the host names.
"""

import json
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.contract import decide
from edge_runtime.engines.isolated import IsolatedSession
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.hosting import Host, Loaded, give_back_memory, load_active
from edge_runtime.state import State
from ten_megabytes import activate, picture

THREADS: Final = 4
LOAD: Final = 0.4  # of what one thread alone could do
STRETCHES: Final = 20  # of swaps, each after one without any
QUIET: Final = 0.15  # of a stretch's requests, before it
NAME: Final = "ten-megabytes"


@dataclass
class Asking:
    """Threads that ask until told to stop. Latencies in seconds, from the call to its answer, by
    whether releases were being replaced when it was asked."""

    host: Host
    expected: Mapping[int, int]
    pause: float
    latencies: Mapping[bool, "array[float]"] = field(
        default_factory=lambda: {False: array("d"), True: array("d")}
    )
    swapping: bool = False
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Asking":
        self._threads = [threading.Thread(target=self._ask) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()

    def until(self, swapping: bool, requests: int) -> None:
        """Wait for so many requests of a kind, the failed ones included."""
        while len(self.latencies[swapping]) + len(self.failures) < requests:
            time.sleep(0.001)

    def _ask(self) -> None:
        batch = picture(0)[None]
        due = time.perf_counter()
        while not self.stop.is_set():
            due = max(due + self.pause, time.perf_counter())
            time.sleep(max(0.0, due - time.perf_counter()))
            taken = self.latencies[self.swapping]
            start = time.perf_counter()
            try:
                who, outputs = self.host.run(NAME, batch)
            except EdgeRuntimeError as error:
                self.failures.append(str(error))
                continue
            taken.append(time.perf_counter() - start)
            found = decide("classification", outputs, 0, 0.0).labels[0]
            sequence = who.active.release.sequence
            del who
            if found != self.expected[sequence]:
                self.failures.append(f"release {sequence} said {found}")


def main() -> None:
    """Soak, and say what came of it."""
    engine, swaps, requests = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if engine not in ("onnxruntime", "openvino"):
        sys.exit(f"no engine {engine!r}")
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        releases = [activate(state, engine, sequence) for sequence in (1, 2)]  # type: ignore[arg-type]  # checked above
        expected = {
            active.release.sequence: active.release.golden.cases[0].expected[NAME].labels[0]
            for active in releases
        }
        host = Host()
        host.put(NAME, load_active(state, releases[0], 1))
        pause = THREADS * _seconds(host) / LOAD
        memory: list[float] = []
        handles = len(list(Path("/proc/self/fd").iterdir()))
        with Asking(host, expected, pause) as asking:
            for stretch in range(STRETCHES):
                asking.swapping = False
                asking.until(False, int(QUIET * requests * (stretch + 1) / STRETCHES))
                asking.swapping = True
                for number in range(
                    swaps * stretch // STRETCHES, swaps * (stretch + 1) // STRETCHES
                ):
                    asking.until(True, (number + 1) * requests // swaps)
                    host.put(NAME, load_active(state, releases[(number + 1) % 2], 1))
                    give_back_memory()
                    memory.append(_megabytes(host.get(NAME)))
                sys.stderr.write(
                    f"{engine}: {len(memory)} swaps, {len(asking.latencies[True])} requests, "
                    f"{len(asking.failures)} failed, {memory[-1]:.1f} MB\n"
                )
        busy, quiet = asking.latencies[True], asking.latencies[False]
        found = {
            "swaps": len(memory),
            "requests": len(busy) + len(asking.failures),
            "failed": len(asking.failures),
            "first_failure": next(iter(asking.failures), ""),
            "p99_ms": _ms(busy, 99),
            "quiet_p99_ms": _ms(quiet, 99),
            "p50_ms": _ms(busy, 50),
            "quiet_p50_ms": _ms(quiet, 50),
            "drift_mb_per_swap": _slope(memory[len(memory) // 10 :]),
            "mb": [round(value, 1) for value in memory[:: max(1, len(memory) // 100)]],
            "handles": len(list(Path("/proc/self/fd").iterdir())) - handles,
        }
    sys.stdout.write(json.dumps(found) + "\n")


def _seconds(host: Host) -> float:
    batch, taken = picture(0)[None], []
    for _ in range(50):
        start = time.perf_counter()
        host.run(NAME, batch)
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _ms(latencies: "array[float]", percent: float) -> float:
    return round(float(np.percentile(latencies, percent)) * 1000, 3)


def _slope(memory: list[float]) -> float:
    """MB a swap, by least squares."""
    return round(float(np.polyfit(np.arange(len(memory)), memory, 1)[0]), 5)


def _megabytes(loaded: Loaded) -> float:
    """Resident memory of this process, and of the worker where there is one."""
    session = loaded.session
    processes = ["self", *([session.process] if isinstance(session, IsolatedSession) else [])]
    return sum(_resident(f"/proc/{process}/status") for process in processes)


def _resident(path: str) -> float:
    for line in Path(path).read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
