"""What every evaluation is about, and how it is to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, tzinfo

from edgefactory.datasets import Progress
from edgefactory.training.evaluation.document import Data, Model
from edgefactory.training.evaluation.operating import Costs


@dataclass(frozen=True)
class Judging:
    """`draws` of the bootstrap and their seed; what mistakes cost, if anybody has said so; how many
    of the `worst` of each kind are kept; the time `zone` of the times of day."""

    draws: int = 1000
    seed: int = 0
    costs: Costs | None = None
    worst: int = 12
    zone: tzinfo = UTC


def _unseen(_done: int, _total: int, _what: str) -> None:
    """Nobody looks."""


@dataclass(frozen=True)
class Subject:
    """The model as it ran, the data that it is judged on, and how; `progress` is told how far."""

    model: Model
    data: Data
    judging: Judging
    progress: Progress = _unseen
