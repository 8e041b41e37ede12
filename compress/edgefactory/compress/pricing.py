"""What an architecture costs as it would ship: the price that a search pays attention to."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edge_runtime.contract import Signal
from edgefactory.compress.bench import Bench
from edgefactory.compress.shipping import forms_of, latency, shipped
from edgefactory.training.checkpoint import load_checkpoint
from edgefactory.training.export import export_onnx
from edgefactory.training.recipe import Recipe
from edgefactory.training.tuning.budgets import Budget, Form
from edgefactory.training.tuning.costs import Cost, FormCost, broken
from edgefactory.training.tuning.untrained import write_untrained

_PICTURES = 2  # that an untrained network is calibrated on: its latency does not depend on them


@dataclass(frozen=True)
class Meter:
    """Prices architectures for snapshots of `classes`, by what `budgets` ask about."""

    budgets: Sequence[Budget]
    bench: Bench
    classes: tuple[str, ...]
    signal: Signal | None = None

    def __call__(self, recipe: Recipe) -> Cost:
        """Export the untrained network, and measure what may still keep the budgets.

        Raises InputError for what cannot be built, exported, quantized or run.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "untrained"
            write_untrained(recipe, self.classes, self.signal, folder)
            parameters = load_checkpoint(folder).lineage.parameters
            exported = export_onnx(folder, Path(scratch) / "model.onnx")
            fp32 = exported.path.read_bytes()
        cost = Cost(parameters, exported.macs)
        width, height = recipe.resolution
        noise = np.random.default_rng(recipe.seed).integers(
            0, 256, (_PICTURES, height, width, 3), np.uint8
        )
        for form in forms_of(self.budgets):
            if broken(cost, self.budgets):
                break  # too dear already: nothing more needs to be known
            file = shipped(fp32, form, list(noise))
            found = FormCost(form, len(file))
            cost = msgspec.structs.replace(cost, forms=(*cost.forms, found))
            if self._timed(form) and not broken(cost, self.budgets):
                known = latency(file, form, self.bench, self.budgets)
                timed = msgspec.structs.replace(found, latency=known)
                cost = msgspec.structs.replace(cost, forms=(*cost.forms[:-1], timed))
        return cost

    def _timed(self, form: Form) -> bool:
        return any(b.quantity == "latency_ms" and b.form == form for b in self.budgets)
