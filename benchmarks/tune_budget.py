"""`edgefactory tune` against random search and the default recipe, at equal wall time.

Two tasks. `cctv`: people in the CCTV clip, taught by the labels of a general detector, within 0.28
ms a picture on OpenVINO. `clutter`: a handwritten digit somewhere in a picture of pieces of other
digits, by writers nobody has seen, learned from 600 pictures, within 0.13 ms on ONNX Runtime. In
both, whether pixels or channels are given up decides more than any setting. Where the budget is
wide, there is little to be found: within 0.38 ms the search and the default recipe were level on
`cctv`, and 0.28 ms was chosen after a look at what shapes reach on its test split, as a budget at
which they differ. (Digits alone, of 8x8 pixels, were tried and left: whatever fits is good at them,
and who trains longest wins.)

Every way has the same seconds for measuring, training and choosing by val, in one process, the same
space and the same guard. What an architecture costs is measured once for all ways and kept in one
cache: the scalings of the default, by pixels first and by channels first, before the time begins,
others by whoever meets them first, which is mostly the search. The scalings are measured three
times over, since minutes differ, and the time counts in which what fitted was neither most nor
least. (In one slow minute both came out as the same shape, the better one: then the default had it
as well, and was ahead by its longer training.)

Random search trains each point for the recipe's epochs, and none for longer: part of the lead over
it is training time, which the default has as well. The default recipe is scaled into the budget as
the search scales its first candidate, trained as it is, then for as long as time is left, and the
better one on val counts. Judged is the test split, by human truth that none of them has seen.

`win_rate_*` is the share of (task, seed) in which the search is better, ties half;
`budget_honoured_share` that of the search's winners which keep every budget when their trained file
is measured anew, for longer and past the cache, by the rule of the search: what seems too long and
did not settle is measured again, up to twice, and the lowest counts. A machine's slow phases last
minutes: a file that seems too slow is measured so up to three times, one and two minutes apart.
`floor`: the best that any way has reached.

Finished parts are kept in the folder that TUNE_BUDGET_PARTS names, and a later call goes on there.
FULL=1 takes five seeds and some 50 minutes; the short form two seeds and less time for each.
TUNE_BUDGET_SECONDS overrides the seconds of each way, to see whether all runs.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta, Struct

from edgefactory.compress.bench import CachedBench, LocalBench
from edgefactory.compress.pricing import Meter
from edgefactory.compress.shipping import forms_of, latency, shipped
from edgefactory.datasets import Split, read_snapshot
from edgefactory.datasets.files import write_file
from edgefactory.training import export_onnx, load_checkpoint
from edgefactory.training.examples import load_examples
from edgefactory.training.scoring import score
from edgefactory.training.tuning import Cost, Measure, parse_budgets
from edgefactory.training.tuning.costs import FormCost
from measured import Bound, Measured
from tune_rivals import WAYS, Contest, macs_of_scalings
from tune_tasks import TASKS, snapshot

SAYS = "tune against random search and the default recipe at equal time; are budgets kept"

OURS: Final = "tune"
RIVALS: Final = ("random", "default")
MEASURE_SECONDS: Final = 2.0  # as in the command
AGAIN_SECONDS: Final = 6.0
_TRIES: Final = 3  # at what the default's scalings cost
_PAUSES: Final = (0.0, 60.0, 120.0)  # seconds before a winner's file is measured anew
_SAY_SECONDS: Final = 10.0
_DRAWS: Final = 4000  # of the bootstrap


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """What a way came to for a task and seed; `asked` is what decides it.

    `figures`, of each budget when measured again, and `honoured` are of the search's own.
    """

    asked: str
    test: float
    val: float
    architecture: str
    epochs: int
    learning_rate: float
    seconds: Annotated[float, Meta(ge=0.0)]
    figures: dict[str, float]
    honoured: bool


def run(full: bool, /) -> Measured:
    """Two seeds with less time, or five."""
    named = os.environ.get("TUNE_BUDGET_PARTS")
    if named:
        return _measured(_parts(Path(named), full), full)
    with tempfile.TemporaryDirectory(prefix="tune-budget-") as folder:
        return _measured(_parts(Path(folder), full), full)


Parts = Mapping[tuple[str, int, str], Part]


def _parts(folder: Path, full: bool) -> Parts:
    """All parts, those that `folder` does not hold made now."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, int, str], Part] = {}
    meters: dict[str, Measure] = {}
    wanted = [(s, t, w) for s in range(5 if full else 2) for t in TASKS for w in WAYS]
    for done, (seed, name, way) in enumerate(wanted, start=1):
        task = TASKS[name]
        seconds = float(os.environ.get("TUNE_BUDGET_SECONDS") or task.seconds[full])
        asked = f"{dict(task.recipe)} {task.budgets} {seconds}"
        path = folder / f"{name}-{seed}-{way}-{seconds:g}s.json"
        part = _kept(path, asked)
        if part is None:
            place = folder / "under-way"
            shutil.rmtree(place, ignore_errors=True)
            say = _said(f"{done}/{len(wanted)} {name} seed {seed} {way}")
            if name not in meters:
                meters[name] = _meter(name, folder, say)
            contest = Contest(task, seed, folder / name, place, seconds, meters[name], say)
            macs_of_scalings(contest)  # measured for every seed before its time begins
            part = _played(contest, way, asked)
            write_file(path, msgspec.json.format(msgspec.json.encode(part)))
            shutil.rmtree(place)
        sys.stderr.write(f"{done}/{len(wanted)} {name} {seed} {way}: {part}\n")
        found[name, seed, way] = part
    return found


