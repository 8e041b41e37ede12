"""What `edgefactory data check` finds of faults that were planted into real data.

Into scikit-learn's digits: wrong classes, copies, leaks between splits, classes that are cut
down. Into every fourth frame of the clip `vtest.avi`: copies, leaks, and dark, over-exposed,
blurred and covered views. Into the frames of the clip that people labelled: missing, misplaced,
unseen and odd boxes, looked for with the person teacher. Each round plants a few of each kind at
once into fresh data, writes a snapshot and runs the whole check; 300 faults of each kind in the
long form, for each of three seeds of which the worst figure counts; 100 and one seed in the short
form. A find that no planted fault explains counts as wrong, though the data may hold such a fault
by nature. `peers` are the usual simple methods on the same data.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import naive
from edgefactory.datasets.checks import Finding, Kind, check_data, check_manifest, tabulate
from edgefactory.datasets.documents import Header, Task
from edgefactory.datasets.teachers import Found, Teacher, open_teacher, parse_teacher
from measured import Bound, Measured
from planted import Plot, Random, Score, as_item, digits, frames, judge, labelled_frames
from planted_boxes import plant_boxes
from planted_pictures import plant_classes, plant_exact, plant_leaks, plant_near, plant_views

SAYS = "planted faults in real data: how many of each kind the check finds, and how many it invents"

ROUNDS = {"digits": 2, "views": 20, "boxes": 15}  # of the long form
PLANTED = {"labels": 150, "digit copies": 75, "frame copies": 8, "views": 15, "boxes": 20}
TRIALS = 300  # of class imbalance, and as many data sets without it
PRECISION, RECALL = 0.9, 0.75  # what every kind must reach

Scores = dict[Kind, Score]


class Remembering:
    """A teacher that looks at each picture once, since boxes are planted and pixels are not."""

    task: Task = "detection"

    def __init__(self, teacher: Teacher) -> None:
        """Around `teacher`."""
        self._teacher = teacher
        self.classes, self.digest = teacher.classes, teacher.digest
        self._known: dict[bytes, Found] = {}

    def predict(
        self, pictures: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]
    ) -> list[Found]:
        """As the teacher, but remembered."""
        keys = [hashlib.sha256(picture.tobytes()).digest() for picture in pictures]
        for key, picture in zip(keys, pictures, strict=True):
            if key not in self._known:
                self._known[key] = self._teacher.predict([picture])[0]
        return [self._known[key] for key in keys]


def run(full: bool, /) -> Measured:
    """Plant, check and judge, each seed in a process of its own."""
    seeds, share = (range(3), 1.0) if full else (range(1), 1 / 3)
    with ProcessPoolExecutor(len(seeds), get_context("spawn")) as pool:
        both = list(pool.map(_seed, seeds, [share] * len(seeds)))
    results, rivals = [ours for ours, _ in both], [theirs for _, theirs in both]
    kinds = sorted({kind for result in results for kind in result})
    metrics = {f"precision.{k}": _worst(results, k, "precision") for k in kinds}
    metrics |= {f"recall.{k}": _worst(results, k, "recall") for k in kinds}
    return Measured(
        metrics,
        bounds={
            name: Bound("at_least", PRECISION if name.startswith("precision") else RECALL)
            for name in metrics
        },
        peers={
            "simple methods": {
                f"{what}.{k}": _worst(rivals, k, what)
                for k in sorted(rivals[0])
                for what in ("precision", "recall")
            },
            "planted of each kind and seed": {k: results[0][k].planted for k in kinds},
            "seeds": len(results),
        },
    )


def _worst(results: Sequence[Scores], kind: Kind, what: str) -> float:
    return round(min(float(getattr(result[kind], what)) for result in results), 3)


def _seed(seed: int, share: float) -> tuple[Scores, Scores]:
    """Ours by kind, and the simple methods' by kind: theirs on the first round of each data."""
    teacher = Remembering(open_teacher(parse_teacher("person")))
    ours: Scores = {}
    theirs: Scores = {}
    random = np.random.default_rng(seed)
    for turn in range(max(1, round(ROUNDS["digits"] * share))):
        plot = _digits(random)
        _say(seed, f"digits {turn + 1}")
        judge(plot, _found(plot, None), ours)
        if turn == 0:
            judge(_only(plot, "near-duplicate", "leak"), naive.of_copies(plot), theirs)
    for turn in range(round(ROUNDS["views"] * share)):
        plot = _views(random)
        _say(seed, f"views {turn + 1}")
        # There are no labels, which the check says: not a fault that was planted.
        judge(plot, (f for f in _found(plot, None) if f.kind != "class-imbalance"), ours)
        if turn == 0:
            judge(_only(plot, "near-duplicate", "leak"), naive.of_copies(plot), theirs)
            judge(_only(plot, "dark", "over-exposed", "blurred"), naive.of_views(plot), theirs)
    for turn in range(round(ROUNDS["boxes"] * share)):
        plot = labelled_frames()
        plant_boxes(plot, PLANTED["boxes"], random)
        _say(seed, f"boxes {turn + 1}")
        judge(plot, _found(plot, teacher), ours)
        if turn == 0:
            seen = teacher.predict([picture.pixels for picture in plot.pictures])
            judge(plot, naive.of_boxes(plot, seen), theirs)
    ours["class-imbalance"] = _imbalance(round(TRIALS * share), random)
    return ours, theirs


