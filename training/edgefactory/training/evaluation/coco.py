"""The COCO AP family by `faster_coco_eval`, the maintained form of COCO's reference code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from edgefactory.training.evaluation.matching import SIZES, area
from edgefactory.training.metrics import Detections, Floats, Truth

IOU50, IOU75, EVERY_IOU = slice(0, 1), slice(5, 6), slice(0, 10)
APS: Final = {"ap": EVERY_IOU, "ap50": IOU50, "ap75": IOU75}
MOST: Final = (1, 10, 100)


@dataclass(frozen=True)
class Family:
    """AP at [10 IoUs, K classes, 4 sizes] and AR at [K classes, 4 sizes, 3 numbers of detections].

    The sizes are all, small, medium, large. -1 where there is nothing to find.
    """

    classes: tuple[int, ...]
    precision: Floats
    recall: Floats

    def ap(self, ious: slice, size: str = "all", label: int | None = None) -> float:
        """Mean AP of all classes, or of one; NaN where there is nothing to find."""
        kept = slice(None) if label is None else [self.classes.index(label)]
        return _known_mean(self.precision[ious][:, kept, _SIZES.index(size)])

    def ar(self, most: int, size: str = "all", label: int | None = None) -> float:
        """Mean AR with so many detections a class and picture."""
        kept = slice(None) if label is None else [self.classes.index(label)]
        return _known_mean(self.recall[kept, _SIZES.index(size), MOST.index(most)])

    def values(self, size: str = "all", label: int | None = None) -> dict[str, float]:
        """All figures of one size and one class, or all of them."""
        values = {name: self.ap(ious, size, label) for name, ious in APS.items()}
        return values | {f"ar{most}": self.ar(most, size, label) for most in MOST}


_SIZES: Final = ("all", *SIZES)


def family(
    answers: Sequence[Detections], truths: Sequence[Truth], classes: Sequence[int]
) -> Family:
    """The figures of the detections of `classes`; ignored truth is COCO's `iscrowd`."""
    from faster_coco_eval.core import COCO, COCOeval_faster

    truth, found = COCO(), COCO()
    for data, boxes in ((truth, _truths(truths)), (found, _answers(answers))):
        data.dataset = {
            "images": [{"id": index} for index in range(len(truths))],
            "categories": [{"id": label, "name": str(label)} for label in classes],
            "annotations": [
                {"id": number, **one}
                for number, one in enumerate(
                    (box for box in boxes if box["category_id"] in classes), start=1
                )
            ],
        }
        data.createIndex()
    ranges = {name: list(ends) for name, ends in SIZES.items()}
    judge = COCOeval_faster(truth, found, "bbox", ranges=ranges)
    judge.evaluate()
    judge.accumulate()
    precision = np.asarray(judge.eval["precision"], np.float64)[..., -1]  # [T,R,K,A] of 100
    recall = np.asarray(judge.eval["recall"], np.float64).mean(axis=0)
    return Family(tuple(classes), precision.mean(axis=1), recall)


def _truths(truths: Sequence[Truth]) -> list[Mapping[str, Any]]:
    return [
        {**_box(index, box, label), "iscrowd": int(ignore)}
        for index, truth in enumerate(truths)
        for box, label, ignore in zip(truth.boxes, truth.labels, truth.ignore, strict=True)
    ]


def _answers(answers: Sequence[Detections]) -> list[Mapping[str, Any]]:
    return [
        {**_box(index, box, label), "score": float(score)}
        for index, found in enumerate(answers)
        for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
    ]


def _box(picture: int, box: Floats, label: np.int64) -> Mapping[str, Any]:
    x0, y0, x1, y1 = (float(value) for value in box)
    return {
        "image_id": picture,
        "category_id": int(label),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": float(area(box[None])[0]),
    }


def _known_mean(values: Floats) -> float:
    known = values[values > -1]
    return float(known.mean()) if len(known) else float("nan")
