"""A torch network judged on examples: the same decoding and metrics as everywhere."""

from __future__ import annotations

import torch

from edgefactory.training.data import Examples
from edgefactory.training.decode import graph_of
from edgefactory.training.loss import ClassTargets
from edgefactory.training.metrics import Detections, accuracy, ap50
from edgefactory.training.network import Network

_BATCH = 32


@torch.no_grad()
def score(network: Network, examples: Examples, detections: int) -> float | None:
    """AP50 of a detector or accuracy of a classifier, 0..1; None if nothing is there to find.

    The network is judged in evaluation mode, and put back as it was.
    """
    training = network.training
    device = next(network.parameters()).device
    graph = graph_of(network, detections)
    made = [graph(part.to(device)) for part in torch.split(examples.pictures, _BATCH)]
    network.train(training)
    if isinstance(examples.targets, ClassTargets):
        known = examples.targets.weights > 0
        if not bool(known.any()):
            return None
        probabilities = torch.cat(made).cpu()[known].double().numpy()
        return accuracy(probabilities, examples.targets.labels[known].numpy())
    truths = examples.truths()
    if not any((~truth.ignore).any() for truth in truths):
        return None
    found = [
        Detections(boxes.double().numpy(), scores.double().numpy(), labels.numpy())
        for batch in made
        for boxes, scores, labels in zip(*(part.cpu() for part in batch), strict=True)
    ]
    return ap50(found, truths)
