"""An architecture's latency: asked for again where other work on the box may have been in it."""

from dataclasses import dataclass, field

import msgspec
import pytest

from edge_runtime.contract import BenchResult, Engine, Host, Precision
from edgefactory.compress.pricing import Meter
from edgefactory.training import Recipe
from edgefactory.training.tuning import parse_budgets

pytestmark = pytest.mark.component

RECIPE = Recipe(task="classification", resolution=(16, 16), width=16)


@dataclass
class Saying:
    """A box that says one latency after the other; those in `settled` did settle."""

    golden: BenchResult
    says: list[float]
    settled: tuple[float, ...] = ()
    where: str = "here"
    asked: set[bytes] = field(default_factory=set)

    def host(self) -> Host:
        return self.golden.host

    def measure(
        self, model: bytes, engine: Engine, precision: Precision, threads: int
    ) -> BenchResult:
        self.asked.add(model)
        ms = self.says.pop(0)
        return msgspec.structs.replace(
            self.golden, latency_ms=ms, interval=(ms, ms), settled=ms in self.settled
        )


@pytest.mark.parametrize(
    ("says", "settled", "found", "left"),
    [
        pytest.param([0.5, 9.0], (), 0.5, 1, id="fits, though it did not settle"),
        pytest.param([1.5, 0.5, 9.0], (), 0.5, 1, id="was disturbed"),
        pytest.param([1.5, 1.9, 1.2, 9.0], (), 1.2, 1, id="is disturbed whenever it is asked"),
        pytest.param([1.5, 0.5, 9.0], (1.5,), 1.5, 2, id="is too slow, as is settled"),
        pytest.param([1.5, 1.7, 0.5], (1.7,), 1.7, 1, id="is too slow, as is settled later"),
        pytest.param([5.0, 0.5], (), 5.0, 1, id="is far too slow"),
    ],
)
def test_what_seems_too_slow_and_did_not_settle_is_measured_again(
    golden: BenchResult,
    says: list[float],
    settled: tuple[float, ...],
    found: float,
    left: int,
) -> None:
    bench = Saying(golden, says, settled)
    meter = Meter(parse_budgets(["latency_ms<=1@onnxruntime"]), bench, ("left", "right"))
    latency = meter(RECIPE).forms[0].latency
    assert latency is not None
    assert (latency.ms, latency.settled) == (found, found in settled)
    assert len(says) == left
    assert len(bench.asked) == 1
