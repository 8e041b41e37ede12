"""The grids of the portable INT8 form, laid over a network while it learns.

Weights are symmetric S8 a channel, inputs of layers symmetric S8 a tensor, as `portable` has them.
The rounding is torch's fake quantization: the gradient passes where a value is within its range
(straight-through; Jacob et al. 2018, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from edgefactory.compress.saturation import fitted
from edgefactory.training.networks import Network
from edgefactory.training.networks.base import Levels

LARGEST: Final = 127  # of the numbers that weights become; inputs may be -128 too
_LEAST: Final = 1e-12  # range of a channel that is all zero
_SHARES: Final = torch.linspace(0.3, 1.0, 29)  # of the largest value, that are tried as the range
_SAMPLES: Final = 4096  # values a batch that ranges are chosen by

Ranges = Mapping[str, float]
"""The largest absolute input that INT8 holds, by layer."""


class WeightGrid(nn.Module):
    """Weights rounded to their channel's grid [O,...].

    `room` [O]: how much wider a channel's steps are than its largest weight asks for, so that sums
    of pairs fit 16 bits (see `saturation`); as the weights at the start need it.
    """

    room: Tensor

    def __init__(self, room: Tensor) -> None:
        super().__init__()
        self.register_buffer("room", room)

    def forward(self, weight: Tensor) -> Tensor:
        """The same weights, rounded."""
        with torch.no_grad():
            steps = weight.float().abs().flatten(1).amax(1).clamp(min=_LEAST) / LARGEST
            steps = steps * self.room
        zero = torch.zeros(len(steps), dtype=torch.int32, device=weight.device)
        return torch.fake_quantize_per_channel_affine(
            weight.float(), steps, zero, 0, -LARGEST, LARGEST
        )


class InputGrid:
    """A layer's input rounded to multiples of `step`, before the layer sees it."""

    def __init__(self, step: float) -> None:
        self.step = step

    def __call__(self, _layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """As torch calls a hook."""
        first = torch.fake_quantize_per_tensor_affine(
            given[0].float(), self.step, 0, -LARGEST - 1, LARGEST
        )
        return (first, *given[1:])


class Inputs:
    """What each layer of a network reads: which tensors are the same, and samples of them.

    A context manager, around trial runs of the network.
    """

    def __init__(self, network: Network) -> None:
        self.samples: dict[str, list[Tensor]] = {}
        self.largest: dict[str, float] = {}
        self.same: dict[str, str] = {}  # the first layer that reads the same tensor
        self.bytes: dict[str, float] = {}  # the step of layers that read the input's bytes
        self._run: list[tuple[Tensor, int, str]] = []
        self._levels: list[tuple[Tensor, float]] = []
        self._network = network

    def __enter__(self) -> Inputs:
        self._handles = [
            module.register_forward_pre_hook(self._before(name))
            for name, module in self._network.named_modules()
            if isinstance(module, (nn.Conv2d, nn.Linear))
        ]
        self._handles += [
            module.register_forward_hook(self._after_levels)
            for module in self._network.modules()
            if isinstance(module, Levels) and module.alike
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    @torch.no_grad()
    def look(self, pixels: Tensor) -> None:
        """Run the network on grey levels [N,3,H,W]."""
        self._run, self._levels = [], []
        self._network.eval()(pixels)

    def _before(self, name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            tensor = given[0]
            for other, version, first in self._run:
                if other is tensor and other._version == version:
                    self.same[name] = first
                    return
            self._run.append((tensor, tensor._version, name))
            for levels, step in self._levels:
                if levels is tensor:
                    self.bytes[name] = step
            self._sample(name, tensor)

        return hook

    def _after_levels(self, levels: nn.Module, _given: object, out: Tensor) -> None:
        assert isinstance(levels, Levels)
        if levels.middle[0] == LARGEST + 1:  # else the border would be padded with another grey
            self._levels.append((out, 1.0 / levels.spread[0]))

    def _sample(self, name: str, tensor: Tensor) -> None:
        values = tensor.detach().float().abs().flatten()
        self.largest[name] = max(self.largest.get(name, 0.0), float(values.amax()))
        stride = max(1, len(values) // _SAMPLES)
        self.samples.setdefault(name, []).append(values[::stride][:_SAMPLES].clone())

    def ranges(self) -> dict[str, float]:
        """The range of each layer that does not read the bytes: the one of least squared error.

        Layers that read the same tensor have the same.
        """
        chosen = {
            name: best_range(torch.cat(samples), self.largest[name])
            for name, samples in self.samples.items()
            if name not in self.bytes and self.largest[name] > 0
        }
        shared = {name: chosen[first] for name, first in self.same.items() if first in chosen}
        return {**chosen, **shared}


def best_range(values: Tensor, largest: float) -> float:
    """The range whose grid is nearest to the absolute `values` [n], up to the `largest`."""
    errors = [
        float((values - _rounded(values, float(share) * largest)).square().mean())
        for share in _SHARES
    ]
    return float(_SHARES[errors.index(min(errors))]) * largest


def _rounded(values: Tensor, top: float) -> Tensor:
    step = top / LARGEST
    return (values / step).round().clamp(max=LARGEST) * step


def lay_grids(network: Network, ranges: Ranges, of_bytes: Sequence[tuple[str, float]]) -> None:
    """Let the layers compute on grids, in place; `of_bytes` are those that read the bytes."""
    steps = {name: top / LARGEST for name, top in ranges.items()} | dict(of_bytes)
    for name, step in steps.items():
        layer = network.get_submodule(name)
        assert isinstance(layer, (nn.Conv2d, nn.Linear))
        layer.register_forward_pre_hook(InputGrid(step))
        parametrize.register_parametrization(layer, "weight", WeightGrid(_room(layer)))


def _room(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """The room that a layer's channels need; none where the kernel adds no pairs (depthwise)."""
    exact = layer.weight.detach().float().cpu().numpy()
    steps = np.maximum(np.abs(exact).reshape(len(exact), -1).max(axis=1), _LEAST) / LARGEST
    if isinstance(layer, nn.Conv2d) and layer.groups > 1 and exact.shape[1] == 1:
        return torch.ones(len(exact))
    _, wider = fitted(exact, steps.astype(np.float32))
    return torch.from_numpy(wider / steps.astype(np.float32))


def lift_grids(network: Network) -> None:
    """Take the grids away again, in place; weights are as they were learned, not rounded."""
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
        for number, hook in list(module._forward_pre_hooks.items()):
            if isinstance(hook, InputGrid):
                del module._forward_pre_hooks[number]
