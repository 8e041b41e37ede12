"""What a graph's outputs mean: recognised by their names and shapes, read for one picture.

boxes, scores[, labels]        the graph contract [N,K,4], or torchvision's [K,4] with labels
                               from 1; xyxy in pixels of the input
logits, pred_boxes             DETR and its kin: centres and sizes as shares of the input
[1,1,N,7]                      OpenVINO's DetectionOutput: picture, label from 1, score, xyxy
[1,4+C,N]                      a YOLO head (v8 and later): centres and sizes in pixels
[1,N,6], N up to 1000          a YOLO with suppression inside: xyxy, score, class
[1,C], [1,C,1,1]               scores of classes: probabilities, or logits
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.teachers.engines import Array, Port
from edgefactory.datasets.teachers.found import Floats, Found
from edgefactory.datasets.teachers.geometry import from_centres, suppress_by_class

Reader = Callable[[Mapping[str, Array], tuple[int, int]], Found]
"""Outputs for one picture and the input's (width, height) to what was found, in its pixels."""

_YOLO_IOU: Final = 0.5
_YOLO_LOWEST: Final = 0.01  # scores below are not even suppressed: most of 8,400 boxes
_MOST_ENDED: Final = 1000  # boxes of a YOLO with suppression inside; a raw head has thousands


def recognise(ports: Sequence[Port], classes: int, name: str) -> tuple[Task, Reader]:
    """The task of a graph with the outputs `ports` for so many `classes`, and its reader.

    Raises `InputError` when the outputs are of no form that is known.
    """
    names = {port.name for port in ports}
    if {"boxes", "scores"} <= names:
        return "detection", _contract
    if {"logits", "pred_boxes"} <= names:
        return "detection", _transformer(classes)
    if len(ports) == 1:
        found = _single(ports[0], classes)
        if found is not None:
            return found
    triple = _triple(ports)
    if triple is not None:
        return "detection", triple
    raise InputError(
        f"teacher {name}: its outputs ({', '.join(map(str, ports))}) for {classes} classes are of "
        "no known form (docs/teachers.md lists them); export it with suppression inside, as "
        "boxes, scores, labels"
    )


def _single(port: Port, classes: int) -> tuple[Task, Reader] | None:
    """The reader of a graph with one output, by its shape."""
    shape = port.shape
    flat = len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1))
    if flat and shape[1] in {None, classes}:
        return "classification", _scores(port.name)
    if len(shape) == 4 and shape[3] == 7:
        return "detection", _detection_output(port.name)
    if len(shape) != 3:
        return None
    if shape[1] == 4 + classes:
        return "detection", _yolo(port.name)
    if shape[2] == 6 and (shape[1] is None or shape[1] <= _MOST_ENDED):
        return "detection", _yolo_ended(port.name)
    return None


def _triple(ports: Sequence[Port]) -> Reader | None:
    """torchvision's three outputs under any names: [K,4], labels [K], scores [K]."""
    boxes = [p for p in ports if len(p.shape) == 2 and p.shape[1] == 4]
    flat = [p for p in ports if len(p.shape) == 1]
    labels = [p for p in flat if p.kind.startswith("int")]
    scores = [p for p in flat if p.kind.startswith("float")]
    if not len(boxes) == len(labels) == len(scores) == 1:
        return None
    renamed = {"boxes": boxes[0].name, "labels": labels[0].name, "scores": scores[0].name}

    def read(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
        return _contract({new: outputs[old] for new, old in renamed.items()}, size)

    return read


def _contract(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
    del size
    boxes, scores = np.asarray(outputs["boxes"]), np.asarray(outputs["scores"])
    batched = boxes.ndim == 3
    if "labels" in outputs:
        # torchvision counts from 1 (0 is its background), the graph contract from 0.
        labels = np.asarray(outputs["labels"]).astype(np.int64) - (0 if batched else 1)
    else:
        labels = np.zeros(scores.shape, np.int64)
    if batched:
        boxes, scores, labels = boxes[0], scores[0], labels[0]
    if boxes.shape != (len(scores), 4) or labels.shape != scores.shape:
        raise InputError(
            f"a teacher gave boxes {boxes.shape}, scores {scores.shape}, labels {labels.shape}; "
            "expected boxes [K,4], scores [K], labels [K]"
        )
    return Found(boxes.astype(np.float32), scores.astype(np.float32), labels)


def _transformer(classes: int) -> Reader:
    """DETR (Carion 2020): softmax with "nothing" as its last class; its kin use a sigmoid."""

    def read(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
        logits = np.asarray(outputs["logits"], np.float32)[0]
        shares = logits.shape[1] - classes
        if shares not in {0, 1}:
            raise InputError(
                f"a teacher gave logits for {logits.shape[1]} classes, {classes} are named"
            )
        values = _softmax(logits)[:, :classes] if shares else _sigmoid(logits)
        boxes = from_centres(np.asarray(outputs["pred_boxes"], np.float32)[0])
        best = values.argmax(axis=1)
        return Found(boxes * _twice(size), values.max(axis=1), best.astype(np.int64))

    return read


def _detection_output(name: str) -> Reader:
    def read(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
        rows: Floats = np.asarray(outputs[name], np.float32).reshape(-1, 7)
        ended = np.flatnonzero(rows[:, 0] < 0)  # what follows the first such row is left over
        rows = rows[: ended[0]] if ended.size else rows
        labels = rows[:, 1].astype(np.int64) - 1
        return Found(rows[:, 3:] * _twice(size), rows[:, 2], labels)

    return read


def _yolo(name: str) -> Reader:
    def read(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
        del size
        rows = np.asarray(outputs[name], np.float32)[0].T
        scores, labels = rows[:, 4:].max(axis=1), rows[:, 4:].argmax(axis=1).astype(np.int64)
        likely = scores >= _YOLO_LOWEST
        boxes, scores, labels = from_centres(rows[likely, :4]), scores[likely], labels[likely]
        keep = suppress_by_class(boxes, scores, labels, _YOLO_IOU)
        return Found(boxes[keep], scores[keep], labels[keep])

    return read


def _yolo_ended(name: str) -> Reader:
    def read(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
        del size
        rows = np.asarray(outputs[name], np.float32)[0]
        return Found(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))

    return read


def _scores(name: str) -> Reader:
    def read(outputs: Mapping[str, Array], size: tuple[int, int]) -> Found:
        del size
        values = np.asarray(outputs[name], np.float32).reshape(-1)
        certain = values.min() >= 0 and abs(float(values.sum()) - 1) < 1e-3
        shares = values if certain else _softmax(values[None])[0]
        nothing = np.zeros((0, 4), np.float32)
        return Found(nothing, nothing[:, 0], np.zeros(0, np.int64), shares)

    return read


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))), np.float32)


def _twice(size: tuple[int, int]) -> Floats:
    return np.asarray([*size, *size], np.float32)
