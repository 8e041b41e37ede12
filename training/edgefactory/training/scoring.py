"""A torch network judged on examples: the same decoding and metrics as everywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from edgefactory.training.evaluation.ap import ap50
from edgefactory.training.examples import Examples
from edgefactory.training.metrics import Detections, accuracy, recall_at_1
from edgefactory.training.networks import Graph, Network
from edgefactory.training.recipe import Task
from edgefactory.training.targets import ClassTargets

_BATCH = 32

Arrays = list[npt.NDArray[np.generic]]


@torch.no_grad()
def answers(network: Network, pictures: npt.NDArray[np.uint8]) -> Arrays:
    """The graph's outputs for pictures [N,H,W,3], in the order of the output's names.

    The network is asked in evaluation mode, and put back as it was.
    """
    training = network.training
    device = next(network.parameters()).device
    graph = Graph(network).eval()
    parts = [
        graph(torch.from_numpy(np.ascontiguousarray(pictures[at : at + _BATCH])).to(device))
        for at in range(0, len(pictures), _BATCH)
    ]
    network.train(training)
    return [torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True)]


def score(network: Network, examples: Examples, task: Task) -> float | None:
    """The task's metric, 0..1; None if nothing is there to find."""
    return _SCORES[task](answers(network, examples.pictures), examples)


def detections(found: Arrays) -> list[Detections]:
    """A detector's outputs, one a picture, in pixels of the input."""
    return [
        Detections(_floats(boxes), _floats(scores), np.asarray(labels, np.int64))
        for boxes, scores, labels in zip(*found, strict=True)
    ]


def _ap50(found: Arrays, examples: Examples) -> float | None:
    truths = examples.truths()
    if not any((~truth.ignore).any() for truth in truths):
        return None
    return ap50(detections(found), truths)


def _accuracy(found: Arrays, examples: Examples) -> float | None:
    known, labels = _known(examples)
    return accuracy(_floats(found[0])[known], labels) if known.any() else None


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


_SCORES: dict[Task, Callable[[Arrays, Examples], float | None]] = {
    "detection": _ap50,
    "classification": _accuracy,
    "embedding": _recall,
    "temporal": _accuracy,
}
