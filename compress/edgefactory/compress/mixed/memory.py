"""Work that is dear in memory, in a process of its own that is ended when it takes too much.

An allocation that fails is not a way to keep a cap: engines say it in many ways, and where a thread
cannot be started some wait for ever (OpenVINO 2026.4 under RLIMIT_DATA did). So the process looks
at its own resident memory every few milliseconds and ends itself, and what it took is free again.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.workers import spread

Work = Callable[[Path], None]  # from files to files in a folder; to be picklable

_LOOK_SECONDS: Final = 0.005
_MEBI: Final = 2**20


def alone(work: Work, folder: Path, cap: int | None, what: str) -> None:
    """Do `work` in a process without torch, which NNCF would load (490 MB) and not use.

    `cap`: MiB that the process may hold, its libraries included (some 100); None sets none. `what`
    says what was to be done. Raises InputError when it takes more, and what `work` raises.
    """
    try:
        with closing(spread(partial(_watched, work, cap), [folder], 1)) as done:
            for _ in done:
                pass
    except MissingError as error:  # it was killed
        if cap is None:
            raise
        raise InputError(
            f"{what} takes more than the {cap} MiB that it may; allow more, or calibrate at a "
            "smaller input of the model"
        ) from error


def _watched(work: Work, cap: int | None) -> Work:
    """What the process does first."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # how Python is told not to import it
    if cap is not None:
        threading.Thread(target=_watch, args=(cap * _MEBI,), daemon=True).start()
    return work


def _watch(most: int) -> None:
    page, statm = resource.getpagesize(), Path("/proc/self/statm")
    while int(statm.read_text().split()[1]) * page <= most:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
