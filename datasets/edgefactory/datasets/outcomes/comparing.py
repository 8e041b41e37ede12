"""Two models on the same pictures, overall and by class, source and time of day, in pairs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal

import numpy as np

from edgefactory.datasets.outcomes.differing import Lower, accuracy_lower, statistic_lower
from edgefactory.datasets.outcomes.document import Answered, Outcomes
from edgefactory.datasets.outcomes.matched import Floats, Integers, Matched
from edgefactory.datasets.outcomes.precision import average_precision, mean_precision

By = Literal["all", "class", "source", "time"]

_CLOCK: Final = 978_307_200.0  # 2001 in POSIX time; no recording lasts so long
_LATEST: Final = 4_102_444_800.0  # 2100; beyond it, times are in another unit
_HOURS: Final = 6


@dataclass(frozen=True)
class Part:
    """Some of the pictures, by their places; of detections only those of class `label`.

    `things` is what is judged there: boxes to be found, or pictures.
    """

    by: By
    name: str
    places: Integers
    label: str | None
    things: int


def time_of_day(captured_at: float, zone: tzinfo = UTC) -> str | None:
    """ "06:00-12:00" for a time since 1970; None for one since the start of its source."""
    if not _CLOCK <= captured_at < _LATEST:
        return None
    start = datetime.fromtimestamp(captured_at, zone).hour // _HOURS * _HOURS
    return f"{start:02d}:00-{start + _HOURS:02d}:00"


def parts(outcomes: Outcomes, by: By) -> list[Part]:
    """The slices of one kind, in order of their names; none where it is not known (times)."""
    every = np.arange(len(outcomes.pictures))
    if by == "all":
        return [_part(outcomes, by, "all", every)]
    if by == "class":
        return list(_classes(outcomes, every))
    if by == "source":
        names: list[str | None] = [picture.source for picture in outcomes.pictures]
    else:
        names = [time_of_day(picture.captured_at) for picture in outcomes.pictures]
    if None in names:
        return []
    told = np.asarray(names)
    return [
        _part(outcomes, by, str(name), np.flatnonzero(told == name)) for name in np.unique(told)
    ]


def compare(outcomes: Outcomes, new: Answered, old: Answered, part: Part, alpha: float) -> Lower:
    """AP50, or accuracy, of `new` less that of `old` in the part, and its lower limit.

    Both answered the pictures of `outcomes`. NaN where nothing is to be found there.
    """
    if outcomes.task == "classification":
        targets = np.asarray(outcomes.targets)[part.places]
        sides = [np.asarray(one.said)[part.places] == targets for one in (new, old)]
        gains = sides[0].astype(np.float64) - sides[1]
        return accuracy_lower(gains, _frames(outcomes, part.places), alpha)
    least = max(new.lowest_score, old.lowest_score)
    pair = [_matched(outcomes, one, part, least) for one in (new, old)]

    def difference(weights: Floats) -> Floats:
        return _ap50(pair[0], weights) - _ap50(pair[1], weights)

    return statistic_lower(difference, len(part.places), alpha)


def figure(outcomes: Outcomes, one: Answered) -> float:
    """AP50, or accuracy, over all pictures."""
    if outcomes.task == "classification":
        return float(np.mean(np.asarray(one.said) == np.asarray(outcomes.targets)))
    (everything,) = parts(outcomes, "all")
    ones = np.ones((1, len(outcomes.pictures)))
    return float(_ap50(_matched(outcomes, one, everything, 0.0), ones)[0])


def _part(
    outcomes: Outcomes, by: By, name: str, places: Integers, label: str | None = None
) -> Part:
    chosen = [label] if label is not None else list(outcomes.wanted)
    things = sum(int(np.asarray(outcomes.wanted[key])[places].sum()) for key in chosen)
    if outcomes.task == "classification":
        things = len(places)
    return Part(by, name, places, label, things)


def _classes(outcomes: Outcomes, every: Integers) -> Iterator[Part]:
    if outcomes.task == "detection":
        yield from (_part(outcomes, "class", name, every, name) for name in outcomes.wanted)
        return
    targets = np.asarray(outcomes.targets)
    for number in np.unique(targets):
        name = outcomes.classes[int(number)]
        yield _part(outcomes, "class", name, np.flatnonzero(targets == number))


def _frames(outcomes: Outcomes, places: Integers) -> Integers:
    """Which frame each picture is of, 0..F-1; one of its own where it is of none."""
    shown = [outcomes.pictures[place] for place in places]
    keys = [(p.source, p.id if p.frame is None else str(p.frame)) for p in shown]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.asarray([numbers[key] for key in keys], np.int64)


def _matched(outcomes: Outcomes, one: Answered, part: Part, least: float) -> list[Matched]:
    """Each class at IoU 0.5, of detections from the score `least` up.

    Better detections are matched first, so leaving out the worst changes no other.
    """
    found = []
    for name in [part.label] if part.label is not None else outcomes.wanted:
        boxes = one.boxes[name]
        score = np.asarray(boxes.score, np.float64)
        kept = score >= least
        right = np.asarray(boxes.right, np.bool_)[kept]
        whole = Matched(
            score[kept],
            np.asarray(boxes.picture, np.int64)[kept],
            np.zeros(int(kept.sum()), np.int64),
            right[None],
            np.ones((1, len(right)), np.bool_),
            np.asarray(outcomes.wanted[name], np.int64),
        )
        found.append(whole.only(part.places))
    return [one for one in found if one.wanted.any()]


def _ap50(matched: list[Matched], weights: Floats) -> Floats:
    if not matched:
        return np.full(len(weights), np.nan)
    return mean_precision(np.stack([average_precision(one, 0, weights) for one in matched])[None])
