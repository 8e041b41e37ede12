"""Energy of inferences, where the processor counts it and lets us read (Linux powercap, RAPL).

The counters are of whole packages: what else the box does is in them. Where there are none, or only
root may read them (most kernels since 2020), nothing is measured and nothing is claimed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

POWERCAP: Final = Path("/sys/class/powercap")
_PACKAGES: Final = "intel-rapl:[0-9]"  # AMD's processors are there under the same name
_SECONDS: Final = 0.3  # that a model runs; counters move every millisecond


@dataclass(frozen=True)
class Counter:
    """A package's counter of microjoules, which begins again at 0 after `wraps`."""

    path: Path
    wraps: int

    def read(self) -> int:
        """Microjoules since some time."""
        return int(self.path.read_text(encoding="ascii"))


def counters(folder: Path = POWERCAP) -> tuple[Counter, ...]:
    """The counters of all packages; empty where there is none, or one that we may not read."""
    found = []
    for package in sorted(folder.glob(_PACKAGES)):
        try:
            wraps = int((package / "max_energy_range_uj").read_text(encoding="ascii"))
            counter = Counter(package / "energy_uj", wraps)
            counter.read()
        except (OSError, ValueError):
            return ()
        found.append(counter)
    return tuple(found)


def millijoules(
    call: Callable[[], object], packages: tuple[Counter, ...], seconds: float = _SECONDS
) -> tuple[float, int]:
    """Millijoules a call, and how many calls it is the mean of."""
    before = [counter.read() for counter in packages]
    end, calls = time.monotonic() + seconds, 0
    while calls == 0 or time.monotonic() < end:
        call()
        calls += 1
    used = sum(
        (counter.read() - start) % (counter.wraps + 1)
        for counter, start in zip(packages, before, strict=True)
    )
    return used / 1000 / calls, calls
