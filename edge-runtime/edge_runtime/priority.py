"""Who goes first where there are more threads than cores: requests, before a model that loads."""

import contextlib
import os
import resource
from pathlib import Path
from typing import Final

_YIELDS: Final = 10  # more than its parent's, as `nice` has it
_CAP_SYS_NICE: Final = 1 << 23


def let_pass(process: int) -> None:
    """Let others go before `process`, a child of ours that has just begun.

    Nothing is done where it could not come back: that takes a right that not every user has
    (LimitNICE=+0 in a unit of systemd).
    """
    own = os.getpriority(os.PRIO_PROCESS, 0)
    limit = resource.getrlimit(resource.RLIMIT_NICE)[0]
    may = limit == resource.RLIM_INFINITY or 20 - limit <= own
    if may or _capabilities() & _CAP_SYS_NICE:
        with contextlib.suppress(OSError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process, own + _YIELDS)


def come_back() -> None:
    """Let all threads of this process be what its parent is again."""
    usual = os.getpriority(os.PRIO_PROCESS, os.getppid())
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            os.setpriority(os.PRIO_PROCESS, int(thread.name), usual)


def _capabilities() -> int:
    """The effective ones of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
