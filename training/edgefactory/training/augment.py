"""Training pictures, changed a little at random: as other light and a nudged camera would."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.loss import Targets
from edgefactory.training.recipe import Augment


def augmented(
    pictures: Tensor, targets: Targets | None, how: Augment, generator: torch.Generator
) -> tuple[Tensor, Targets | None]:
    """Changed pictures as float [N,3,H,W] in grey levels, with their boxes moved along.

    pictures: uint8 [N,H,W,3]. The mirror, zoom and shift of a picture are one affine map,
    sampled once; nothing is sampled when all three are off.
    """
    pixels = pictures.permute(0, 3, 1, 2).float()
    if how.flip or how.scale or how.shift:
        zoom, move = _placement(len(pictures), how, generator)
        pixels = _sampled(pixels, zoom, move)
        if targets is not None:
            height, width = pixels.shape[-2:]
            targets = _moved(targets, zoom, move, (width, height))
    return _lit(pixels, how, generator), targets


def _uniform(count: int, spread: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, 1, generator=generator) * 2 - 1) * spread


def _placement(count: int, how: Augment, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Zoom and move [N,2] (x, y) of pictures in -1..1 coordinates; x zoom < 0 is a mirror."""
    size = 1 + _uniform(count, how.scale, generator)
    mirror = torch.where(torch.rand(count, 1, generator=generator) < how.flip, -1.0, 1.0)
    move = torch.cat([_uniform(count, 2 * how.shift, generator) for _ in range(2)], dim=1)
    return torch.cat([size * mirror, size], dim=1), move


def _sampled(pixels: Tensor, zoom: Tensor, move: Tensor) -> Tensor:
    """new(p) = old((p - move) / zoom)."""
    inverse = torch.zeros(len(pixels), 2, 3)
    inverse[:, 0, 0], inverse[:, 1, 1] = (1 / zoom).unbind(1)
    inverse[:, :, 2] = -move / zoom
    grid = F.affine_grid(inverse, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def _moved(targets: Targets, zoom: Tensor, move: Tensor, side: tuple[int, int]) -> Targets:
    """Boxes go where their pixels went; a box of which half has left becomes an ignore region."""
    span = torch.tensor([*side, *side], dtype=torch.float32)
    both = torch.cat([zoom, zoom], 1)[:, None], torch.cat([move, move], 1)[:, None]
    moved = (((targets.boxes / span * 2 - 1) * both[0] + both[1]) + 1) / 2 * span
    low = torch.minimum(moved[..., :2], moved[..., 2:])
    high = torch.maximum(moved[..., :2], moved[..., 2:])
    full = (high - low).prod(-1)
    edge = span[:2]
    low, high = low.clamp(min=0).minimum(edge), high.clamp(min=0).minimum(edge)
    kept = (high - low).prod(-1) / full.clamp(min=1e-6)
    return Targets(
        torch.cat([low, high], dim=-1),
        targets.labels,
        torch.where(kept > 0, targets.weights, 0.0),
        targets.ignore | (kept < 0.5),
    )


def _lit(pixels: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    gain = 1 + _uniform(len(pixels), how.brightness, generator)
    lift = _uniform(len(pixels), how.offset, generator)
    pixels = pixels * gain[..., None, None] + lift[..., None, None]
    if how.noise:
        pixels = pixels + torch.randn(pixels.shape, generator=generator) * how.noise
    return pixels.clamp(0, 255)
