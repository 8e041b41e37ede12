"""How many labels lie above each of a few thresholds: in the pool, and in each drawn picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEPS: Final = 48  # thresholds at most: more gain little, and each must pass


@dataclass(frozen=True, slots=True)
class Scored:
    """The machine's labels of one class, or of all: one entry a label.

    `picture` is the place in the calibration order of the picture that it is in; `wrong` is only
    known where `reviewed` [pictures] is true.
    """

    score: Floats
    picture: Integers
    wrong: NDArray[np.bool_]
    reviewed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Counts at T thresholds, the strictest first; the sample is the order's first n pictures."""

    thresholds: Floats  # [T]
    pictures: int  # of the pool
    room: int  # pictures to leave room for in the pool: the reviewed ones, or somewhat more
    labels: Integers  # [T], of the pool
    most: Integers  # [T], in one picture
    spread: Floats  # [T], standard deviation of the labels in a picture
    sample_labels: Floats  # [n,T]
    sample_wrong: Floats  # [n,T]
    reviewed_labels: Integers  # [T], in all reviewed pictures, drawn or not
    reviewed_wrong: Integers  # [T]


def ladder(scored: Scored, sample: int) -> Ladder:
    """Count the labels; `sample` is the number of leading pictures that have been reviewed.

    The thresholds are scores of the pool, evenly spread over its labels' ranks.
    """
    ranked = np.sort(scored.score)[::-1]
    ranks = np.unique(np.linspace(0, len(ranked), _STEPS + 1).round().astype(np.int64)[1:]) - 1
    thresholds = np.unique(ranked[ranks])[::-1]
    pictures, total = len(scored.reviewed), len(thresholds)
    labels, most, checked, bad = (np.zeros(total, np.int64) for _ in range(4))
    spread = np.zeros(total)
    rows = np.zeros((2, sample, total))
    for step, threshold in enumerate(thresholds):
        over = scored.score >= threshold
        each = np.bincount(scored.picture[over], minlength=pictures)
        wrong = np.bincount(scored.picture[over & scored.wrong], minlength=pictures)
        labels[step], most[step], spread[step] = each.sum(), each.max(), each.std()
        rows[0, :, step], rows[1, :, step] = each[:sample], wrong[:sample]
        checked[step], bad[step] = each[scored.reviewed].sum(), wrong[scored.reviewed].sum()
    room = _room(pictures, sample, int(scored.reviewed.sum()))
    return Ladder(thresholds, pictures, room, labels, most, spread, rows[0], rows[1], checked, bad)


def _room(pictures: int, sample: int, reviewed: int) -> int:
    """The sample, and what else is reviewed, up to the next twentieth of the pool.

    How many others there are depends a little on which were drawn; the twentieth hardly does.
    """
    step = -(-pictures // 20)
    return min(pictures, sample + -(-(reviewed - sample) // step) * step)
