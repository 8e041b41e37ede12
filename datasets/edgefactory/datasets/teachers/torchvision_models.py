"""torchvision's detectors and classifiers, with weights from a local safetensors file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct

from edgefactory.datasets.documents import Task
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import file_sha256
from edgefactory.datasets.onnx_sessions import first_line
from edgefactory.datasets.teachers.found import (
    Found,
    Ints,
    Pixels,
    check_picture,
    classified,
    detected,
)
from edgefactory.datasets.teachers.spec import EngineSettings, TeacherSpec, options_of

if TYPE_CHECKING:
    from torch import Tensor, nn

Device = Literal["cpu", "cuda"]

_NO_CLASS = frozenset({"__background__", "no person", "N/A"})


class TorchvisionOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """`name` is the architecture as torchvision calls it; `device` where it runs."""

    name: str
    device: Device = "cpu"


@dataclass(frozen=True)
class TorchvisionTeacher:
    """A torch module of torchvision's interface."""

    classes: tuple[str, ...]
    digest: str
    module: nn.Module
    transform: Any  # torchvision's own, of the architecture's published weights
    indices: Ints | None  # a detector's: of the module's class to ours, -1 for one that is none
    device: Device
    min_score: float

    @property
    def task(self) -> Task:
        """See `Teacher.task`."""
        return "classification" if self.indices is None else "detection"

    def predict(self, pictures: Sequence[Pixels]) -> list[Found]:
        """See `Teacher.predict`."""
        import torch

        if not pictures:
            return []
        for picture in pictures:
            check_picture(picture)
        with torch.inference_mode():
            tensors = [self._tensor(picture) for picture in pictures]
            if self.indices is None:
                shares = self.module(torch.stack(tensors)).softmax(dim=1)
                return [classified(row) for row in shares.cpu().numpy()]
            answers = self.module(tensors)
        pairs = zip(answers, pictures, strict=True)
        return [self._found(answer, self.indices, picture) for answer, picture in pairs]

    def _tensor(self, picture: Pixels) -> Tensor:
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
        tensor: Tensor = self.transform(pixels).to(self.device)
        return tensor

    def _found(self, answer: dict[str, Tensor], indices: Ints, picture: Pixels) -> Found:
        scores = answer["scores"].cpu().numpy()
        kinds = indices[answer["labels"].cpu().numpy()]
        keep = (scores >= self.min_score) & (kinds >= 0)
        boxes = answer["boxes"].cpu().numpy()[keep]
        return detected(boxes, scores[keep], kinds[keep], (picture.shape[1], picture.shape[0]))


def open_torchvision(spec: TeacherSpec, path: Path, engine: EngineSettings) -> TorchvisionTeacher:
    """The architecture that the options name, with the weights of the safetensors file `path`.

    Without classes in `spec` they are those of torchvision's own weights (ImageNet's or COCO's).
    Torch's number of threads is that of the whole process.
    """
    from torchvision import models

    options = options_of(spec, TorchvisionOptions)
    check_device(options.device)
    detects = options.name in models.list_models(module=models.detection)
    if not detects and options.name not in models.list_models(module=models):
        raise InputError(f"torchvision has no detector or classifier {options.name!r}, as resnet18")
    published = models.get_model_weights(options.name).DEFAULT
    categories = tuple(published.meta.get("categories", ()))
    if spec.classes:
        categories = ("__background__", *spec.classes) if detects else spec.classes
    extra = {"weights_backbone": None} if detects else {}
    module = models.get_model(options.name, weights=None, num_classes=len(categories), **extra)
    _fill(module, path)
    set_threads(engine.threads)
    classes, indices = _answers(categories) if detects else (categories, None)
    return TorchvisionTeacher(
        classes,
        file_sha256(path, "teacher"),
        module.eval().to(options.device),
        published.transforms(),
        indices,
        options.device,
        spec.min_score,
    )


def _answers(categories: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
    """A detector's classes without what is none, and the index of each category among them."""
    classes = tuple(name for name in categories if name not in _NO_CLASS)
    indices = [-1 if name in _NO_CLASS else classes.index(name) for name in categories]
    return classes, np.asarray(indices, np.int64)


def check_device(device: Device) -> None:
    """Raise `MissingError` unless torch can compute on `device`."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise MissingError("no NVIDIA card answers torch here; use device=cpu")


def set_threads(count: int) -> None:
    """Let torch compute on `count` CPU threads, in the whole process."""
    import torch

    torch.set_num_threads(count)


def _fill(module: nn.Module, path: Path) -> None:
    """Load the weights of `path` into `module`, all of them."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(path)
        module.load_state_dict(weights)
    except SafetensorError as error:
        raise InputError(f"teacher {path} is no safetensors file: {first_line(error)}") from error
    except RuntimeError as error:
        raise InputError(
            f"teacher {path} does not fit the architecture and its classes: {first_line(error)}"
        ) from error
    except OSError as error:
        raise InputError(f"teacher {path} cannot be read: {first_line(error)}") from error
