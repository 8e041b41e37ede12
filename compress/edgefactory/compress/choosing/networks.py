"""The network as it was trained, and what it becomes when it learns again."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import digest
from edgefactory.compress.choosing.wishes import Wishes
from edgefactory.compress.finetuning import Finetuning, prune, train_quantized, use_relu
from edgefactory.datasets import Progress
from edgefactory.training import Checkpoint, export_onnx, load_checkpoint

UInt8 = npt.NDArray[np.uint8]

TRAINED: Final = "trained"
_MODEL: Final = "model.safetensors"
_KEY: Final = 12  # hexadecimal digits of a folder's name


@dataclass(frozen=True)
class NetworkFile:
    """A network by its name, its checkpoint, and the FP32 ONNX model that it exports to."""

    name: str
    checkpoint: Checkpoint
    fp32: bytes
    macs: int


def exported(name: str, checkpoint: Checkpoint) -> NetworkFile:
    """The network of a checkpoint."""
    with tempfile.TemporaryDirectory() as scratch:
        found = export_onnx(checkpoint.folder, Path(scratch) / "model.onnx")
        return NetworkFile(name, checkpoint, found.path.read_bytes(), found.macs)


def quantization_aware(wishes: Wishes, of: NetworkFile, progress: Progress) -> NetworkFile:
    """The network, trained for INT8. Errors as `train_quantized`."""
    job = _job(wishes, of, "qat")
    return exported("qat", _known(job) or train_quantized(job, progress))


def with_relu(wishes: Wishes, of: NetworkFile, progress: Progress) -> NetworkFile:
    """The network with ReLU for dearer activations. Errors as `use_relu`."""
    job = _job(wishes, of, "relu")
    return exported("relu", _known(job) or use_relu(job, progress))


def pruned(wishes: Wishes, of: NetworkFile, share: float, progress: Progress) -> NetworkFile:
    """The network with `share` of its multiply-accumulates. Errors as `prune`."""
    name = f"pruned-{share:.2f}"
    job = _job(wishes, of, name)
    return exported(name, _known(job) or prune(job, share, progress))


def _job(wishes: Wishes, of: NetworkFile, name: str) -> Finetuning:
    """Where a network of this name is made of that one: the same place in the next call."""
    key = digest(f"{of.checkpoint.sha256} {name}".encode())[:_KEY]
    folder = wishes.out.resolve() / "networks"
    return Finetuning(
        checkpoint=of.checkpoint.folder,
        snapshot=wishes.snapshot,
        out=folder / f"{name}-{key}",
        scratch=folder / f".{name}-{key}.training",
    )


def _known(job: Finetuning) -> Checkpoint | None:
    return load_checkpoint(job.out) if (job.out / _MODEL).is_file() else None
