"""Which decisions were right, and which held-out pictures are worth a look: chosen by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import iou_matrix

Kind = Literal["truth", "ignore", "hit", "miss", "false"]
Corners = tuple[float, float, float, float]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrueBox:
    """A box that a person (or whoever made the truth) drew; xyxy in pixels of the picture."""

    corners: Corners
    ignore: bool


@dataclass(frozen=True)
class FoundBox:
    """A box that a model found, with its score."""

    corners: Corners
    score: float


@dataclass(frozen=True)
class Mark:
    """A box to draw, and what it means; `score` is the model's, 0 where none found it."""

    corners: Corners
    kind: Kind
    score: float = 0.0


@dataclass(frozen=True)
class Frame:
    """One held-out picture: its file, the truth, and what each subject found."""

    key: str
    picture: str
    truth: tuple[TrueBox, ...]
    found: Mapping[str, tuple[FoundBox, ...]]


@dataclass(frozen=True)
class Trade:
    """What a model finds against what it makes up, from the highest score threshold down.

    `recall` and `precision` are its curve; `at` is the point (recall, precision) where it works,
    at score `threshold`, with `false_a_picture` false alarms a picture.
    """

    subject: str
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    threshold: float
    at: tuple[float, float]
    false_a_picture: float


@dataclass(frozen=True)
class Chosen:
    """A picture to show, and the rule that chose it."""

    frame: Frame
    why: str


def judge(truth: Sequence[TrueBox], found: Sequence[FoundBox], threshold: float) -> list[Mark]:
    """Hits, misses and false alarms at IoU 0.5, greedily by falling score, as in AP50.

    A found box of which half lies in an ignored region, and that hits nothing, is not drawn.
    """
    kept = sorted((f for f in found if f.score >= threshold), key=lambda f: -f.score)
    wanted = [t for t in truth if not t.ignore]
    ignored = [t for t in truth if t.ignore]
    overlap = iou_matrix(_array(kept), _array(wanted))
    free = set(range(len(wanted)))
    marks: list[Mark] = []
    for row, box in enumerate(kept):
        best = max(free, key=lambda j: float(overlap[row, j]), default=None)
        if best is not None and overlap[row, best] >= 0.5:
            free.discard(best)
            marks.append(Mark(box.corners, "hit", box.score))
        elif not any(_share_inside(box.corners, t.corners) >= 0.5 for t in ignored):
            marks.append(Mark(box.corners, "false", box.score))
    return marks + [Mark(wanted[j].corners, "miss") for j in sorted(free)]


def trade(frames: Sequence[Frame], subject: str, threshold: float) -> Trade | None:
    """The precision-recall curve of `subject` over all frames; None where nobody is to be found."""
    marks = [m for f in frames for m in judge(f.truth, f.found.get(subject, ()), 0.0)]
    found = sorted((m for m in marks if m.kind in ("hit", "false")), key=lambda m: -m.score)
    wanted = sum(not t.ignore for f in frames for t in f.truth)
    if not found or not wanted:
        return None
    hits = np.cumsum([m.kind == "hit" for m in found])
    recall, precision = hits / wanted, hits / np.arange(1, len(found) + 1)
    kept = sum(m.score >= threshold for m in found)
    at = (float(recall[kept - 1]), float(precision[kept - 1])) if kept else (0.0, 1.0)
    false = (kept - int(hits[kept - 1])) if kept else 0
    return Trade(
        subject,
        tuple(float(v) for v in recall),
        tuple(float(v) for v in precision),
        threshold,
        at,
        false / len(frames),
    )


def errors(marks: Sequence[Mark]) -> int:
    """How many misses and false alarms there are."""
    return sum(mark.kind in ("miss", "false") for mark in marks)


def truth_marks(truth: Sequence[TrueBox]) -> list[Mark]:
    """The truth itself, ready to draw."""
    return [Mark(t.corners, "ignore" if t.ignore else "truth") for t in truth]


def choose(
    frames: Sequence[Frame], subject: str, rival: str | None, thresholds: Mapping[str, float]
) -> list[Chosen]:
    """Up to four different pictures, each by a rule that is told beside it."""
    if not frames:
        return []

    def wrong(frame: Frame, who: str) -> int:
        return errors(judge(frame.truth, frame.found.get(who, ()), thresholds[who]))

    rules = [("where the specialist errs most", lambda f: wrong(f, subject))]
    if rival is not None:
        rules.append(("where the teacher errs most", lambda f: wrong(f, rival)))
    rules.append(("with the most people", lambda f: sum(not t.ignore for t in f.truth)))
    chosen: list[Chosen] = []
    for why, value in rules:
        left = [f for f in frames if f not in [c.frame for c in chosen]]
        if left:
            chosen.append(Chosen(max(left, key=value), why))
    left = [f for f in frames if f not in [c.frame for c in chosen]]
    if left:
        ranked = sorted(left, key=lambda f: wrong(f, subject))
        chosen.append(Chosen(ranked[len(ranked) // 2], "of median error for the specialist"))
    return chosen


def crop(marks: Sequence[Mark], size: tuple[int, int], window: tuple[int, int]) -> Corners:
    """The window of the picture that shows most marks, errors counting threefold: x0, y0, w, h."""
    width, height = min(window[0], size[0]), min(window[1], size[1])
    best, best_value = (0.0, 0.0), -1.0
    for x0 in np.linspace(0, size[0] - width, 25):
        for y0 in np.linspace(0, size[1] - height, 19):
            inside = (x0, y0, x0 + width, y0 + height)
            value = sum(
                _share_inside(m.corners, inside) * (3.0 if m.kind in ("miss", "false") else 1.0)
                for m in marks
            )
            if value > best_value + 1e-6:
                best, best_value = (float(x0), float(y0)), value
    return (best[0], best[1], float(width), float(height))


def _share_inside(box: Corners, region: Corners) -> float:
    wide = max(0.0, min(box[2], region[2]) - max(box[0], region[0]))
    high = max(0.0, min(box[3], region[3]) - max(box[1], region[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return wide * high / area if area > 0 else 0.0


def _array(boxes: Sequence[TrueBox] | Sequence[FoundBox]) -> Boxes:
    return np.asarray([b.corners for b in boxes], np.float32).reshape(-1, 4)
