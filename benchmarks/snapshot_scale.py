"""How the work on manifests grows: check, diff, merge and split at 1k, 10k and 100k pictures.

FULL=1 goes on to 1M. The manifests are generated (`scale_steps`); no picture is opened or linked.
Three diffs: 1% of the pictures gone, 1% new, 1% in another split, 1% with other labels (`few`);
other labels on every picture (`all`); the same lines in another order (`shuffled`). Merge joins two
snapshots that share half of their pictures, with other labels there; split divides by time. Both
write the new manifest.

Seconds are of CPU: the steps use one thread, and others may be busy on the machine; wall seconds
stand beside. `diff_1m_seconds` is the worst of the three diffs at the largest size, in the short
form scaled to 1M. `growth_exponent` is the slope of log(seconds) over log(pictures) between the
two largest sizes, the worst of all steps; 1 is linear. `peak_gb` is the largest resident set of
any step at any size. The floor: both manifests read line by line and compared as bytes.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from measured import Bound, Measured
from scale_steps import STEPS

SAYS = "check, diff, merge and split of snapshots with up to a million pictures"

SIZES = (1_000, 10_000, 100_000)
LARGEST = 1_000_000
SECONDS = 900  # a step may take
STEPS_FILE = Path(__file__).with_name("scale_steps.py")


def run(full: bool, /) -> Measured:
    """Measure every step at every size."""
    sizes = (*SIZES, LARGEST) if full else SIZES
    found: dict[str, dict[int, dict[str, float]]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="snapshot-scale-") as folder:
            _step("make", Path(folder), size)
            for step in STEPS:
                if step != "make":
                    found.setdefault(step, {})[size] = _step(step, Path(folder), size)
    return _measured(found, sizes)


def _measured(found: dict[str, dict[int, dict[str, float]]], sizes: tuple[int, ...]) -> Measured:
    last, before = sizes[-1], sizes[-2]
    steps = [name for name in found if name != "read"]
    growth = {
        name: math.log(found[name][last]["cpu_seconds"] / found[name][before]["cpu_seconds"])
        / math.log(last / before)
        for name in steps
    }
    scale = LARGEST / last
    diffs = {name: found[name][last]["cpu_seconds"] * scale for name in steps if "diff" in name}
    metrics = {
        "diff_1m_seconds": round(max(diffs.values()), 2),
        "peak_gb": round(max(found[name][last]["gb"] for name in steps), 3),
        "growth_exponent": round(max(growth.values()), 3),
    }
    bounds = {
        "diff_1m_seconds": Bound("at_most", 20.0),
        "peak_gb": Bound("at_most", 2.0),
        "growth_exponent": Bound("at_most", 1.15),
    }
    peers: dict[str, object] = {
        "largest": last,
        "steps": {name: {str(size): one for size, one in by.items()} for name, by in found.items()},
        "growth": {name: round(value, 3) for name, value in growth.items()},
    }
    floor = {"diff_1m_seconds": round(found["read"][last]["cpu_seconds"] * scale, 2)}
    return Measured(metrics, floor, bounds, peers)


def _step(name: str, folder: Path, size: int) -> dict[str, float]:
    """Run one step in a process of its own: its seconds and its peak memory in GB."""
    sys.stderr.write(f"{name} {size}\n")
    done = subprocess.run(
        [sys.executable, STEPS_FILE, name, str(folder), str(size)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result
