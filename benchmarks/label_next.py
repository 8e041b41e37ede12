"""How many labels a learner needs, by how the pictures to label are chosen.

Three tasks are made of scikit-learn's 1,797 digits, real ones with known classes: `plain`, all of
them; `stream`, as a camera gives them: some classes rare, each digit several times in a row,
slightly moved; `rare`, three of the classes with eight pictures each. A learner (logistic
regression on the pixels) asks for ten labels at a time, and what it says of the pool goes back
into the choice. Counted are the labels until its accuracy on 600 other digits (the mean over the
classes) is 95% of what all labels of the pool give, in two rounds in a row. A ratio is the
geometric mean over the tasks of the ratio of mean labels, its interval (`_low`, `_high`) the 95% of
a bootstrap over the seeds.

`label next` starts without labels, so does every other way, by chance where it needs scores. The
settings of `label next` were fixed on other seeds. `misses_found_share` is of `planted_misses`.
FULL=1 takes twenty seeds and more ways.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets.asking import choose, open_embedding, uncertainty, worth
from edgefactory.datasets.asking.choosing import distances
from edgefactory.datasets.documents import Label
from edgefactory.datasets.workers import cores
from measured import Bound, Measured
from planted_misses import shares

SAYS = "labels needed for 95% of the accuracy of all: `label next`, random, plain uncertainty"

BATCH: Final = 10  # labels a round
SHARE: Final = 0.95  # of the accuracy that all labels give
SIDE: Final = 8  # pixels of a digit
TEST: Final = 600  # digits held out
CLASSES: Final = 10

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Task = Literal["plain", "stream", "rare"]
TASKS: Final[tuple[Task, ...]] = ("plain", "stream", "rare")


@dataclass(frozen=True)
class Digits:
    """A pool to choose from and a test: pixels [n,64] 0..1, classes [n]; `looks` [n,D] are the
    pool's embeddings."""

    pool: Floats
    classes: Ints
    looks: Floats
    test: Floats
    test_classes: Ints


@dataclass(frozen=True)
class Round:
    """What a way of choosing may look at: `probabilities` [n,10] are None in the first round."""

    digits: Digits
    probabilities: Floats | None
    labelled: Ints
    chance: np.random.Generator

    def best(self, values: Floats) -> Ints:
        """The unlabelled pictures of the greatest values."""
        values = values.copy()
        values[self.labelled] = -np.inf
        return np.argsort(-values, kind="stable")[:BATCH]


Way = Callable[[Round], Ints]


def run(full: bool, /) -> Measured:
    """Five seeds of three ways, or twenty of all."""
    seeds = range(20 if full else 5)
    ways = tuple(WAYS) if full else ("label next", "random", "margin")
    jobs = list(product(TASKS, seeds))
    needed: dict[tuple[str, Task, int], int] = {}
    with ProcessPoolExecutor(cores(), get_context("spawn")) as executor:
        found = executor.map(partial(_needed, ways), *zip(*jobs, strict=True))
        for done, ((task, seed), labels) in enumerate(zip(jobs, found, strict=True), start=1):
            needed.update({(way, task, seed): count for way, count in labels.items()})
            sys.stderr.write(f"{done}/{len(jobs)} {task} {seed}: {labels}\n")
    table = {
        way: np.asarray([[needed[way, task, seed] for task in TASKS] for seed in seeds], np.float64)
        for way in ways
    }
    metrics: dict[str, float] = {}
    for name, peer in (("random", "random"), ("uncertainty", "margin")):
        figures = ratio_with_interval(table["label next"], table[peer])
        for suffix, figure in zip(("", "_low", "_high"), figures, strict=True):
            metrics[f"labels_ratio_vs_{name}{suffix}"] = round(figure, 3)
    metrics["seeds"] = len(seeds)
    misses = shares(len(seeds))
    metrics["misses_found_share"] = round(misses["label next"], 3)
    least = np.full_like(table["random"], BATCH)
    return Measured(
        metrics=metrics,
        floor={  # nobody can stop before the first round
            "labels_ratio_vs_random": round(ratio(least, table["random"]), 3),
            "labels_ratio_vs_uncertainty": round(ratio(least, table["margin"]), 3),
        },
        bounds={  # of the interval's upper end: better than both, clearly
            "labels_ratio_vs_random_high": Bound("at_most", 0.5),
            "labels_ratio_vs_uncertainty_high": Bound("at_most", 0.85),
            "misses_found_share": Bound("at_least", 0.5),
        },
        peers={
            f"labels: {way}": dict(zip(TASKS, found.mean(axis=0).round(1).tolist(), strict=True))
            for way, found in table.items()
        }
        | {
            "misses_found_share: uncertainty": round(misses["uncertainty"], 3),
            "misses_found_share: chance": round(misses["chance"], 3),
        },
    )


def ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """The geometric mean over tasks of the ratio of mean labels; both [seeds,tasks]."""
    return float(np.exp(np.log(ours.mean(axis=0) / theirs.mean(axis=0)).mean()))


def ratio_with_interval(
    ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> tuple[float, float, float]:
    """`ratio` and the 95% interval of a bootstrap over the seeds, paired."""
    chance = np.random.default_rng(0)
    draws = chance.integers(len(ours), size=(4000, len(ours)))
    found = [ratio(ours[draw], theirs[draw]) for draw in draws]
    low, high = np.percentile(found, (2.5, 97.5))
    return ratio(ours, theirs), float(low), float(high)


def _needed(ways: Sequence[str], task: Task, seed: int) -> dict[str, int]:
    """By each of `ways`, labels until the accuracy was reached, and kept for one more round."""
    from threadpoolctl import threadpool_limits

    digits = make(task, seed)
    with threadpool_limits(1):  # problems this small only wait for other threads
        everything = accuracy(digits, predicted(digits.pool, digits.classes, digits.test))
        return {way: _reached(digits, WAYS[way], seed, SHARE * everything) for way in ways}


def _reached(digits: Digits, way: Way, seed: int, wanted: float) -> int:
    before = False
    for labels, found in rounds(digits, way, seed):
        if found >= wanted and before:
            return labels - BATCH
        before = found >= wanted
    return len(digits.pool)


def rounds(digits: Digits, way: Way, seed: int) -> Iterator[tuple[int, float]]:
    """The number of labels and the accuracy, round by round, until the pool is used up."""
    chance = np.random.default_rng(10**6 + seed)
    labelled: Ints = np.zeros(0, np.int64)
    probabilities = None
    while len(labelled) + BATCH <= len(digits.pool):
        chosen = way(Round(digits, probabilities, labelled, chance))
        labelled = np.concatenate([labelled, chosen])
        learned = partial(predicted, digits.pool[labelled], digits.classes[labelled])
        yield len(labelled), accuracy(digits, learned(digits.test))
        probabilities = learned(digits.pool)


def predicted(pixels: Floats, classes: Ints, asked: Floats) -> Floats:
    """What the learner, taught `classes` of `pixels`, says of the pictures `asked`: [n,10]."""
    from sklearn.linear_model import LogisticRegression

    found = np.zeros((len(asked), CLASSES), np.float32)
    if len(np.unique(classes)) == 1:
        found[:, classes[0]] = 1
        return found
    learner = LogisticRegression(max_iter=1000).fit(pixels, classes)
    found[:, learner.classes_] = learner.predict_proba(asked)
    return found


def accuracy(digits: Digits, probabilities: Floats) -> float:
    """The mean over the classes of the share that is right in the test."""
    right = probabilities.argmax(axis=1) == digits.test_classes
    return float(np.mean([right[digits.test_classes == c].mean() for c in range(CLASSES)]))


def make(task: Task, seed: int) -> Digits:
    """The pool and test of a task; `seed` draws which digits are where."""
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    pixels = (pixels / 16).astype(np.float32)
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(pixels))
    test, rest = order[:TEST], order[TEST:]
    if task == "rare":
        rare = chance.choice(CLASSES, 3, replace=False)
        few = [rest[classes[rest] == c][:8] for c in rare]
        rest = np.concatenate([rest[~np.isin(classes[rest], rare)], *few])
        rest = chance.permutation(rest)
    if task == "stream":
        share = 0.75 ** chance.permutation(CLASSES)[classes[rest]]
        rest = chance.choice(rest, 400, replace=False, p=share / share.sum())
        rest = np.repeat(rest, np.minimum(chance.geometric(0.2, len(rest)), 20))
    pool = pixels[rest]
    if task == "stream":
        pool = np.stack([moved(digit, chance) for digit in pool])
    describe = open_embedding(None).describe
    looks = np.stack([describe(enlarged(digit)) for digit in pool])
    return Digits(pool, classes[rest], looks, pixels[test], classes[test])


