"""What is compared: two models that answer, and how to open both as pipelines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgefactory.compress.models import Model
from edgefactory.compress.parity import Pipeline


@dataclass(frozen=True)
class Sides:
    """Reference and other. `chains` raises InputError where one of them cannot be opened up."""

    models: tuple[Model, Model]
    chains: Callable[[], tuple[Pipeline, Pipeline]]
