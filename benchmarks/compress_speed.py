"""How much faster `compress` makes three networks that still decide the same.

Each is first timed as FP32 ONNX in ONNX Runtime; `compress` is then asked for the speed that the
bound names, with at most 0.005 of the metric lost. Where it finds no such file, it is asked for the
nearest that it found. In the end that file, FP32, and what the engines' own tools make of the
network are timed in one run, in turns.

`<model>.speedup` is FP32's time over the chosen file's, `<model>.drop` what is lost on the test
split by human truth (in pairs; `drop_low` and `drop_high` its 95% interval), `<model>.not_inferior`
whether all of that interval keeps the margin, `<model>.share_of_best_tried` the time of the fastest
of all that keep the margin on val over the chosen file's. The floor is the chosen network's
arithmetic at f32's peak rate in the same run; bf16 and INT8 can come below it.
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from compress_models import Made, models, said
from measured import Bound, Measured

if TYPE_CHECKING:
    from edgefactory.compress.choosing import Compression
    from edgefactory.compress.choosing.executable import Executable

SAYS = "how much faster compress makes three networks that still decide the same"

_WANTED: Final[Mapping[str, float]] = {"cctv": 2.5, "mobilenet": 1.5, "resnet": 8.0}
_MARGIN: Final = 0.005
_SECONDS: Final = 3.0  # that each is timed
_CALIBRATION: Final = 64  # pictures
_CHOSEN: Final = "chosen"


@dataclass(frozen=True)
class _Result:
    """What a network became; `ms` are the times of the last run by name, `lost` drops on val."""

    found: "Compression"
    ms: Mapping[str, float]
    lost: Mapping[str, float]
    settled: bool
    floor_ms: float

    def metrics(self) -> dict[str, float]:
        """The figures that count."""
        from edgefactory.compress.mixed import Margins

        kept = [ms for name, ms in self.ms.items() if self.lost[name] <= Margins().all]
        proof = next(c for c in self.found.certified if c.name == self.found.chosen)
        return {
            "speedup": self.ms["onnxruntime f32"] / self.ms[_CHOSEN],
            "drop": -proof.difference,
            "drop_low": -proof.interval[1],
            "drop_high": -proof.interval[0],
            "not_inferior": float(proof.non_inferior),
            "share_of_best_tried": min(kept) / self.ms[_CHOSEN],
        }


def run(full: bool, /) -> Measured:
    """All three models; the long form times each three times as long."""
    made = models(said())
    seconds = _SECONDS * (3 if full else 1)
    metrics: dict[str, float] = {}
    floor: dict[str, float] = {}
    bounds: dict[str, Bound] = {}
    peers: dict[str, object] = {}
    for name, wanted in _WANTED.items():
        result = _result(made[name], wanted, seconds)
        figures = {f"{name}.{key}": round(value, 4) for key, value in result.metrics().items()}
        metrics |= figures
        floor |= {f"{name}.chosen_ms": round(result.floor_ms, 4)}
        bounds |= {
            f"{name}.speedup": Bound("at_least", wanted),
            f"{name}.drop": Bound("at_most", _MARGIN),
            f"{name}.not_inferior": Bound("at_least", 1),
            f"{name}.share_of_best_tried": Bound("at_least", 0.97),
        }
        peers[name] = _told(result)
        sys.stderr.write(f"{name}: {figures} {peers[name]}\n")
    return Measured(metrics=metrics, floor=floor, bounds=bounds, peers=peers)


def _result(made: Made, wanted: float, seconds: float) -> _Result:
    from compress_rivals import FP32, rivals
    from edgefactory.compress.answers import Answer
    from edgefactory.compress.bench import peak_of
    from edgefactory.compress.choosing import Here
    from edgefactory.compress.choosing.panel import panel
    from edgefactory.compress.conversion import calibration
    from edgefactory.datasets import read_snapshot
    from edgefactory.training import export_onnx, load_checkpoint

    stopwatch = Here(1, seconds)
    checkpoint, data = load_checkpoint(made.checkpoint), read_snapshot(made.snapshot)
    with tempfile.TemporaryDirectory() as folder:
        fp32 = export_onnx(made.checkpoint, Path(folder) / "model.onnx").path.read_bytes()
        others = rivals(fp32, calibration(_CALIBRATION, checkpoint, data, made.snapshot))
        limit = _ms(stopwatch.measure([others[FP32]], said())[0]) / wanted
        found, chosen = _chosen(made, Path(folder) / "out", limit, stopwatch)
    tried = {_CHOSEN: chosen, **others}
    val = panel(made.snapshot, data, checkpoint, "val")
    values: dict[str, float] = {}
    for name, model in tried.items():
        answers: Sequence[Answer] = val.ask(model, name, said())
        values[name] = val.figure(answers)
    results = stopwatch.measure(list(tried.values()), said())
    good = [result for result in results if not isinstance(result, Exception)]
    attempt = found.attempt(found.chosen)
    return _Result(
        found,
        {name: _ms(result) for name, result in zip(tried, results, strict=True)},
        {name: values[FP32] - value for name, value in values.items()},
        all(result.settled for result in good),
        2 * attempt.macs / peak_of(good) / 1e6,
    )


def _chosen(
    made: Made, out: Path, limit: float, stopwatch: Any
) -> "tuple[Compression, Executable]":
    """What `compress` chooses within the limit of latency, or nearest to it."""
    from edgefactory.compress.choosing import Wishes, choose
    from edgefactory.compress.choosing.decision import best
    from edgefactory.compress.choosing.executable import Executable
    from edgefactory.training.tuning import Budget

    found = None
    while found is None or not found.chosen:
        wishes = Wishes(made.checkpoint, made.snapshot, out, budgets=(Budget("latency_ms", limit),))
        found = choose(wishes, stopwatch, said())
        nearest = best(found.attempts)
        assert nearest is not None, found.why
        assert nearest.bench is not None
        limit = 1.05 * nearest.bench.latency_ms
    attempt = found.attempt(found.chosen)
    folder = out / "variants" / attempt.form
    files = {name: (folder / name).read_bytes() for name in attempt.files}
    return found, Executable(files, attempt.main, attempt.engine, attempt.precision)


def _ms(result: Any) -> float:
    if isinstance(result, Exception):
        raise result
    return float(result.latency_ms)


def _told(result: _Result) -> dict[str, object]:
    """What else was seen: times and drops on val by name, and what was chosen."""
    return {
        "chosen": result.found.chosen,
        "settled": result.settled,
        "ms": {name: round(ms, 4) for name, ms in result.ms.items()},
        "lost_on_val": {name: round(lost, 5) for name, lost in result.lost.items()},
        "tried": {
            a.name: round(a.bench.latency_ms, 4) if a.bench else a.why
            for a in result.found.attempts
        },
    }
