"""Networks of torchvision and timm by name, behind one door: `torchvision/NAME`, `timm/NAME`."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.training.networks.base import Levels

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_STRIDES: Final = (8, 16, 32)
_MOMENTUM: Final = 0.1  # torch's own, at the least
# Models whose training output has auxiliary logits unless told otherwise.
_OPTIONS: Final[dict[str, dict[str, bool]]] = {
    "googlenet": {"aux_logits": False, "init_weights": True},
    "inception_v3": {"aux_logits": False, "init_weights": True},
}


def library_of(model: str) -> tuple[str, str]:
    """The library and the name in it. Raises InputError unless `model` is LIBRARY/NAME."""
    library, slash, name = model.partition("/")
    if library not in ("torchvision", "timm") or not (slash and name):
        raise InputError(
            f"model {model!r}: expected specialist, torchvision/NAME or timm/NAME, as "
            "torchvision/mobilenet_v3_small"
        )
    return library, name


def scored_body(model: str, outputs: int) -> nn.Module:
    """Pixels [N,3,H,W], grey levels, to `outputs` numbers [N,outputs]; untrained.

    Raises InputError for a name that its library does not know, MissingError without timm.
    """
    library, name = library_of(model)
    if library == "timm":
        made = _timm(name, num_classes=outputs)
        return Body(_timm_levels(made), made)
    check_name(name, _classifiers(), "torchvision")
    import torchvision

    net = torchvision.models.get_model(
        name, weights=None, num_classes=outputs, **_OPTIONS.get(name, {})
    )
    return Body(imagenet_levels(), _soon(net))


@dataclass(frozen=True)
class Pyramid:
    """`body` gives maps at the strides 8, 16 and, where the network has it, 32, finest first.

    `channels` are those of each map.
    """

    body: nn.Module
    channels: tuple[int, ...]


def pyramid(model: str, size: tuple[int, int]) -> Pyramid:
    """The feature maps of a network for pictures of `size` (width, height); untrained.

    Raises InputError for a network without maps at the strides 8 and 16; else as `scored_body`.
    """
    library, name = library_of(model)
    if library == "timm":
        found = _timm(name, features_only=True)
        strides = [int(s) for s in found.feature_info.reduction()]
        if not {8, 16} <= set(strides):
            raise _no_maps(model)
        chosen = [i for i, stride in enumerate(strides) if stride in _STRIDES]
        channels = tuple(int(found.feature_info.channels()[i]) for i in chosen)
        return Pyramid(Body(_timm_levels(found), found, chosen), channels)
    check_name(name, _classifiers(), "torchvision")
    import torchvision

    net = torchvision.models.get_model(name, weights=None, **_OPTIONS.get(name, {}))
    return _extracted(model, _soon(net), size)


class Body(nn.Module):
    """A library's network `net` on grey levels; gives its output, or some of its many maps."""

    def __init__(self, levels: nn.Module, net: nn.Module, chosen: Sequence[int] = ()) -> None:
        super().__init__()
        self.levels, self.net, self.chosen = levels, net, tuple(chosen)

    def forward(self, pixels: Tensor) -> Tensor | list[Tensor]:
        """The output, or the chosen maps, for pixels [N,3,H,W]."""
        found = self.net(self.levels(pixels))
        if not self.chosen:
            assert isinstance(found, Tensor)
            return found
        maps = list(found.values()) if isinstance(found, dict) else list(found)
        return [maps[i] for i in self.chosen]


def _soon(net: nn.Module) -> nn.Module:
    """Let norms learn their statistics within our hundreds of steps.

    torchvision's MobileNets take 1% of each batch into them: after 500 steps a hundredth of what
    they began with, a variance of 1, is left, which is more than many layers have; such a network
    is right while it trains and says nothing sensible afterwards.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d) and module.momentum is not None:
            module.momentum = max(module.momentum, _MOMENTUM)
    return net


def _extracted(model: str, net: nn.Module, size: tuple[int, int]) -> Pyramid:
    """The last map of each stride, found by a trial run."""
    from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

    width, height = size
    try:
        names = get_graph_node_names(net)[1][1:]
        probe = create_feature_extractor(net, {name: name for name in names}).eval()
        with torch.no_grad():
            found: dict[str, Any] = probe(torch.zeros(1, 3, height, width))
    except (torch.fx.proxy.TraceError, RuntimeError, ValueError, TypeError, AssertionError):
        raise _no_maps(model) from None
    last: dict[int, tuple[str, int]] = {}
    for name, value in found.items():
        if isinstance(value, Tensor) and value.ndim == 4 and value.shape[2] > 1:
            for stride in _STRIDES:
                if (value.shape[2] * stride, value.shape[3] * stride) == (height, width):
                    last[stride] = (name, int(value.shape[1]))
    if not {8, 16} <= set(last):
        raise _no_maps(model)
    kept = [last[stride] for stride in _STRIDES if stride in last]
    body = create_feature_extractor(net, {name: str(i) for i, (name, _) in enumerate(kept)})
    chosen = Body(imagenet_levels(), body, range(len(kept)))
    return Pyramid(chosen, tuple(channels for _, channels in kept))


def imagenet_levels() -> Levels:
    """As the weights of torchvision's classifiers expect their pixels."""
    return levels_of(*_IMAGENET)


def _no_maps(model: str) -> InputError:
    return InputError(
        f"model {model} gives no feature maps at strides 8 and 16 for this resolution; take a "
        "convolutional one, as torchvision/mobilenet_v3_small"
    )


def _timm(name: str, **options: Any) -> Any:
    if importlib.util.find_spec("timm") is None:
        raise MissingError("timm is not installed: pip install 'edgefactory[timm]'")
    import timm

    if not timm.is_model(name):
        check_name(name, timm.list_models(), "timm")
    try:
        return timm.create_model(name, pretrained=False, **options)
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"model timm/{name} cannot be used for this task: {reason}") from error


def _timm_levels(made: Any) -> Levels:
    config = made.pretrained_cfg
    return levels_of(config["mean"], config["std"])


def levels_of(mean: Sequence[float], deviation: Sequence[float]) -> Levels:
    """Levels for a mean and deviation of pixels in 0..1."""
    middle, spread = ([255 * value for value in values] for values in (mean, deviation))
    return Levels((middle[0], middle[1], middle[2]), (spread[0], spread[1], spread[2]))


def _classifiers() -> list[str]:
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))


def check_name(name: str, known: Sequence[str], library: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it knows {len(known)} others"
        raise InputError(f"{library} has no model {name!r}; {hint}")
