"""A cap on the memory that a search may take beyond what its process holds already.

The kernel keeps it: RLIMIT_DATA bounds what is private and writable, which is what a process can
make grow (Linux 4.7 and later, getrlimit(2)). What does not fit is refused in one line.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.onnx_sessions import ort_refusals

_MEBI: Final = 2**20
_SAYS: Final = re.compile(r"bad.?alloc|allocate|out of memory", re.IGNORECASE)


@contextmanager
def capped(megabytes: int | None, what: str) -> Iterator[None]:
    """Let this process grow by no more than `megabytes` (MiB) in the block; None sets no cap.

    Raises InputError when it would; `what` says what was to be done.
    """
    if megabytes is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_bytes() + megabytes * _MEBI
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    except _failures() as error:
        if not isinstance(error, MemoryError) and not _SAYS.search(str(error)):
            raise
        raise InputError(
            f"{what} needs more than the {megabytes} MiB that it may take; allow more, or make the "
            "model's input smaller"
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def data_bytes() -> int:
    """What RLIMIT_DATA counts of this process now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmData")


def _failures() -> tuple[type[Exception], ...]:
    """What is raised when an allocation fails: numpy's, OpenVINO's, ONNX Runtime's."""
    return (MemoryError, RuntimeError, *ort_refusals())
