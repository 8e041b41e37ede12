"""What goes into an engine and comes out of it, where NumPy is not loaded."""

from typing import NamedTuple


class InputTensor(NamedTuple):
    """What a graph takes: `kind` as numpy names it ("uint8"); a free axis of `shape` is None."""

    kind: str
    shape: tuple[int | None, ...]


class OutputTensor(NamedTuple):
    """What a graph gave: `kind` as numpy names it, and its bytes (row by row), which stay as they
    are until the next run."""

    kind: str
    shape: tuple[int, ...]
    data: memoryview
