"""Requests run together only where it pays and changes nothing."""

from dataclasses import dataclass

import numpy as np
import pytest

from edge_runtime.contract import Outputs
from edge_runtime.engines import InputTensor, UInt8
from edge_runtime.errors import RefusedError
from edge_runtime.serving.batching import largest, sizes_that_pay


@dataclass
class _Graph:
    """Takes `fixed_s` a run and `each_s` a picture, on its own clock; `drift` spoils batches."""

    fixed_s: float = 0.002
    each_s: float = 0.0
    drift: float = 0.0
    batch: int | None = None
    most: int = 99
    now: float = 0.0

    @property
    def input(self) -> InputTensor:
        return InputTensor("uint8", (self.batch, 2, 2, 3))

    def run(self, batch: UInt8) -> Outputs:
        if len(batch) > self.most:
            raise RefusedError("too many")
        self.now += self.fixed_s + self.each_s * len(batch)
        sums = batch.sum((1, 2, 3), np.int64).astype(np.float32)
        return {"sums": sums + (self.drift if len(batch) > 1 else 0)}


def test_a_graph_that_is_cheaper_by_the_dozen_runs_batches() -> None:
    graph = _Graph()
    assert sizes_that_pay(graph, lambda: graph.now) == (2, 4, 8)


@pytest.mark.parametrize(
    "graph",
    [
        _Graph(fixed_s=0, each_s=0.002),  # each picture costs the same
        _Graph(drift=1e-3),  # a picture is decided about otherwise in company
        _Graph(batch=1),
        _Graph(most=1),  # says that it takes any number
    ],
)
def test_others_run_alone(graph: _Graph) -> None:
    assert sizes_that_pay(graph, lambda: graph.now) == ()


def test_only_sizes_that_were_tried_are_used() -> None:
    assert [largest((2, 4, 8), waiting) for waiting in (1, 2, 3, 7, 9)] == [1, 2, 2, 4, 8]
    assert largest((), 5) == 1
