"""A network as the recipe builds it becomes the one that a changed checkpoint holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from edgefactory.training.changes import Changes
from edgefactory.training.networks.base import Network

# timm has classes of its own, older than torch's.
_COSTLY: Final = ("Hardswish", "SiLU", "HardSwish", "HardSwishMe", "Swish", "SwishMe")


def change(network: Network, changes: Changes, weights: Mapping[str, Tensor]) -> None:
    """Change a freshly built network, in place, so that it takes the `weights`."""
    if changes.activation == "relu":
        swap_activations(network)
    if changes.macs_share < 1.0:
        _fit_widths(network, weights)


def swap_activations(network: nn.Module) -> int:
    """Put ReLU in the place of each Hardswish and SiLU module; gives how many there were."""
    costly = [
        (module, name, child)
        for module in network.modules()
        for name, child in module.named_children()
        if type(child).__name__ in _COSTLY
    ]
    for module, name, child in costly:
        setattr(module, name, nn.ReLU(bool(getattr(child, "inplace", False))))
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.inplace = False  # ReLU's gradient is by its own result, the others' by the input
    return len(costly)


def _fit_widths(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give each layer the widths that its weights have; what they say is not looked at."""
    for path, module in network.named_modules():
        prefix = f"{path}." if path else ""
        changed = False
        for table in (module._parameters, module._buffers):
            for name, value in table.items():
                wanted = weights.get(prefix + name)
                if value is not None and wanted is not None and wanted.shape != value.shape:
                    empty = value.new_empty(wanted.shape)
                    table[name] = nn.Parameter(empty) if isinstance(value, nn.Parameter) else empty
                    changed = True
        if changed:
            _say_widths(module)


def _say_widths(module: nn.Module) -> None:
    """Let a layer's attributes say what its weights' shapes say."""
    if isinstance(module, _ConvNd):
        # Whole groups fall when a grouped convolution is pruned along its input (depthwise ones).
        before = module.out_channels // module.groups
        module.out_channels = module.weight.shape[0]
        if module.groups == module.in_channels:
            module.groups = module.out_channels // before
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _BatchNorm):
        module.num_features = module.weight.shape[0]
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = module.weight.shape[0]
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = tuple(module.weight.shape)
