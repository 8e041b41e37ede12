"""How often the gate passes a release that is worse by the margin, and refuses one that is not.

A trial draws the outcomes of n test pictures anew and asks `compare`, as the rule `champion` does.
*At the margin*: the candidate is truly worse than the champion by some d, the policy's margin is
that very d, and passing is false; it may happen with the chance alpha = 0.05 at most. *At no
difference*: each picture's two answers change sides by a coin, so that both are equally good, with
a margin of 5 points; the share that passes is the power, the rest are false refusals.

Real outcomes, of which the true difference is known since the pictures are drawn from them:
`digits` (two classifiers on 898 of scikit-learn's digits) and `cctv` (the demo's teacher against
its specialist on its 46 held-out pictures, `gate_errors_cctv.json`). Models of the trouble that a
test split may not show: `rare` (3% of the pictures are lost, none gained), `blind` (a detector that
sees nothing in 4% of the pictures), `boxes` (misses and false alarms everywhere).

1,000 trials of each, 4,000 in the long form; a third as many for the power and the peer, the
percentile bootstrap on the same trials. `false_pass_at_margin` is the worst case's; its bound is
alpha and the error of so many trials (one-sided, 95% over all cases).
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from edge_runtime.contract import digest
from edgefactory.datasets.outcomes import (
    Answered,
    Boxes,
    Matched,
    Outcomes,
    Shown,
    average_precision,
    compare,
    figure,
    parts,
    read_outcomes,
)
from measured import Bound, Measured

SAYS = "how often the gate passes what is worse by the margin, and refuses what is not"

ALPHA = 0.05
MARGIN = 0.05  # at no difference
PICKED = 200  # draws of the peer's bootstrap
POOL = 20_000  # pictures of the models, from which the trials are drawn
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Side:
    """One model's detections, those of a picture together: where each picture's begin [P+1], their
    scores [D], whether they are right [D]. Of classes: one a picture, right or not."""

    start: Integers
    score: Floats
    right: Booleans

    def of(self, pictures: Integers) -> tuple[Integers, Floats, Booleans]:
        """Place, score and rightness of all detections in these pictures, by falling score."""
        counts = self.start[pictures + 1] - self.start[pictures]
        place = np.repeat(np.arange(len(pictures)), counts)
        first = np.repeat(self.start[pictures], counts)
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = first + within
        order = np.argsort(-self.score[chosen], kind="stable")
        return place[order], self.score[chosen][order], self.right[chosen][order]


@dataclass(frozen=True)
class Pool:
    """The pictures that trials draw from: how much is to be found in each [P], None for classes,
    and the answers of the candidate and the champion."""

    wanted: Integers | None
    new: Side
    old: Side

    @property
    def pictures(self) -> int:
        """How many there are."""
        return len(self.new.start) - 1


@dataclass(frozen=True)
class Case:
    """A pool, and how many test pictures are drawn from it."""

    pool: Callable[[], Pool]
    pictures: tuple[int, ...]


def run(full: bool, /) -> Measured:
    """All cases, at the margin and at no difference."""
    trials = 4000 if full else 1000
    found: dict[str, dict[str, float]] = {}
    for name, case in CASES.items():
        pool = case.pool()
        for pictures in case.pictures:
            found[f"{name}-{pictures}"] = _trials(pool, pictures, trials)
            sys.stderr.write(f"{name}-{pictures}: {found[f'{name}-{pictures}']}\n")
    worst = max(one["false_pass"] for one in found.values())
    error = float(stats.norm.ppf(1 - 0.05 / len(found))) * np.sqrt(ALPHA * (1 - ALPHA) / trials)
    power = found[_POWER]["power"]
    metrics = {
        "false_pass_at_margin": worst,
        "alpha": ALPHA,
        "power": power,
        "false_refusal": round(1 - power, 4),
        "trials": float(trials),
    }
    bounds = {
        "false_pass_at_margin": Bound("at_most", round(ALPHA + float(error), 4)),
        "power": Bound("at_least", 0.7),
    }
    percentile = max(one["percentile_false_pass"] for one in found.values())
    peers = {"by_case": found, "percentile_bootstrap_false_pass_at_margin": percentile}
    return Measured(metrics, {}, bounds, peers)


def _trials(pool: Pool, pictures: int, trials: int) -> dict[str, float]:
    random = np.random.default_rng(0)
    true = _difference(_outcomes(pool, np.arange(pool.pictures), None))
    counts = np.zeros(3)
    some = -(-trials // 3)
    for number in range(trials):
        drawn = random.integers(0, pool.pictures, pictures)
        outcomes = _outcomes(pool, drawn, None)
        counts[0] += _limit(outcomes) >= true
        if number >= some:
            continue
        counts[1] += _percentile(pool, drawn, random) >= true
        swap = random.random(pictures) < 0.5
        counts[2] += _limit(_outcomes(pool, drawn, swap)) >= -MARGIN
    false, percentile, power = (counts / [trials, some, some]).round(4).tolist()
    return {
        "margin": round(-true, 4),
        "false_pass": false,
        "percentile_false_pass": percentile,
        "power": power,
    }


def _limit(outcomes: Outcomes) -> float:
    new, old = outcomes.subjects
    (everything,) = parts(outcomes, "all")
    return compare(outcomes, new, old, everything, ALPHA).limit


def _difference(outcomes: Outcomes) -> float:
    new, old = outcomes.subjects
    return figure(outcomes, new) - figure(outcomes, old)


def _percentile(pool: Pool, drawn: Integers, random: np.random.Generator) -> float:
    """The lower end of the percentile bootstrap's interval: what `compress` certifies by."""
    count = len(drawn)
    share = np.full(count, 1 / count)
    weights = random.multinomial(count, share, size=PICKED).astype(np.float64)
    if pool.wanted is None:
        gains = pool.new.right[drawn].astype(np.float64) - pool.old.right[drawn]
        values = weights @ gains / count
    else:
        sides = []
        for side in (pool.new, pool.old):
            place, score, right = side.of(drawn)
            counts = np.ones((1, len(place)), np.bool_)
            rank = np.zeros(len(place), np.int64)
            one = Matched(score, place, rank, right[None], counts, pool.wanted[drawn])
            sides.append(average_precision(one, 0, weights))
        values = sides[0] - sides[1]
    return float(np.nanquantile(values, ALPHA))