def _digits(random: Random) -> Plot:
    plot = digits()
    copies = PLANTED["digit copies"]
    _plant(plot, random, {plant_exact: copies, plant_near: copies, plant_leaks: copies})
    plant_classes(plot, PLANTED["labels"], random)
    return plot


def _views(random: Random) -> Plot:
    plot = frames(4)
    copies = PLANTED["frame copies"]
    _plant(plot, random, {plant_exact: copies, plant_near: copies, plant_leaks: copies})
    plant_views(plot, PLANTED["views"], random)
    return plot


def _plant(
    plot: Plot, random: Random, plants: dict[Callable[[Plot, int, Random], None], int]
) -> None:
    for plant, count in plants.items():
        plant(plot, count, random)


def _only(plot: Plot, *kinds: Kind) -> Plot:
    """The same pictures with the faults of some kinds: what a simple method can look for."""
    return Plot(
        plot.task,
        plot.classes,
        plot.pictures,
        [fault for fault in plot.faults if fault.kind in kinds],
    )


def _found(plot: Plot, teacher: Teacher | None) -> Iterable[Finding]:
    with tempfile.TemporaryDirectory(prefix="data-check-") as folder:
        out = Path(folder) / "snapshot"
        plot.write(out)
        return check_data(out, teacher).findings


def _imbalance(trials: int, random: Random) -> Score:
    """Digits of which one class is cut to 2 to 20%, and digits of which one is cut to 40 to 90%."""
    plot, score = digits(), Score()
    header = Header("planted", plot.task, plot.classes, "human")
    items = [as_item(picture) for picture in plot.pictures]
    for trial in range(2 * trials):
        name = plot.classes[int(random.integers(len(plot.classes)))]
        rare = trial % 2 == 0
        share = random.uniform(0.02, 0.2) if rare else random.uniform(0.4, 0.9)
        kept = [i for i in items if i.labels[0].class_ != name or random.random() < share]
        findings = check_manifest(tabulate(header, kept))
        said = {f.expected for f in findings if f.kind == "class-imbalance"}
        score.planted += rare
        score.found += rare and name in said
        score.right += rare and name in said
        score.wrong += len(said) - (rare and name in said)
    return score


def _say(seed: int, what: str) -> None:
    sys.stderr.write(f"seed {seed}: {what}\n")
    sys.stderr.flush()