def moved(digit: Floats, chance: np.random.Generator) -> Floats:
    """The digit as the next frame shows it: shifted by a part of a pixel, lighter, noisier."""
    from scipy.ndimage import shift

    found = shift(digit.reshape(SIDE, SIDE), chance.normal(0, 0.15, 2), order=1)
    found = found * chance.uniform(0.9, 1.1) + chance.normal(0, 0.02, (SIDE, SIDE))
    clipped: Floats = np.clip(found, 0, 1).astype(np.float32).ravel()
    return clipped


def enlarged(digit: Floats) -> NDArray[np.uint8]:
    """The digit as a picture, uint8 [32,32,3], as `data ingest` makes it."""
    grey = Image.fromarray(np.round(digit.reshape(SIDE, SIDE) * 255).astype(np.uint8))
    large = grey.resize((4 * SIDE, 4 * SIDE), Image.Resampling.BICUBIC)
    return np.repeat(np.asarray(large)[:, :, None], 3, axis=2)


def _label_next(now: Round) -> Ints:
    """As `label next --teacher MODEL` does it: two labels a picture say how sure the model is."""
    count = len(now.digits.pool)
    unsure = np.ones(count, np.float32)
    if now.probabilities is not None:
        unsure[:] = [worth({"uncertain": _unsure(row)}) for row in now.probabilities]
    seen = np.isin(np.arange(count), now.labelled)
    open_ = np.flatnonzero(~seen)
    looks = now.digits.looks
    chosen = [open_[c.index] for c in choose(looks[open_], unsure[open_], looks[seen], BATCH)]
    # Where all that is left is nearly the same as what is labelled, a round is filled by chance.
    others = np.setdiff1d(open_, chosen)
    filler = now.chance.choice(others, BATCH - len(chosen), replace=False)
    return np.concatenate([np.asarray(chosen, np.int64), filler])


def _unsure(probabilities: Floats) -> float:
    best = np.argsort(-probabilities)[:2]
    labels = [
        Label(str(k), None, "teacher:learner", min(float(probabilities[k]), 1.0), "queued")
        for k in best
    ]
    return uncertainty(labels, "classification")


def _random(now: Round) -> Ints:
    return now.best(now.chance.random(len(now.digits.pool)).astype(np.float32))


def _by_score(unsure: Callable[[Floats], Floats], now: Round) -> Ints:
    return _random(now) if now.probabilities is None else now.best(unsure(now.probabilities))


def _margin(probabilities: Floats) -> Floats:
    ordered: Floats = np.sort(probabilities, axis=1)
    return ordered[:, -2] - ordered[:, -1]


def _least_confidence(probabilities: Floats) -> Floats:
    best: Floats = probabilities.max(axis=1)
    return -best


def _entropy(probabilities: Floats) -> Floats:
    sure = np.maximum(probabilities, 1e-12)
    found: Floats = -(sure * np.log(sure)).sum(axis=1)
    return found


def _k_centre(now: Round) -> Ints:
    """Diversity alone: the picture that is farthest from all that are labelled (Sener 2018)."""
    looks = now.digits.looks
    start = looks[now.labelled] if len(now.labelled) else looks.mean(axis=0)[None]
    nearest = distances(looks, start).min(axis=1)
    chosen: list[int] = []
    while len(chosen) < BATCH:
        nearest[[*now.labelled, *chosen]] = -1
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances(looks, looks[chosen[-1:]])[:, 0])
    return np.asarray(chosen, np.int64)


WAYS: Final[Mapping[str, Way]] = {
    "label next": _label_next,
    "random": _random,
    "margin": partial(_by_score, _margin),
    "least confidence": partial(_by_score, _least_confidence),
    "entropy": partial(_by_score, _entropy),
    "k-centre": _k_centre,
}