def _outcomes(pool: Pool, drawn: Integers, swap: Booleans | None) -> Outcomes:
    """The document for the drawn pictures; where `swap`, the two answer in each other's name."""
    shown = _shown(len(drawn))
    sides = (pool.new, pool.old)
    if pool.wanted is None:
        rights = [side.right[drawn] for side in sides]
        if swap is not None:
            rights = [np.where(swap, rights[1 - n], rights[n]) for n in range(2)]
        answers = [_answered(n, {}, right.astype(int)) for n, right in enumerate(rights)]
        return Outcomes(
            "outcomes/1",
            "classification",
            ("wrong", "right"),
            _NO_SNAPSHOT,
            "human",
            shown,
            tuple(answers),
            targets=(1,) * len(drawn),
        )
    told = [side.of(drawn) for side in sides]
    if swap is not None:
        told = [_mixed(told[n], told[1 - n], swap) for n in range(2)]
    answers = [_answered(n, {"box": _boxes(*one)}, None) for n, one in enumerate(told)]
    wanted = {"box": tuple(pool.wanted[drawn].tolist())}
    return Outcomes(
        "outcomes/1",
        "detection",
        ("box",),
        _NO_SNAPSHOT,
        "human",
        shown,
        tuple(answers),
        wanted,
    )


_NO_SNAPSHOT = "0" * 64


def _mixed(
    own: tuple[Integers, Floats, Booleans], other: tuple[Integers, Floats, Booleans], swap: Booleans
) -> tuple[Integers, Floats, Booleans]:
    mine, theirs = ~swap[own[0]], swap[other[0]]
    place, score, right = (np.concatenate([own[n][mine], other[n][theirs]]) for n in range(3))
    order = np.argsort(-score, kind="stable")
    return place[order], score[order], right[order]


def _boxes(place: Integers, score: Floats, right: Booleans) -> Boxes:
    return Boxes(tuple(place.tolist()), tuple(score.tolist()), tuple(right.tolist()))


def _answered(number: int, boxes: Mapping[str, Boxes], said: Integers | None) -> Answered:
    name = ("new", "old")[number]
    sha = digest(name.encode())
    told = () if said is None else tuple(said.tolist())
    return Answered(name, sha, (sha,), "onnxruntime", "f32", 0.0, dict(boxes), told)


_NAMED: list[Shown] = []


