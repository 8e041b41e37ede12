"""Mixed precision within a margin: ours against NNCF's `quantize_with_accuracy_control`.

The same FP32 model, calibration pictures, validation pictures and largest drop, in OpenVINO at one
core, each side in a process of its own, in turns. Ours is what `compress` does: channels of like
ranges (`equalizing`), the portable form, and `mixed` where that is not enough. NNCF runs with its
defaults, as its documentation has it. The models are those of `compress_models`; for them to be
hard to quantize, some channels are badly scaled first, as training does it to some (`badly_scaled`:
float decides the same, INT8 does not). Equalizing undoes just that kind of harm. The margin is half
a point on the val split.

A validation is a call of the validation function, those for FP32 and for ranking included; `peers`
has the pictures seen in them as well. Seconds are of the processor, with what child processes took;
NNCF's import is left out, ours is in. Memory is the most that a side's processes held together
(proportional set size: what they share counts once), looked at every 10 ms. NNCF loads torch where
it is installed and does not use it here: `nncf-without-torch` is NNCF where it is not.

`*_ratio` are NNCF's over ours and the median over the cases, but `memory_ratio`, which is ours over
NNCF's. `speed_ratio` is NNCF's chosen model's time over ours, of engine calls at f32 with
one thread, in turns. `drop_difference` is ours' drop less NNCF's on the test split, in points 0..1.
FULL=1 has more seeds of the bad scaling.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from badly_scaled import badly_scaled
from compress_models import Made, models, said
from compress_vs_nncf_side import CALIBRATION, CHOSEN, MODEL, PICTURES, Validator, session_of
from edgefactory.compress.conversion import calibration
from edgefactory.compress.timing import Timed, interleave
from edgefactory.datasets import read_snapshot
from edgefactory.training import export_onnx, load_checkpoint
from measured import Bound, Measured

SAYS = "mixed precision against NNCF's accuracy control: validations, time, memory, speed, drop"

MAX_DROP: Final = 0.005
CALIBRATED: Final = 64  # pictures
JUDGED: Final = 1000  # pictures of the test split, or up to twice as many
PAIRS: Final = 3  # of layers with badly scaled channels between
NAMES: Final = ("cctv", "mobilenet", "resnet")
SIDES: Final = ("ours", "nncf", "nncf-without-torch")
_LOOK_SECONDS: Final = 0.01
_TIMED: Final = (8, 20)  # pictures, rounds


@dataclass(frozen=True)
class Case:
    """A model, how it was spoilt, and where it lies."""

    name: str
    folder: Path


def run(full: bool, /) -> Measured:
    """One seed, or three."""
    with tempfile.TemporaryDirectory(prefix="compress-vs-nncf-") as scratch:
        found: dict[str, dict[str, Any]] = {}
        chosen = os.environ.get("COMPRESS_VS_NNCF_MODELS", ",".join(NAMES)).split(",")
        for name, made in models(said(), tuple(chosen)).items():
            for seed in range(3 if full else 1):
                case = _case(name, made, seed, Path(scratch))
                found[case.name] = _compared(case)
                shutil.rmtree(case.folder)
    return _measured(found)


def _case(name: str, made: Made, seed: int, scratch: Path) -> Case:
    """The model in float with badly scaled channels, and the pictures."""
    folder = scratch / f"{name}-{seed}"
    folder.mkdir()
    export_onnx(made.checkpoint, folder / MODEL)
    fp32 = badly_scaled((folder / MODEL).read_bytes(), PAIRS, seed)
    (folder / MODEL).write_bytes(fp32)
    trained, data = load_checkpoint(made.checkpoint), read_snapshot(made.snapshot)
    pictures = calibration(CALIBRATED, trained, data, made.snapshot)
    np.save(folder / CALIBRATION, np.stack(pictures), allow_pickle=False)
    (folder / PICTURES).write_text(str(made.snapshot))
    return Case(f"{name}, seed {seed}", folder)


def _compared(case: Case) -> dict[str, Any]:
    """What each side came to on a case."""
    sides: dict[str, dict[str, Any]] = {}
    for side in SIDES:
        sides[side] = _ran(side, case.folder)
        sys.stderr.write(f"{case.name}, {side}: {json.dumps(sides[side])}\n")
        (case.folder / CHOSEN).rename(case.folder / side)
    judge = Validator(case.folder, "test")
    every = range(0, len(judge.items), max(1, len(judge.items) // JUDGED))
    before = judge.figure(judge.answers(_float(case), every), every)
    for side, said_of in sides.items():
        answers = judge.answers(session_of(case.folder / side).run, every)
        said_of["test_drop"] = round(before - judge.figure(answers, every), 5)
    for side, cost in _times(case, judge).items():
        sides[side]["ms"] = cost
    return sides


def _float(case: Case) -> Any:
    from edgefactory.compress import engines

    content = (case.folder / MODEL).read_bytes()
    return engines.load("onnxruntime", {MODEL: content}, MODEL, "f32", 1).run


def _times(case: Case, judge: Validator) -> Mapping[str, float]:
    """Processor milliseconds of a call of each side's model."""
    pictures, rounds = _TIMED
    batches = [judge.prepared(place)[0] for place in range(min(pictures, len(judge.items)))]
    timed = {}
    for side in ("ours", "nncf"):
        session = session_of(case.folder / side)
        timed[side] = Timed(tuple(_call(session, batch) for batch in batches), 5)
    taken = interleave(timed, rounds, lambda _: None)
    return {side: round(float(np.median(found.cpu)), 4) for side, found in taken.items()}


