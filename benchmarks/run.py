"""Lists the benchmarks, or runs one: `python benchmarks/run.py [NAME]`, long form with FULL=1.

The last line on stdout is one JSON object; progress goes to stderr. Exit codes are those of
`edgefactory`; 4 when a bound is not reached.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import Protocol

import auto_label_throughput
import compress_speed
import compress_vs_nncf
import data_check
import gate_errors
import label_bound
import label_next
import main_job
import parity_localise
import poll_16000
import promotion_race
import publish_scale
import snapshot_scale
import specialise
import tensorrt_int8
import train_throughput
import tune_budget
import update_bytes
from measured import Measured


class Benchmark(Protocol):
    """A module of this folder."""

    SAYS: str

    def run(self, full: bool, /) -> Measured:
        """Measure."""


BENCHMARKS: Mapping[str, Benchmark] = {
    "auto-label-throughput": auto_label_throughput,
    "compress-speed": compress_speed,
    "compress-vs-nncf": compress_vs_nncf,
    "data-check": data_check,
    "gate-errors": gate_errors,
    "label-bound": label_bound,
    "label-next": label_next,
    "main-job": main_job,
    "parity-localise": parity_localise,
    "poll-16000": poll_16000,
    "promotion-race": promotion_race,
    "publish-scale": publish_scale,
    "snapshot-scale": snapshot_scale,
    "specialise": specialise,
    "tensorrt-int8": tensorrt_int8,
    "train-throughput": train_throughput,
    "tune-budget": tune_budget,
    "update-bytes": update_bytes,
}

BROKEN = 4


def main(arguments: list[str]) -> int:
    """Run the benchmark that `arguments` name, or list all."""
    if not arguments:
        for name, benchmark in BENCHMARKS.items():
            sys.stdout.write(f"{name:<22} {benchmark.SAYS}\n")
        return 0
    name = arguments[0]
    if name not in BENCHMARKS:
        sys.stderr.write(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}\n")
        return 2
    started = time.monotonic()
    found = BENCHMARKS[name].run(os.environ.get("FULL") == "1")
    line = found.document(name, time.monotonic() - started)
    sys.stdout.write(json.dumps(line) + "\n")
    return BROKEN if found.broken() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