def _shown(count: int) -> tuple[Shown, ...]:
    """So many pictures; which ones they are says nothing."""
    while len(_NAMED) < count:
        _NAMED.append(Shown(digest(str(len(_NAMED)).encode()), "camera", 0.0))
    return tuple(_NAMED[:count])


def _classes(new: Booleans, old: Booleans) -> Pool:
    start = np.arange(len(new) + 1)
    ones = np.ones(len(new))
    return Pool(None, Side(start, ones, new), Side(start, ones, old))


def _digits() -> Pool:
    """A linear classifier against the nearest neighbour: about 3 points apart."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    pictures, truth = load_digits(return_X_y=True)
    learn, test = slice(0, 899), slice(899, None)
    rights = []
    for model in (LogisticRegression(max_iter=5000), KNeighborsClassifier(1)):
        model.fit(pictures[learn], truth[learn])
        rights.append(model.predict(pictures[test]) == truth[test])
    new, old = sorted(rights, key=lambda right: float(right.mean()))
    return _classes(new, old)


def _rare() -> Pool:
    lost = np.random.default_rng(1).random(POOL) < 0.03
    return _classes(~lost, np.ones(POOL, np.bool_))


def _cctv() -> Pool:
    outcomes = read_outcomes(Path(__file__).with_name("gate_errors_cctv.json"))
    wanted = np.asarray(outcomes.wanted["person"])
    named = {one.subject: one for one in outcomes.subjects}
    sides = []
    for name in ("teacher", "onnx-fp32"):
        boxes = named[name].boxes["person"]
        sides.append(
            _side(
                np.asarray(boxes.picture),
                np.asarray(boxes.score),
                np.asarray(boxes.right),
                len(wanted),
            )
        )
    return Pool(wanted, sides[0], sides[1])


def _side(picture: Integers, score: Floats, right: Booleans, pictures: int) -> Side:
    order = np.argsort(picture, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(picture, minlength=pictures))])
    return Side(start, score[order], right[order])


def _blind() -> Pool:
    """The champion, but for what it sees in 4% of the pictures."""
    wanted, person, hard, random = _scenes(2)
    place, score, right = _detector(person, hard, (0.12, 0.4), random)
    seen = ~(random.random(POOL) < 0.04)[place]
    return Pool(
        wanted,
        _side(place[seen], score[seen], right[seen], POOL),
        _side(place, score, right, POOL),
    )


def _boxes_everywhere() -> Pool:
    wanted, person, hard, random = _scenes(3)
    sides = [_detector(person, hard, how, random) for how in ((0.16, 0.6), (0.12, 0.4))]
    return Pool(wanted, _side(*sides[0], POOL), _side(*sides[1], POOL))


def _scenes(seed: int) -> tuple[Integers, Integers, Floats, np.random.Generator]:
    """How many are in each picture, the picture of each, and how hard each is to find: some
    pictures are harder than others."""
    random = np.random.default_rng(seed)
    wanted = random.poisson(2, POOL)
    person = np.repeat(np.arange(POOL), wanted)
    hard = random.normal(0, 1, len(person)) + 0.7 * random.normal(0, 1, POOL)[person]
    return wanted, person, hard, random


def _detector(
    person: Integers, hard: Floats, how: tuple[float, float], random: np.random.Generator
) -> tuple[Integers, Floats, Booleans]:
    """Picture, score and rightness of what a detector finds that misses the share `how[0]`, and
    sees `how[1]` in a picture that are not there."""
    own = 0.8 * hard + 0.6 * random.normal(0, 1, len(hard))
    found = own < np.quantile(own, 1 - how[0])
    sure = own[found] - 1 + 0.5 * random.normal(0, 1, int(found.sum()))
    alarms = np.repeat(np.arange(POOL), random.poisson(how[1], POOL))
    unsure = random.normal(1.5, 1, len(alarms))
    score = 1 / (1 + np.exp(np.concatenate([sure, unsure])))
    right = np.arange(len(score)) < len(sure)
    return np.concatenate([person[found], alarms]), score, right


CASES: Mapping[str, Case] = {
    "digits": Case(_digits, (50, 200)),
    "rare": Case(_rare, (50, 200, 800)),
    "cctv": Case(_cctv, (46,)),
    "blind": Case(_blind, (46, 100)),
    "boxes": Case(_boxes_everywhere, (46, 100)),
}
_POWER = "digits-200"
