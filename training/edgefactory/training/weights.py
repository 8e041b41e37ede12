"""What a network starts from: a library's weights, a file, or an earlier checkpoint."""

from __future__ import annotations

import pickle
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from edge_runtime.contract import file_digest
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.training.checkpoint import MODEL, load_checkpoint
from edgefactory.training.networks import Network
from edgefactory.training.networks.anchored import AnchoredDetector
from edgefactory.training.networks.backbones import Body, library_of
from edgefactory.training.recipe import SPECIALIST, Recipe

_LEAST: Final = 0.5  # of a network's weights must be found, or the file is for another model
_PER_CLASS: Final = ("heat.weight", "heat.bias", "body.1.weight", "body.1.bias", "directions")
_NO_HUB: Final = (
    urllib.error.URLError,
    OSError,
    TimeoutError,
    ValueError,
    RuntimeError,
)


class Start(NamedTuple):
    """What a network was given: `said` in a line, and the SHA-256 of the file, if there was one."""

    said: str
    sha256: str | None


def started(network: Network, recipe: Recipe, classes: tuple[str, ...]) -> Start | None:
    """Give an untrained network what the recipe's `weights` name; None where it names nothing.

    Weights are taken by name and shape. From a checkpoint the rows of classes that both know are
    taken, whatever their order. Raises InputError when less than half of the network finds its
    weights, MissingError when a file is not there or a hub cannot be reached.
    """
    if recipe.weights == "none":
        return None
    if recipe.weights == "hub":
        return _from_hub(network, recipe)
    path = Path(recipe.weights).expanduser()
    if path.is_dir():
        return _from_checkpoint(network, path, classes)
    target = _library_part(network) if recipe.model != SPECIALIST else network
    return Start(_take(target, _read(path), str(path)), file_digest(path))


def _from_checkpoint(network: Network, folder: Path, classes: tuple[str, ...]) -> Start:
    checkpoint = load_checkpoint(folder)
    state = _read(folder / MODEL)
    own = network.state_dict()
    for name in _PER_CLASS:
        if name in state and name in own:
            merged = _by_class(own[name], state[name], classes, checkpoint.classes)
            if merged is not None:
                state[name] = merged
    return Start(_take(network, state, str(folder)), checkpoint.sha256)


def _by_class(
    own: Tensor, theirs: Tensor, classes: tuple[str, ...], known: tuple[str, ...]
) -> Tensor | None:
    """`own` with the rows of the classes that `theirs` knows; None where shapes do not allow it."""
    each, their_each = len(own) / len(classes), len(theirs) / len(known)
    if each != their_each or own.shape[1:] != theirs.shape[1:] or each != int(each):
        return None
    rows = int(each)
    made = own.clone()
    for place, name in enumerate(classes):
        if name in known:
            at = known.index(name)
            made[place * rows : (place + 1) * rows] = theirs[at * rows : (at + 1) * rows]
    return made


def _from_hub(network: Network, recipe: Recipe) -> Start:
    if recipe.model == SPECIALIST:
        raise InputError("weights: the specialist has none in a hub; name a checkpoint, or none")
    library, name = library_of(recipe.model)
    where = f"weights of {recipe.model}"
    try:
        state = _timm_state(name) if library == "timm" else _torchvision_state(name)
    except _NO_HUB as error:
        reason = " ".join(str(error).split())[:160]
        raise MissingError(
            f"{where} cannot be fetched ({reason}); fetch them where there is a network and give "
            "the file: weights: FILE.safetensors or FILE.pth"
        ) from error
    return Start(_take(_library_part(network), state, where), None)


def _torchvision_state(name: str) -> dict[str, Tensor]:
    import torchvision

    weights = torchvision.models.get_model_weights(name).DEFAULT
    found: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
        weights.url, map_location="cpu", check_hash=True, progress=False, weights_only=True
    )
    return found


def _timm_state(name: str) -> dict[str, Tensor]:
    import timm

    found: dict[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    return found


def _library_part(network: Network) -> nn.Module:
    """The part of a network that its library made."""
    if isinstance(network, AnchoredDetector):
        part: nn.Module = network.model
        return part
    return next(module.net for module in network.modules() if isinstance(module, Body))


def _read(path: Path) -> dict[str, Tensor]:
    """A file of weights: .safetensors, or torch's own format, read without its pickled code."""
    if not path.is_file():
        raise MissingError(f"weights {path} is not there; expected a checkpoint folder or a file")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (
        safetensors.SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError,
    ) as error:  # fmt: skip
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"weights {path} cannot be read: {reason}; expected .safetensors, or a state_dict "
            "saved by torch"
        ) from error
    if isinstance(found, Mapping):
        for inner in ("state_dict", "model"):
            if isinstance(found.get(inner), Mapping):
                found = found[inner]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise InputError(f"weights {path} holds no state_dict; expected names and tensors")
    return dict(found)


@torch.no_grad()
def _take(target: nn.Module, state: Mapping[str, Tensor], where: str) -> str:
    """Copy what fits by name and shape; says how much of the network that was."""
    own = target.state_dict()
    fits = {
        name: value
        for name, value in state.items()
        if name in own and own[name].shape == value.shape
    }
    sizes = {name: value.numel() for name, value in own.items()}
    share = sum(sizes[name] for name in fits) / max(1, sum(sizes.values()))
    if share < _LEAST:
        odd = next((name for name in own if name not in fits), "none")
        raise InputError(
            f"weights {where}: {len(fits)} of {len(own)} tensors fit this network (the first that "
            f"does not: {odd}); they are for another model, width or depth"
        )
    target.load_state_dict(fits, strict=False)
    return f"starts from {where}: {len(fits)} of {len(own)} tensors"
