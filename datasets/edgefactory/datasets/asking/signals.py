"""How much a picture's labels leave open: from scores, from other teachers, and from time. Pure.

Every signal is a number from 0, nothing speaks for asking, to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from edgefactory.datasets.asking.questions import Reason
from edgefactory.datasets.documents import Item, Label, Task
from edgefactory.datasets.overlap import largest_iou
from edgefactory.datasets.tracks import Sighting, TrackSettings, sequences, steadied

Signals = Mapping[Reason, float]

_SAME_IOU: Final = 0.5  # two boxes of a class that overlap this much are about the same thing
_FREE_IOU: Final = 0.1  # a place is empty when no box covers more of it
_UNSURE_BOX: Final = 0.5  # what the least sure box counts for, at most
_LEAST: Final = 0.02  # what a picture is worth when nothing speaks for asking
_SPEAKS: Final = 0.2  # from here on a signal is named as a reason


def uncertainty(labels: Sequence[Label], task: Task) -> float:
    """How unsure one teacher is, which said `labels` of a picture.

    Of a classification: 1 less the margin between its two best classes (Scheffer 2001), or less
    its best score where it names only one; 1 where it names none. Of a detection: that of its
    least sure box, which is 0 at the scores 0 and 1 and greatest at 0.5, but never above a half,
    for an unsure box waits for a person already and a missed one for nobody; 0 without a box.
    """
    if task == "classification":
        best, second = sorted([0.0, 0.0, *(label.score for label in labels)])[:-3:-1]
        return 1 - (best - second)
    return _UNSURE_BOX * max((1 - abs(2 * label.score - 1) for label in labels), default=0.0)


def disagreement(one: Sequence[Label], other: Sequence[Label], task: Task) -> float:
    """How surely two teachers say different things of a picture.

    Of a classification: the mean score of their best classes where these differ, else 0. Of a
    detection: the score of the surest box of either that no box of its class of the other
    overlaps by half.
    """
    if task == "classification":
        best, others = (max(said, key=lambda label: label.score, default=None)
                        for said in (one, other))  # fmt: skip
        if best is None or others is None or best.class_ == others.class_:
            return 0.0
        return (best.score + others.score) / 2
    alone = [*_alone(one, other), *_alone(other, one)]
    return max((label.score for label in alone), default=0.0)


def _alone(labels: Iterable[Label], others: Iterable[Label]) -> list[Label]:
    found = list(others)
    return [label for label in labels if not _confirmed(label, found)]


def _confirmed(label: Label, others: Sequence[Label]) -> bool:
    assert label.box is not None
    same = [one.box for one in others if one.class_ == label.class_ and one.box is not None]
    return largest_iou(label.box, same) >= _SAME_IOU


def gaps(items: Sequence[Item], settings: TrackSettings) -> dict[str, float]:
    """Of each picture, by id, in which an object is missing that was there before and after: the
    score of the surest such object. Queued labels do not count as found, and a box that covers
    some of the place does."""
    found: dict[str, float] = {}
    for frames in sequences(items, settings):
        sightings = [[_sighting(x) for x in item.labels if _is_sure(x)] for item in frames]
        steady = steadied(sightings, settings)
        for item, verdict, there in zip(frames, steady, sightings, strict=True):
            missing = [box.score for box in verdict.filled if _is_free(box, there)]
            if missing and not item.reviewed:
                found[item.id] = max(missing)
    return found


def _is_free(place: Sighting, there: Sequence[Sighting]) -> bool:
    return largest_iou(place.box, [sighting.box for sighting in there]) < _FREE_IOU


def _is_sure(label: Label) -> bool:
    return label.box is not None and label.state in ("accepted", "reviewed")


def _sighting(label: Label) -> Sighting:
    assert label.box is not None
    return Sighting(label.box, label.score, label.class_)


def worth(signals: Signals) -> float:
    """One number for what speaks for asking: the chance that one of the signals is right, if
    each were the chance that it is (a noisy or); never below a little."""
    return max(_LEAST, 1 - math.prod(1 - value for value in signals.values()))


def reasons(signals: Signals) -> tuple[Reason, ...]:
    """The signals that speak, the strongest first; "unlike" where none does."""
    named = [reason for reason, value in signals.items() if value >= _SPEAKS]
    return tuple(sorted(named, key=lambda reason: -signals[reason])) or ("unlike",)
