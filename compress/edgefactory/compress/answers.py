"""What a graph of the contract says about a batch of one picture."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Outputs, Placement, Task, decide
from edgefactory.datasets.errors import InputError
from edgefactory.training.metrics import Detections

Floats = npt.NDArray[np.float64]
Answer = Detections | Floats

_UNIT: Final = 0.01  # how far from 1 the length of an embedding may lie (bf16 rounds)


def boxes_in(outputs: Outputs, place: Placement, lowest: float) -> Detections:
    """The detections from the score `lowest` up, in pixels of the picture, best first."""
    found = decide("detection", outputs, 0, lowest)
    boxes = place.to_picture(np.asarray(found.boxes, np.float32).reshape(-1, 4))
    return Detections(
        boxes.astype(np.float64),
        np.asarray(found.scores, np.float64),
        np.asarray(found.labels, np.int64),
    )


def probabilities_in(outputs: Outputs) -> Floats:
    """The probabilities [C]."""
    decide("classification", outputs, 0, 0.0)  # refuses what is not finite probabilities
    return np.asarray(outputs["probabilities"][0], np.float64)


def embedding_in(outputs: Outputs) -> Floats:
    """The embedding [D], of length 1. Raises InputError when it is no such thing."""
    if "embedding" not in outputs:
        raise InputError(f"the graph has no output `embedding`; found {sorted(outputs)}")
    vector = np.asarray(outputs["embedding"][0], np.float64)
    length = float(np.linalg.norm(vector)) if vector.ndim == 1 else float("nan")
    if not abs(length - 1) <= _UNIT:
        raise InputError(f"the graph's embedding has the length {length:.3g}; expected 1")
    return np.asarray(vector / length, np.float64)


def answer_in(task: Task, outputs: Outputs, place: Placement, lowest: float) -> Answer:
    """What the outputs say, by the task."""
    if task == "detection":
        return boxes_in(outputs, place, lowest)
    return probabilities_in(outputs) if task == "classification" else embedding_in(outputs)
