"""What a model on probation is judged by, and that nothing odd gets out."""

import numpy as np
import pytest

from edge_runtime.contract import Outputs
from edge_runtime.daemon.gauge import ENOUGH, Gauged, oddness
from edge_runtime.engines import InputTensor, UInt8
from edge_runtime.errors import RefusedError

from ..models import build

GOOD: Outputs = {
    "boxes": np.zeros((1, 2, 4), np.float32),
    "scores": np.zeros((1, 2), np.float32),
    "labels": np.zeros((1, 2), np.int64),
}
RELEASE = build(1).release


class Answers:
    """A session that gives, or raises, one thing after the other."""

    input = InputTensor("uint8", (None, 48, 64, 3))

    def __init__(self, *answers: Outputs | RefusedError) -> None:
        self._answers = list(answers)

    def run(self, batch: UInt8) -> Outputs:
        answer = self._answers.pop(0)
        if isinstance(answer, RefusedError):
            raise answer
        return answer


BATCH = np.zeros((1, 48, 64, 3), np.uint8)


def test_requests_errors_and_latency_are_counted() -> None:
    session = Gauged(Answers(*[GOOD] * ENOUGH, RefusedError("x")), RELEASE)
    for number in range(ENOUGH):
        assert session.run(BATCH) is GOOD
        assert (session.reading().p99_ms is not None) == (number == ENOUGH - 1)
    with pytest.raises(RefusedError, match="x"):
        session.run(BATCH)
    reading = session.reading()
    assert (reading.requests, reading.errors, reading.odd) == (ENOUGH + 1, 1, "")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"scores": np.full((1, 2), np.nan, np.float32)}, "scores are not finite"),
        ({"boxes": np.full((1, 2, 4), np.inf, np.float32)}, "boxes are not finite"),
        ({"boxes": np.zeros((2, 4), np.float32)}, r"boxes of shape \(2, 4\)"),
        ({"scores": np.zeros((2, 2), np.float32)}, "for 1 pictures"),
    ],
)
def test_odd_outputs_become_an_error(change: Outputs, text: str) -> None:
    session = Gauged(Answers({**GOOD, **change}), RELEASE)
    with pytest.raises(RefusedError, match=text):
        session.run(BATCH)
    assert session.reading().odd


def test_a_missing_output_is_odd() -> None:
    assert oddness("classification", GOOD, 1) == "no output probabilities"
    assert oddness("detection", GOOD, 1) == ""