def _kept(path: Path, asked: str) -> Part | None:
    try:
        part = msgspec.json.decode(path.read_bytes(), type=Part)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return part if part.asked == asked else None


def _meter(name: str, folder: Path, say: Callable[[str], None]) -> Measure:
    """Prices architectures. The default's scalings are measured three times over, and the time
    counts in which what fitted was neither most nor least."""
    task = TASKS[name]
    classes = read_snapshot(snapshot(task, folder / name)).classes
    tried: list[tuple[int, Measure]] = []
    for number in range(_TRIES):
        path = folder / f"latencies-{number}.jsonl"
        bench = CachedBench(LocalBench(MEASURE_SECONDS), path)
        measure = cache(Meter(parse_budgets(task.budgets), bench, classes))
        contest = Contest(task, 0, folder / name, folder / "under-way", 0.0, measure, say)
        tried.append((macs_of_scalings(contest), measure))
    sys.stderr.write(f"{name}: {[macs for macs, _ in tried]} MACs in the scalings that fit\n")
    return sorted(tried, key=lambda one: one[0])[_TRIES // 2][1]


def _played(contest: Contest, way: str, asked: str) -> Part:
    """Let a way have its time; then judge what it came to."""
    began = time.monotonic()
    checkpoint = load_checkpoint(WAYS[way](contest))
    seconds = time.monotonic() - began
    figures = _again(contest, checkpoint.folder) if way == OURS else {}
    recipe = checkpoint.recipe
    size = f"{recipe.resolution[0]}x{recipe.resolution[1]}"
    return Part(
        asked=asked,
        test=_judged(contest, checkpoint.folder, "test"),
        val=_judged(contest, checkpoint.folder, "val"),
        architecture=f"{size}, width {recipe.width}, depth {recipe.depth}",
        epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        seconds=round(seconds, 1),
        figures=figures,
        honoured=_kept_by(figures, contest),
    )


def _judged(contest: Contest, folder: Path, split: Split) -> float:
    checkpoint = load_checkpoint(folder)
    data = read_snapshot(contest.snapshot)
    examples = load_examples(contest.snapshot, data, split, checkpoint.recipe)
    assert examples is not None
    found = score(checkpoint.network(), examples, checkpoint.task, contest.task.metric)
    assert found is not None
    return round(found, 5)


def _again(contest: Contest, checkpoint: Path) -> dict[str, float]:
    """The trained file measured anew, for each budget: later once more where it seems too long."""
    figures: dict[str, float] = {}
    for pause in _PAUSES:
        time.sleep(pause)
        found = _figures(contest, checkpoint)
        figures = {key: min(value, figures.get(key, value)) for key, value in found.items()}
        if _kept_by(figures, contest):
            break
    return figures


def _kept_by(figures: Mapping[str, float], contest: Contest) -> bool:
    return all(figures.get(str(b), 0.0) <= b.limit for b in contest.budgets)


def _figures(contest: Contest, checkpoint: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        exported = export_onnx(checkpoint, Path(scratch) / "model.onnx")
        content, macs = exported.path.read_bytes(), exported.macs
    bench, forms = LocalBench(AGAIN_SECONDS), []
    for form in forms_of(contest.budgets):
        assert form.precision == "f32"  # no task asks for more, and pictures to calibrate on
        file = shipped(content, form, [])
        forms.append(FormCost(form, len(file), latency(file, form, bench, contest.budgets)))
    cost = Cost(load_checkpoint(checkpoint).lineage.parameters, macs, tuple(forms))
    return {str(budget): cost.of(budget) or 0.0 for budget in contest.budgets}


def _measured(parts: Parts, full: bool) -> Measured:
    ours = {(task, seed): part for (task, seed, way), part in parts.items() if way == OURS}
    metrics: dict[str, float] = {}
    peers: dict[str, object] = {}
    for rival in RIVALS:
        gaps = {key: part.test - parts[(*key, rival)].test for key, part in ours.items()}
        metrics[f"win_rate_vs_{rival}"] = round(win_rate(list(gaps.values())), 3)
        for name in TASKS:
            own = [gap for (task, _), gap in gaps.items() if task == name]
            peers[f"{name}: tune - {rival}"] = mean_with_interval(own)
    metrics["budget_honoured_share"] = float(np.mean([part.honoured for part in ours.values()]))
    metrics["seeds"] = len({seed for _, seed in ours})
    for name in TASKS:
        for way in WAYS:
            own_parts = [
                part for (task, _, one), part in parts.items() if (task, one) == (name, way)
            ]
            key = f"{name}: {way}"
            peers[key] = {
                TASKS[name].metric: round(float(np.mean([part.test for part in own_parts])), 4),
                "seconds": max(part.seconds for part in own_parts),
                "by_seed": [_row(part) for part in own_parts],
            }
    floor = {
        f"{name}.best_test": max(part.test for (task, _, _), part in parts.items() if task == name)
        for name in TASKS
    }
    bounds = {
        "budget_honoured_share": Bound("at_least", 0.95),
        **({f"win_rate_vs_{rival}": Bound("at_least", 0.6) for rival in RIVALS} if full else {}),
    }
    return Measured(metrics, floor, bounds, peers)


def _row(part: Part) -> str:
    return (
        f"{part.test:.4f} (val {part.val:.4f}): {part.architecture}, {part.epochs} epochs, "
        f"learning rate {part.learning_rate:g}"
    )


def win_rate(gaps: Sequence[float]) -> float:
    """The share of gaps above 0, of those at 0 half."""
    return float(np.mean([(gap > 0) + 0.5 * (gap == 0) for gap in gaps]))


def mean_with_interval(gaps: Sequence[float]) -> list[float]:
    """The mean, and the ends of the 95% interval of a bootstrap over the seeds."""
    chance = np.random.default_rng(0)
    drawn = chance.choice(np.asarray(gaps), (_DRAWS, len(gaps))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return [round(float(x), 4) for x in (np.mean(gaps), low, high)]


def _said(who: str) -> Callable[[str], None]:
    """Progress on stderr, not too often."""
    return partial(_say, who, [0.0])


def _say(who: str, last: list[float], what: str) -> None:
    now = time.monotonic()
    if now - last[0] > _SAY_SECONDS:
        last[0] = now
        sys.stderr.write(f"{who}: {what}\n")
