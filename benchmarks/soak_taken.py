"""What a daemon and its processes take, as Linux tells it in /proc, and its state on the disk."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """Resident megabytes of the daemon and of its workers; what it has open; its state's files."""

    mb: float
    workers_mb: float
    workers: int
    zombies: int
    descriptors: int
    threads: int
    files: int
    state_bytes: int


def taken(process: int, state: Path) -> Taken:
    """What `process` takes now, with the state folder `state`."""
    below = _children(process)
    workers = [child for child in below if _runs(child, "edge_runtime.engines.worker")]
    sizes = [size for size in map(_size, state.rglob("*")) if size is not None]
    return Taken(
        mb=resident_mb(process),
        workers_mb=sum(map(resident_mb, workers)),
        workers=len(workers),
        zombies=sum(_fields(child)[0] == "Z" for child in below),
        descriptors=_entries(process, "fd"),
        threads=_entries(process, "task"),
        files=len(sizes),
        state_bytes=sum(sizes),
    )


def resident_mb(process: int) -> float:
    """What is resident of `process`; 0 when it has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def is_polling(process: int) -> bool:
    """Whether an updater of the daemon `process` is at work."""
    return any(_runs(child, "once") for child in _children(process))


def cpu_s(process: int) -> float:
    """Seconds of CPU that `process`, its children that have ended, and its workers have used."""
    own = sum(int(value) for value in _fields(process)[11:15])
    workers = sum(int(v) for child in _children(process) for v in _fields(child)[11:13])
    return (own + workers) / _TICKS


def _children(process: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _fields(int(entry.name))
            if int(fields[1]) == process:
                found.append(int(entry.name))
    return found


def _fields(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; of a process that has gone: none used."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ["X", *["0"] * 20]
    return text.rpartition(")")[2].split()


def _runs(process: int, argument: str) -> bool:
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return argument.encode() in command.split(b"\0")


def _entries(process: int, kind: str) -> int:
    return sum(1 for _ in Path(f"/proc/{process}/{kind}").iterdir())


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:  # it gave way meanwhile
        return None
