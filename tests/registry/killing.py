"""Work in processes of its own, that may die between two writes."""

import os
from collections.abc import Callable
from pathlib import Path

KILLED = 9


def begun(apply: Callable[[], object], dies_at: int = 0) -> int:
    """Begin `apply` in a child process; returns its process id.

    It dies, without any clean-up, before its rename number `dies_at`; 0: it does not.
    """
    child = os.fork()
    if child != 0:
        return child
    done = [0]
    rename = Path.replace

    def dying(self: Path, target: Path) -> Path:
        done[0] += 1
        if done[0] == dies_at:
            os._exit(KILLED)
        return rename(self, target)

    Path.replace = dying  # type: ignore[method-assign,assignment]  # only in the child
    try:
        apply()
    except BaseException:  # noqa: BLE001 (the child must never return into pytest)
        os._exit(1)
    os._exit(0)


def ended(child: int) -> bool | None:
    """Whether a child that has ended was killed; None while it is at work."""
    found, status = os.waitpid(child, os.WNOHANG)
    return _killed(status) if found else None


def killed(child: int) -> bool:
    """Wait for a child; whether it was killed."""
    return _killed(os.waitpid(child, 0)[1])


def killed_at(write: int, apply: Callable[[], object]) -> bool:
    """Run `apply` in a child process that dies before its n-th rename; whether it got there."""
    return killed(begun(apply, write))


def _killed(status: int) -> bool:
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, KILLED}
    return code == KILLED
