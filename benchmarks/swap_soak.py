"""Releases take each other's place while requests run, for each engine in a process of its own.

`ENGINE.failed` counts requests that raised or that were answered otherwise than the release decides
that the host named; `p99_ratio` is their 99th percentile against that of stretches without swaps,
which come in turns with the others; `drift_mb_per_swap` the slope of resident memory, the worker's
included, after the first tenth. Four threads ask, at 0.4 of what one alone could.
The long form swaps 1,000 times under 100,000 requests.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from measured import Bound, Measured

SAYS = "requests while models are replaced: failures, latency, memory, for both engines"

_ENGINES: Final = ("onnxruntime", "openvino")
_SIDE: Final = Path(__file__).with_name("swap_soak_side.py")


def run(full: bool, /) -> Measured:
    """Swap."""
    swaps, requests = (1000, 100_000) if full else (100, 5_000)
    metrics: dict[str, float] = {}
    bounds: dict[str, Bound] = {}
    peers: dict[str, object] = {}
    for engine in _ENGINES:
        command = [sys.executable, str(_SIDE), engine, str(swaps), str(requests)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found = json.loads(done.stdout)
        peers[engine] = found
        ratio = round(found["p99_ms"] / found["quiet_p99_ms"], 3)
        metrics |= {
            f"{engine}.failed": found["failed"],
            f"{engine}.requests": found["requests"],
            f"{engine}.swaps": found["swaps"],
            f"{engine}.p99_ratio": ratio,
            f"{engine}.drift_mb_per_swap": found["drift_mb_per_swap"],
        }
        bounds |= {
            f"{engine}.failed": Bound("at_most", 0),
            f"{engine}.requests": Bound("at_least", requests),
            f"{engine}.p99_ratio": Bound("at_most", 2.0),
            f"{engine}.drift_mb_per_swap": Bound("at_most", 0.05),
        }
    return Measured(metrics, bounds=bounds, peers=peers)
