"""The networks: ours, and those of torchvision and timm, all behind `build`."""

from __future__ import annotations

import torch
from torch import nn

from edgefactory.datasets.errors import InputError
from edgefactory.training.memory import is_memory
from edgefactory.training.networks.anchored import AnchoredDetector, detectors
from edgefactory.training.networks.backbone_detector import BackboneDetector
from edgefactory.training.networks.backbones import library_of, pyramid, scored_body
from edgefactory.training.networks.base import Graph, Network
from edgefactory.training.networks.changing import change, swap_activations
from edgefactory.training.networks.classifier import Classifier, Trunk
from edgefactory.training.networks.embedder import Embedder
from edgefactory.training.networks.fold import folded
from edgefactory.training.networks.sequence import SequenceTrunk
from edgefactory.training.networks.specialist import Detector
from edgefactory.training.recipe import SPECIALIST, Recipe

__all__ = ["Graph", "Network", "build", "change", "folded", "swap_activations"]


def build(recipe: Recipe, classes: int) -> Network:
    """An untrained network of the recipe for that number of classes.

    Raises InputError for a model that is not known or fits neither task nor resolution,
    MissingError where its library is not installed.
    """
    if recipe.model == SPECIALIST:
        return _made(recipe, classes)
    width, height = recipe.resolution
    try:
        network = _made(recipe, classes)
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, height, width))
    except (RuntimeError, AssertionError, ValueError) as error:
        if is_memory(error):
            raise
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"model {recipe.model} does not take pictures of {width}x{height}: {reason}; change "
            "resolution, or take another model"
        ) from error
    return network.train()


def _made(recipe: Recipe, classes: int) -> Network:
    if recipe.task == "detection":
        return _detector(recipe, classes)
    if recipe.task == "embedding":
        return Embedder(_scored(recipe, recipe.embedding), recipe.embedding, classes)
    return Classifier(_scored(recipe, classes), recipe.distil.soft, recipe.distil.temperature)


def _detector(recipe: Recipe, classes: int) -> Network:
    if recipe.model == SPECIALIST:
        return Detector(classes, recipe.width, recipe.depth, recipe.detections)
    library, name = library_of(recipe.model)
    if library == "torchvision" and name in detectors():
        return AnchoredDetector(name, classes, recipe.resolution, recipe.detections)
    maps = pyramid(recipe.model, recipe.resolution)
    return BackboneDetector(maps, classes, recipe.width, recipe.depth, recipe.detections)


def _scored(recipe: Recipe, outputs: int) -> nn.Module:
    """A body that gives `outputs` numbers for each picture."""
    if recipe.model != SPECIALIST:
        return scored_body(recipe.model, outputs)
    trunk = (
        SequenceTrunk(recipe.resolution[1], recipe.width, recipe.depth)
        if recipe.task == "temporal"
        else Trunk(recipe.width, recipe.depth)
    )
    return nn.Sequential(trunk, nn.Linear(2 * recipe.width, outputs))
