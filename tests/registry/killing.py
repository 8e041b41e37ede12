"""Work that dies between two writes."""

import os
from collections.abc import Callable
from pathlib import Path


def killed_at(write: int, apply: Callable[[], object]) -> bool:
    """Run `apply` in a child process that dies, without any clean-up, before its n-th rename."""
    child = os.fork()
    if child == 0:
        done = [0]
        rename = Path.replace

        def dying(self: Path, target: Path) -> Path:
            done[0] += 1
            if done[0] == write:
                os._exit(9)
            return rename(self, target)

        Path.replace = dying  # type: ignore[method-assign,assignment]  # only in the child
        try:
            apply()
        except BaseException:  # noqa: BLE001 (the child must never return into pytest)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, 9}
    return code == 9
