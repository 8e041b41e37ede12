"""A checkpoint in torch, as a session like those of the engines.

The one place of this package that runs training's networks themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from edge_runtime.contract import Outputs
from edgefactory.training import Checkpoint, load_checkpoint
from edgefactory.training.specification import Specification

UInt8 = npt.NDArray[np.uint8]


class TorchSession:
    """The graph of a checkpoint, on the CPU."""

    def __init__(self, trained: Checkpoint) -> None:
        self._graph = trained.graph()
        self._names = trained.output.names

    @torch.no_grad()
    def run(self, batch: UInt8) -> Outputs:
        """See `engines.Session.run`."""
        parts = self._graph(torch.tensor(batch))
        return {name: part.numpy() for name, part in zip(self._names, parts, strict=True)}


@dataclass(frozen=True)
class Opened:
    """A checkpoint that answers: what it is, the digest of its weights, and its session."""

    says: Specification
    sha256: str
    session: TorchSession


def open_checkpoint(path: Path, threads: int) -> Opened:
    """The checkpoint in the folder `path`, on so many threads. Errors as `load_checkpoint`."""
    trained = load_checkpoint(path)
    torch.set_num_threads(threads)
    says = Specification(trained.task, trained.classes, trained.input)
    return Opened(says, trained.sha256, TorchSession(trained))
