"""How the box is: CPU, memory, temperature, throttling, disk; as Linux tells it in files."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.contract import MachineHealth

_MB = 1e6
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Counters:
    """What the system counts: busy and all clock ticks of its CPUs, and throttling events."""

    busy: int = 0
    ticks: int = 0
    throttled: int | None = None


def look(
    disk: Path, before: Counters | None, root: Path = Path("/")
) -> tuple[MachineHealth, Counters]:
    """How the box is now, and its counters for the next look. `disk`: a path on the disk that is
    asked about; `root`: where /proc and /sys lie."""
    now = _counters(root)
    memory = _fields(root / "proc/meminfo").get("MemAvailable")
    own = _fields(root / "proc/self/status").get("VmRSS")
    ticks = now.ticks - before.ticks if before else 0
    throttled = None
    if before and before.throttled is not None and now.throttled is not None:
        throttled = max(0, now.throttled - before.throttled)
    health = MachineHealth(
        cpu=round((now.busy - before.busy) / ticks, 4) if before and ticks > 0 else None,
        memory_free_mb=None if memory is None else round(memory * 1024 / _MB, 1),
        process_mb=None if own is None else round(own * 1024 / _MB, 1),
        celsius=_hottest(root),
        throttled=throttled,
        disk_free_mb=_free(disk),
    )
    return health, now


def _counters(root: Path) -> Counters:
    busy = ticks = 0
    words = _text(root / "proc/stat").partition("\n")[0].split()
    if words[:1] == ["cpu"]:
        # user nice system idle iowait irq softirq steal; guest time is within user's (proc(5))
        times = [int(word) for word in words[1:9]]
        ticks = sum(times)
        busy = ticks - sum(times[3:5])
    pattern = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count"
    events = [value for path in root.glob(pattern) if (value := _number(path)) is not None]
    return Counters(busy, ticks, sum(events) if events else None)


def _hottest(root: Path) -> float | None:
    """The highest plausible temperature of any sensor; the files hold thousandths of a degree."""
    found = [value / 1000 for path in _sensors(root) if (value := _number(path)) is not None]
    plausible = [celsius for celsius in found if 0 < celsius < 150]  # broken sensors say 0 or 255
    return max(plausible, default=None)


def _sensors(root: Path) -> Iterator[Path]:
    yield from root.glob("sys/class/thermal/thermal_zone*/temp")
    yield from root.glob("sys/class/hwmon/hwmon*/temp*_input")


def _free(disk: Path) -> float | None:
    try:
        found = os.statvfs(disk)
    except OSError:
        return None
    return round(found.f_bavail * found.f_frsize / _MB, 1)


def _fields(path: Path) -> dict[str, int]:
    """The numbers of a file of lines as `MemAvailable:  1234 kB`."""
    found = {}
    for line in _text(path).splitlines():
        key, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[key] = int(words[0])
    return found


def _number(path: Path) -> int | None:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    """What the file says, "" where it cannot be read: a sensor may go, and some never answer."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return ""
