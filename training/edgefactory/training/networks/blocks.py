"""The building blocks of our networks: dense convolutions with ReLU.

At INT8 these run at the arithmetic floor of CPU engines, while depthwise and attention layers are
bound by memory (measured; see the folder's README).
"""

from __future__ import annotations

from torch import Tensor, nn


def block(
    before: int, after: int, kernel: int | tuple[int, int] = 3, stride: int | tuple[int, int] = 1
) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU; keeps the size at stride 1."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (0, 0) if kernel == stride else (sides[0] // 2, sides[1] // 2)
    return nn.Sequential(
        nn.Conv2d(before, after, sides, stride, padding, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def blocks(width: int, count: int) -> nn.Sequential:
    """`count` blocks in a row that keep width and size."""
    return nn.Sequential(*(block(width, width) for _ in range(count)))


def bias_of(layer: nn.Conv2d) -> Tensor:
    """The bias of a convolution that has one."""
    assert layer.bias is not None
    return layer.bias
