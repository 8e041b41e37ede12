"""How long a model takes, here or at a device's address, and what was measured before.

`LocalBench`, `DeviceBench` and `CachedBench` are one `Bench`: what searches for a model asks it and
need not know where the answer comes from. The other names serve `edgefactory bench`.
"""

from edgefactory.compress.bench.cached import CachedBench
from edgefactory.compress.bench.candidates import (
    Candidate,
    candidates,
    engines_here,
    floor_ms,
    peak_of,
)
from edgefactory.compress.bench.device import DeviceBench
from edgefactory.compress.bench.local import HERE, LocalBench, measure_here
from edgefactory.compress.bench.protocol import Bench

__all__ = [
    "HERE",
    "Bench",
    "CachedBench",
    "Candidate",
    "DeviceBench",
    "LocalBench",
    "candidates",
    "engines_here",
    "floor_ms",
    "measure_here",
    "peak_of",
]
