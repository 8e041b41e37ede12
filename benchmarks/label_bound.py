"""Labels with a stated error: how often the statement is false, and how much it lets through.

A draw is a seed of the calibration order: its first pictures are reviewed with the truth that the
pool comes with, `bounded` decides, and the accepted labels that nobody reviewed are counted. The
promise: of all draws, at most the share 1 - confidence has more than max_error wrong ones among
them. Five pools (see `label_bound_pools`), of which the two of stress are made to be violated. 500
draws of each, 2,000 in the long form.

`violation_share` is the worst pool's. `accepted_share` is of the digits, of the labels in
unreviewed pictures, averaged over the draws (nothing accepted counts as 0). The floor beside it is
what an oracle that sees all truth could accept. Peers: the same by pool, and what the usual method
does, the lowest threshold from which on no more than max_error of the sample is wrong.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import label_bound_pools as pools
from edgefactory.datasets import Item, Snapshot
from edgefactory.datasets.bounds import BoundSettings, bounded, calibration_order, wrong_labels
from edgefactory.datasets.documents import Task
from label_bound_pools import Booleans, Floats, Known
from measured import Bound, Measured

SAYS = "labels with a stated error: how often it is false, and how much is accepted"

CONFIDENCE = 0.95
Integers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Case:
    """A pool, how many of its pictures are reviewed, and what is asked."""

    known: Callable[[], Known]
    reviewed: int
    max_error: float


CASES = {
    "digits": Case(pools.digits, 200, 0.05),
    "sheets": Case(pools.sheets, 150, 0.07),
    "persons": Case(pools.persons, 300, 0.25),
    "stress": Case(lambda: pools.stress(0.05, 1), 200, 0.05),
    "stress-clusters": Case(lambda: pools.stress(0.05, 5), 200, 0.05),
}


@dataclass(frozen=True)
class Share:
    """Of the draws: the share with too many wrong labels, and the mean share of what is let in."""

    violated: float
    accepted: float

    def rounded(self) -> dict[str, float]:
        """For the result's file."""
        return {
            "violation_share": round(self.violated, 4),
            "accepted_share": round(self.accepted, 4),
        }


@dataclass(frozen=True)
class Flat:
    """The pool's labels in one row each: score, place of the picture, whether it is wrong."""

    score: Floats
    picture: Integers
    wrong: Booleans


def run(full: bool, /) -> Measured:
    """Draw, decide and count for each pool."""
    draws = 2000 if full else 500
    found: dict[str, tuple[Share, Share, float]] = {}
    for name, case in CASES.items():
        found[name] = _case(name, case, draws)
        ours, naive, _ = found[name]
        sys.stderr.write(f"{name}: {ours.rounded()}, point estimate {naive.rounded()}\n")
    promised = round(1 - CONFIDENCE, 10)
    metrics = {
        "violation_share": round(max(ours.violated for ours, _, _ in found.values()), 4),
        "promised_share": promised,
        "accepted_share": round(found["digits"][0].accepted, 4),
        "draws": float(draws),
    }
    peers = {
        "by_pool": {name: ours.rounded() for name, (ours, _, _) in found.items()},
        "point_estimate": {name: naive.rounded() for name, (_, naive, _) in found.items()},
        "oracle": {name: round(oracle, 4) for name, (_, _, oracle) in found.items()},
    }
    return Measured(
        metrics,
        {"accepted_share": round(found["digits"][2], 4)},
        {
            "violation_share": Bound("at_most", promised),
            "accepted_share": Bound("at_least", 0.5),
        },
        peers,
    )


def _case(name: str, case: Case, draws: int) -> tuple[Share, Share, float]:
    """Ours, the point estimate's, and what an oracle could accept."""
    pairs = case.known().items(name)
    flat = _flat([done for _, done in pairs])
    ours = np.zeros((draws, 2))
    naive = np.zeros((draws, 2))
    for seed in range(draws):
        place = {id_: i for i, id_ in enumerate(calibration_order((p.id for p, _ in pairs), seed))}
        drawn = np.asarray([place[new.id] < case.reviewed for new, _ in pairs])
        unseen = ~drawn[flat.picture]
        accepted = _accepted(
            name, case, seed, [pair[int(d)] for pair, d in zip(pairs, drawn, strict=True)]
        )
        ours[seed] = _judged(accepted[unseen], flat.wrong[unseen], case.max_error)
        guess = _point_estimate(flat, ~unseen, case.max_error)
        naive[seed] = _judged((flat.score >= guess)[unseen], flat.wrong[unseen], case.max_error)
    every = np.ones(len(flat.wrong), np.bool_)
    best = float((flat.score >= _point_estimate(flat, every, case.max_error)).mean())
    return _share(ours), _share(naive), best


def _share(verdicts: Floats) -> Share:
    """The mean of the draws' verdicts [draws,2]."""
    violated, accepted = verdicts.mean(axis=0).tolist()
    return Share(violated, accepted)


def _flat(items: Sequence[Item]) -> Flat:
    rows = [
        (label.score, place, wrong)
        for place, item in enumerate(items)
        for label, wrong in zip(item.labels, wrong_labels(item, 0.5), strict=False)
    ]
    score, picture, wrong = zip(*rows, strict=True)
    return Flat(np.asarray(score), np.asarray(picture), np.asarray(wrong))


def _accepted(name: str, case: Case, seed: int, items: Sequence[Item]) -> Booleans:
    """For each label of the machine, in the pool's order, whether `bounded` accepts it unseen."""
    classes = sorted({label.class_ for item in items for label in item.labels})
    task: Task = "detection" if items[0].labels[0].box else "classification"
    pool = Snapshot(name, task, tuple(classes), "human", None, tuple(items))
    settings = BoundSettings(case.max_error, CONFIDENCE, seed=seed, per_class=False)
    result = bounded(pool, settings).snapshot
    accepted: list[bool] = []
    for before, after in zip(items, result.items, strict=True):
        machines = sum(label.origin == pools.ORIGIN for label in before.labels)
        if before.reviewed:
            accepted += [False] * machines
        else:
            accepted += [label.bound is not None for label in after.labels]
    return np.asarray(accepted)


def _judged(accepted: Booleans, wrong: Booleans, max_error: float) -> tuple[float, float]:
    """Whether too many of the accepted are wrong (0 or 1), and the share that is accepted."""
    if not accepted.any():
        return 0.0, 0.0
    return float(wrong[accepted].mean() > max_error), float(accepted.mean())


def _point_estimate(flat: Flat, seen: Booleans, max_error: float) -> float:
    """The lowest score from which on at most `max_error` of the `seen` labels are wrong."""
    order = np.argsort(-flat.score[seen], kind="stable")
    scores, wrong = flat.score[seen][order], flat.wrong[seen][order]
    good = np.flatnonzero(np.cumsum(wrong) <= max_error * np.arange(1, len(wrong) + 1))
    return float(scores[good[-1]]) if good.size else np.inf
