"""A torch network judged on examples: the same decoding and metrics as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from edgefactory.datasets.errors import InputError
from edgefactory.training.evaluation.ap import ap50
from edgefactory.training.examples import Examples
from edgefactory.training.metrics import Detections, accuracy, recall_at_1
from edgefactory.training.networks import Graph, Network
from edgefactory.training.recipe import Task
from edgefactory.training.targets import ClassTargets

_BATCH = 32
_COCO_IOUS = tuple(np.arange(0.5, 1.0, 0.05).tolist())

Arrays = list[npt.NDArray[np.generic]]


@torch.no_grad()
def answers(network: Network, pictures: npt.NDArray[np.uint8]) -> Arrays:
    """The graph's outputs for pictures [N,H,W,3], in the order of the output's names.

    The network is asked in evaluation mode, and put back as it was. Raises InputError where an
    answer is no number: a last step too long can spoil weights after the last loss was looked at.
    """
    training = network.training
    device = next(network.parameters()).device
    graph = Graph(network).eval()
    parts = [
        graph(torch.from_numpy(np.ascontiguousarray(pictures[at : at + _BATCH])).to(device))
        for at in range(0, len(pictures), _BATCH)
    ]
    network.train(training)
    found = [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]
    if not all(np.isfinite(column).all() for column in found):
        raise InputError("the network's answers are no numbers; lower learning_rate")
    return found


def score(
    network: Network, examples: Examples, task: Task, metric: str | None = None
) -> float | None:
    """The task's own metric, or another one of `METRICS`, 0..1; None if nothing is to be found."""
    scores = _SCORES[task]
    return scores[metric or METRICS[task][0]](answers(network, examples.pictures), examples)


def detections(found: Arrays) -> list[Detections]:
    """A detector's outputs, one a picture, in pixels of the input."""
    return [
        Detections(_floats(boxes), _floats(scores), np.asarray(labels, np.int64))
        for boxes, scores, labels in zip(*found, strict=True)
    ]


def _ap(found: Arrays, examples: Examples, ious: Sequence[float]) -> float | None:
    """The mean of the average precision at each of the IoUs."""
    truths = examples.truths()
    if not any((~truth.ignore).any() for truth in truths):
        return None
    said = detections(found)
    return float(np.mean([ap50(said, truths, iou) for iou in ious]))


def _accuracy(found: Arrays, examples: Examples) -> float | None:
    known, labels = _known(examples)
    return accuracy(_floats(found[0])[known], labels) if known.any() else None


def _balanced(found: Arrays, examples: Examples) -> float | None:
    """The mean over the classes that there are of the share of their pictures that is right."""
    known, labels = _known(examples)
    probabilities = _floats(found[0])[known]
    rows = [labels == label for label in np.unique(labels)]
    right = [accuracy(probabilities[row], labels[row]) for row in rows]
    return float(np.mean(right)) if right else None


def _recall(found: Arrays, examples: Examples) -> float | None:
    known, labels = _known(examples)
    return recall_at_1(_floats(found[0])[known], labels) if known.any() else None


def _floats(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    return np.asarray(values, np.float64)


def _known(examples: Examples) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    targets = examples.targets
    assert isinstance(targets, ClassTargets)
    known = targets.weights.numpy() > 0
    return known, targets.labels.numpy()[known]


Score = Callable[[Arrays, Examples], float | None]

_OF_CLASSES: dict[str, Score] = {"accuracy": _accuracy, "balanced_accuracy": _balanced}
_SCORES: Mapping[Task, Mapping[str, Score]] = {
    "detection": {"ap50": partial(_ap, ious=(0.5,)), "ap": partial(_ap, ious=_COCO_IOUS)},
    "classification": _OF_CLASSES,
    "embedding": {"recall_at_1": _recall},
    "temporal": _OF_CLASSES,
}
METRICS: Mapping[Task, tuple[str, ...]] = {task: tuple(own) for task, own in _SCORES.items()}
