"""Tries a row of fuzz cases on one target in this process, within a bound of memory.

`fuzz_child.py FOLDER TARGET FIRST END`: the cases from FIRST on, before END. `FOLDER/case` holds
the number of the case that is being tried, so that whoever watches knows which one ended or held
the process; problems are added to `FOLDER/problems.jsonl`.
"""

import faulthandler
import mmap
import os
import resource
import struct
import sys
import warnings
from pathlib import Path

MEMORY_BYTES = 2**30  # what a case may take beside what is loaded
CASE = struct.Struct("<q")


def main(folder: Path, name: str, first: int, end: int) -> None:
    """Try the cases."""
    sys.path.insert(0, str(Path(__file__).parent.parent))  # the targets are those of the tests
    from tests.edge_runtime.fuzz_targets import TARGETS, opened
    from tests.edge_runtime.fuzzing import problem, write_problem

    faulthandler.enable()
    warnings.simplefilter("ignore")
    make = {target.__name__: target for target in TARGETS}[name]
    with (
        (folder / "case").open("r+b") as file,
        mmap.mmap(file.fileno(), CASE.size) as case,
        opened(make, folder) as target,  # last: `server` counts the descriptors that are open
    ):
        resource.setrlimit(resource.RLIMIT_AS, (_used() + MEMORY_BYTES,) * 2)
        for number in range(first, end):
            case[:] = CASE.pack(number)
            text = problem(target, number)
            if text:
                write_problem(folder / "problems.jsonl", name, number, text)


def _used() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
