"""Name a budget, get the best model that fits it: a search that is measured, timed and resumable.

`tune` is the whole way. What an architecture costs comes in from outside, as a `Measure`. Names
are imported when first used: the search needs torch and Optuna, reading budgets does not.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefactory.training.tuning.budgets import Budget, Form, parse_budgets, parse_limits
    from edgefactory.training.tuning.costs import Cost
    from edgefactory.training.tuning.derived import derived_space, facts_of
    from edgefactory.training.tuning.document import Tune
    from edgefactory.training.tuning.executors import Executor, local, on_ray, processes
    from edgefactory.training.tuning.feasibility import Measure
    from edgefactory.training.tuning.space import Space, with_wishes
    from edgefactory.training.tuning.tuner import Tuned, Tuning, tune

__all__ = [
    "Budget",
    "Cost",
    "Executor",
    "Form",
    "Measure",
    "Space",
    "Tune",
    "Tuned",
    "Tuning",
    "derived_space",
    "facts_of",
    "local",
    "on_ray",
    "parse_budgets",
    "parse_limits",
    "processes",
    "tune",
    "with_wishes",
]

_MODULES = {
    "budgets": ("Budget", "Form", "parse_budgets", "parse_limits"),
    "costs": ("Cost",),
    "derived": ("derived_space", "facts_of"),
    "document": ("Tune",),
    "executors": ("Executor", "local", "on_ray", "processes"),
    "feasibility": ("Measure",),
    "space": ("Space", "with_wishes"),
    "tuner": ("Tuned", "Tuning", "tune"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
