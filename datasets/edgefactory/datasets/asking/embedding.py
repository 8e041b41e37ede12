"""What pictures are compared by: a descriptor without weights, or a backbone from a local file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgefactory.datasets.checks.measuring import describe
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.files import file_sha256

if TYPE_CHECKING:
    from torch import nn

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_SIDE: Final = 224  # pixels; what torchvision's classifiers were trained on
_MEAN: Final = np.asarray((0.485, 0.456, 0.406), np.float32)  # of ImageNet, as torchvision has it
_DEVIATION: Final = np.asarray((0.229, 0.224, 0.225), np.float32)


@dataclass(frozen=True, slots=True)
class Embedding:
    """`describe` makes f32 [D] of a picture, uint8 [H,W,3] RGB; pictures that look alike are near
    each other. `name` says what it is, for the record."""

    name: str
    describe: Callable[[Pixels], Floats]


def open_embedding(text: str | None) -> Embedding:
    """The embedding that `text` names: None for grey levels, edges and colours, which needs no
    weights, or `NAME:FILE.safetensors`, a torchvision classifier without its last layer.

    Raises `MissingError` when the file or torchvision is not here, `InputError` when the file
    does not hold the weights of that model.
    """
    if text is None:
        return Embedding("grey levels, edges and colours", describe)
    name, _, file = text.partition(":")
    if not file:
        raise InputError(f"embedding {text!r}: expected NAME:FILE.safetensors, as resnet18:w.st")
    digest = file_sha256(Path(file), "embedding")
    return Embedding(f"torchvision {name} {digest[:12]}", _backbone(name, Path(file)))


def _backbone(name: str, file: Path) -> Callable[[Pixels], Floats]:
    try:
        import torch
    except ImportError as error:
        raise MissingError("torch is not installed: pip install torch torchvision") from error
    model, last = _loaded(name, file)
    caught: list[torch.Tensor] = []
    last.register_forward_pre_hook(lambda _layer, given: caught.append(given[0]))

    def run(pixels: Pixels) -> Floats:
        image = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        levels = (np.asarray(image, np.float32) / 255 - _MEAN) / _DEVIATION
        caught.clear()
        with torch.inference_mode():
            model(torch.from_numpy(levels.transpose(2, 0, 1)[None].copy()))
        features = caught[0].reshape(-1).numpy().astype(np.float32)
        return np.asarray(features / max(float(np.linalg.norm(features)), 1e-12))

    return run


def _loaded(name: str, file: Path) -> tuple[nn.Module, nn.Module]:
    """The model with its weights, and its last linear layer, whose input is the embedding."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from torchvision import models

    if name not in models.list_models(module=models):
        raise InputError(f"embedding: torchvision has no classifier {name!r}, as resnet18")
    try:
        weights = load_file(file)
    except SafetensorError as error:
        raise InputError(f"embedding {file} is not a safetensors file: {error}") from error
    with torch.device("meta"):
        layers = models.get_model(name, weights=None).named_modules()
        last = [path for path, layer in layers if isinstance(layer, torch.nn.Linear)][-1:]
    head = weights.get(f"{last[0]}.weight") if last else None
    if head is None:
        raise InputError(f"embedding {file} does not hold the weights of a {name}")
    model = models.get_model(name, weights=None, num_classes=len(head)).eval()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"embedding {file} does not hold the weights of a {name}") from error
    return model, model.get_submodule(last[0])
