"""A snapshot and a recipe in, a checkpoint with its metrics out; and its export as a graph.

Names are imported when first used: torch costs seconds, Lightning more, and reading a recipe or
computing a metric needs neither.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.training.checkpoint import Checkpoint, load_checkpoint
    from edgefactory.training.evaluation.ap import ap50, ap50_bootstrap, ap50_difference
    from edgefactory.training.export import Exported, export_onnx
    from edgefactory.training.fitting import fitted, task_of
    from edgefactory.training.graph import macs
    from edgefactory.training.metrics import (
        Detections,
        Difference,
        Interval,
        Truth,
        accuracy,
        accuracy_bootstrap,
        accuracy_difference,
    )
    from edgefactory.training.recipe import Augment, Distil, Recipe, load_recipe, recipe_from
    from edgefactory.training.shipped import recipe_named, shipped_recipes, shipped_text
    from edgefactory.training.trainer import train

__all__ = [
    "Augment",
    "Checkpoint",
    "Detections",
    "Difference",
    "Distil",
    "Exported",
    "Interval",
    "Recipe",
    "Truth",
    "accuracy",
    "accuracy_bootstrap",
    "accuracy_difference",
    "ap50",
    "ap50_bootstrap",
    "ap50_difference",
    "export_onnx",
    "fitted",
    "load_checkpoint",
    "load_recipe",
    "macs",
    "recipe_from",
    "recipe_named",
    "shipped_recipes",
    "shipped_text",
    "task_of",
    "train",
]

_MODULES = {
    "checkpoint": ("Checkpoint", "load_checkpoint"),
    "export": ("Exported", "export_onnx"),
    "fitting": ("fitted", "task_of"),
    "graph": ("macs",),
    "metrics": (
        "Detections",
        "Difference",
        "Interval",
        "Truth",
        "accuracy",
        "accuracy_bootstrap",
        "accuracy_difference",
    ),
    "evaluation.ap": ("ap50", "ap50_bootstrap", "ap50_difference"),
    "recipe": ("Augment", "Distil", "Recipe", "load_recipe", "recipe_from"),
    "shipped": ("recipe_named", "shipped_recipes", "shipped_text"),
    "trainer": ("train",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