def _call(session: Any, batch: Any) -> Any:
    return lambda: session.run(batch)


def _ran(side: str, folder: Path) -> dict[str, Any]:
    """One side in a process of its own, and the most that its processes held together."""
    script = Path(__file__).with_name("compress_vs_nncf_side.py")
    command = [sys.executable, str(script), side, str(folder), str(MAX_DROP)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        peak = _Peak(process.pid)
        peak.start()
        output, _ = process.communicate()
        peak.join()
    if process.returncode:
        raise RuntimeError(f"{side} ended with exit code {process.returncode} in {folder}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    found["seconds"] = round(found["seconds"], 2)
    found["memory_mb"] = round(peak.most / 2**20)
    return found


class _Peak(threading.Thread):
    """Looks at the memory of a process and all below it until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self.most = pid, 0

    def run(self) -> None:
        """See `Thread`."""
        while (held := _held(self._pid)) > 0:
            self.most = max(self.most, held)
            time.sleep(_LOOK_SECONDS)


def _held(pid: int) -> int:
    """Bytes of a process and all below it, a page that several share once; 0 when it has ended."""
    place = Path("/proc") / str(pid)
    try:
        rows = (place / "smaps_rollup").read_text().splitlines()
        below = (place / "task" / str(pid) / "children").read_text().split()
    except OSError:
        return 0
    own = sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Pss:"))
    return own + sum(_held(int(child)) for child in below)


def _measured(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Measured:
    ratios = {
        "validations_ratio": _median(found, "validations", "nncf", "ours"),
        "time_ratio": _median(found, "seconds", "nncf", "ours"),
        "memory_ratio": _median(found, "memory_mb", "ours", "nncf"),
        "memory_ratio_without_torch": _median(found, "memory_mb", "ours", "nncf-without-torch"),
        "speed_ratio": _median(found, "ms", "nncf", "ours"),
    }
    drops = [sides["ours"]["test_drop"] - sides["nncf"]["test_drop"] for sides in found.values()]
    metrics = {**ratios, "drop_difference": round(float(np.median(drops)), 5)}
    metrics["fewer_or_faster"] = max(metrics["validations_ratio"] / 5, metrics["time_ratio"] / 3)
    bounds = {
        "fewer_or_faster": Bound("at_least", 1.0),
        "memory_ratio": Bound("at_most", 0.5),
        "speed_ratio": Bound("at_least", 0.97),  # no worse, within what timing tells
        "drop_difference": Bound("at_most", MAX_DROP),
    }
    return Measured(metrics, bounds=bounds, peers=found)


def _median(
    found: Mapping[str, Mapping[str, Mapping[str, Any]]], figure: str, over: str, under: str
) -> float:
    ratios: Sequence[float] = [
        sides[over][figure] / sides[under][figure] for sides in found.values()
    ]
    return round(float(np.median(ratios)), 3)
