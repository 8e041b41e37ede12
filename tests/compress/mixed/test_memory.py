"""A cap on memory, kept by processes of their own that are ended when they take more."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgefactory.compress.mixed import IrForm, PortableForm, ranked
from edgefactory.datasets.errors import InputError

UInt8 = npt.NDArray[np.uint8]

CAP = 400  # MiB, libraries included

# A whole search under a cap; says how far this process grew and what its children held, in MiB.
SEARCH = """
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
import numpy as np
from edgefactory.compress.mixed import Drop, PortableForm, ranked, search

def main():
    model, pictures, cap = Path(sys.argv[1]).read_bytes(), list(np.load(sys.argv[2])), 400
    before = getrusage(RUSAGE_SELF).ru_maxrss
    quiet = lambda *_: None
    made = []
    def judge(model):
        made.append(model)
        return (Drop("all", "all", 0.0 if len(made) > 1 else 0.1, 0.01, 9),)
    form = PortableForm(model, pictures, cap=cap)
    found = search(form.make, judge, lambda: ranked(model, pictures, quiet, cap), quiet)
    grown = getrusage(RUSAGE_SELF).ru_maxrss - before
    held = getrusage(RUSAGE_CHILDREN).ru_maxrss
    print(grown // 1024, held // 1024, len(found.tried))

if __name__ == "__main__":
    main()
"""

pytestmark = pytest.mark.component


def test_a_search_keeps_its_cap(detector: bytes, pictures: list[UInt8], tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(detector)
    (tmp_path / "search.py").write_text(SEARCH)
    np.save(tmp_path / "pictures.npy", np.stack(pictures))
    command = [sys.executable, "search.py", "model.onnx", "pictures.npy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    grown, held, tried = (int(word) for word in done.stdout.split())
    assert grown < 20
    assert held <= CAP
    assert tried > 1


def test_too_small_a_cap_is_said_in_a_line(detector: bytes, pictures: list[UInt8]) -> None:
    for work in (
        lambda: IrForm(detector, pictures, cap=60).make(()),
        lambda: PortableForm(detector, pictures, cap=60).make(()),
        lambda: ranked(detector, pictures, lambda *_: None, cap=60),
    ):
        with pytest.raises(InputError, match="takes more than the 60 MiB that it may") as caught:
            work()
        assert "\n" not in str(caught.value)


def test_under_a_cap_the_same_is_made(detector: bytes, pictures: list[UInt8]) -> None:
    capped, free = PortableForm(detector, pictures, cap=CAP), PortableForm(detector, pictures)
    assert capped.make(("near",)) == free.make(("near",))
