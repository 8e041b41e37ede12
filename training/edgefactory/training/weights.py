"""What a network starts from: a library's weights, a file, or an earlier checkpoint."""

from __future__ import annotations

import pickle
import struct
import urllib.error
import urllib.request
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
from edgefactory.training.networks import Network, build
from edgefactory.training.networks.anchored import AnchoredDetector
from edgefactory.training.networks.backbones import Body, library_of
from edgefactory.training.recipe import SPECIALIST, Recipe

_LEAST: Final = 0.5  # of a network's weights must be found, or the file is for another model
_HEAT: Final = "heat."  # of which a class has several rows, where others have one
_NAMED: Final = 8  # classes that are named in a message
_SAFE: Final = "model.safetensors"  # what a hub calls it
# What torch's unpickler raises on a file that is none of its own, beside its own errors.
_NO_PICKLE: Final = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError, TypeError),
    *(AttributeError, AssertionError, ArithmeticError, ImportError, MemoryError, struct.error),
)
_KNOCK_SECONDS: Final = 10.0  # for a hub to answer; its own client would try for a minute


class Start(NamedTuple):
    """What a network was given: `said` in a line, and the SHA-256 of the file, if there was one."""

    said: str
    sha256: str | None


def started(network: Network, recipe: Recipe, classes: tuple[str, ...]) -> Start | None:
    """Give an untrained network what the recipe's `weights` name; None where it names nothing.

    Weights are taken by name and shape. From a checkpoint the rows of classes that both know are
    taken, whatever their order, and other classes begin anew. Raises InputError when less than
    half of the network finds its weights, MissingError when a file is not there or a hub cannot
    be reached.
    """
    if recipe.weights == "none":
        return None
    if recipe.weights == "hub":
        return _from_hub(network, recipe)
    path = Path(recipe.weights).expanduser()
    if path.is_dir():
        return _from_checkpoint(network, recipe, path, classes)
    target = _library_part(network) if recipe.model != SPECIALIST else network
    return Start(_take(target, _read(path), str(path)), file_digest(path))


def _from_checkpoint(
    network: Network, recipe: Recipe, folder: Path, classes: tuple[str, ...]
) -> Start:
    checkpoint = load_checkpoint(folder)
    known, state = checkpoint.classes, _read(folder / MODEL)
    anew: tuple[str, ...] = ()
    if known != classes:
        anew = tuple(name for name in classes if name not in known)
        own = network.state_dict()
        for name in _of_classes(own, recipe, len(classes)):
            theirs = state.pop(name, None)
            merged = None if theirs is None else _by_class(name, own, theirs, (classes, known))
            if merged is None:
                anew = classes
            else:
                state[name] = merged
    said = _take(network, state, str(folder))
    if anew:
        others = f" and {len(anew) - _NAMED} others" if len(anew) > _NAMED else ""
        said += f"; classes that begin anew: {', '.join(anew[:_NAMED])}{others}"
    return Start(said, checkpoint.sha256)


def _of_classes(own: Mapping[str, Tensor], recipe: Recipe, classes: int) -> list[str]:
    """The tensors whose shape depends on the number of classes: another would have other ones."""
    other = build(recipe, classes + 1).state_dict()
    return [name for name, value in own.items() if other[name].shape != value.shape]


def _by_class(
    name: str,
    own: Mapping[str, Tensor],
    theirs: Tensor,
    classes: tuple[tuple[str, ...], tuple[str, ...]],
) -> Tensor | None:
    """`own[name]` with the rows of the classes that `theirs` has too; None where it is not one
    class after the other (torchvision's anchors mix them)."""
    wanted, known = classes
    made = own[name].clone()
    rows = len(made) // len(wanted)
    if rows * len(wanted) != len(made) or not (rows == 1 or name.startswith(_HEAT)):
        return None
    if theirs.shape != (rows * len(known), *made.shape[1:]):
        return None
    for place, class_ in enumerate(wanted):
        if class_ in known:
            at = known.index(class_)
            made[place * rows : (place + 1) * rows] = theirs[at * rows : (at + 1) * rows]
    return made


def _from_hub(network: Network, recipe: Recipe) -> Start:
    if recipe.model == SPECIALIST:
        raise InputError("weights: the specialist has none in a hub; name a checkpoint, or none")
    library, name = library_of(recipe.model)
    where = f"weights of {recipe.model}"
    try:
        state = _timm_state(name) if library == "timm" else _torchvision_state(name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise MissingError(
            f"{where} cannot be fetched ({reason}); fetch them where there is a network and give "
            "the file: weights: FILE.safetensors or FILE.pth"
        ) from error
    return Start(_take(_library_part(network), state, where), None)


def _torchvision_state(name: str) -> dict[str, Tensor]:
    import torchvision

    url = torchvision.models.get_model_weights(name).DEFAULT.url
    if not Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2]).is_file():
        _knock(url)
    found: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
        url, map_location="cpu", check_hash=True, progress=False, weights_only=True
    )
    return found


def _timm_state(name: str) -> dict[str, Tensor]:
    import timm
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise ValueError(f"timm names none for {name}")
    kept = try_to_load_from_cache(config.hf_hub_id, _SAFE, cache_dir=constants.HF_HUB_CACHE)
    if not isinstance(kept, str):
        _knock(constants.ENDPOINT)
    overlay = {"file": kept} if isinstance(kept, str) else None
    made = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    found: dict[str, Tensor] = made.state_dict()
    return found


def _knock(url: str) -> None:
    """Raise OSError unless a server answers, whatever it says."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - a library names it
    try:
        with urllib.request.urlopen(request, timeout=_KNOCK_SECONDS):  # noqa: S310 - see above
            return
    except urllib.error.HTTPError:
        return


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
    except (safetensors.SafetensorError, OSError, *_NO_PICKLE) as error:
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
