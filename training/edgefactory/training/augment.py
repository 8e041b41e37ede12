"""Training pictures, changed a little at random: as other light and a nudged camera would."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from edgefactory.training.loss import ClassTargets, Targets
from edgefactory.training.recipe import Augment


class Window(NamedTuple):
    """The part of a picture that is enlarged or shrunk to its full size; it may reach beyond.

    left, top, width and height in pixels; `mirrored` swaps left and right afterwards.
    """

    left: int
    top: int
    width: int
    height: int
    mirrored: bool


def augmented(
    pictures: Tensor,
    targets: Targets | ClassTargets,
    how: Augment,
    generator: torch.Generator,
) -> tuple[Tensor, Targets | ClassTargets]:
    """Changed pictures as float [N,3,H,W] in grey levels, with their boxes moved along.

    pictures: uint8 [N,H,W,3]. Resampling is on bytes, which torch does many times faster than
    on floats; nothing is resampled when mirror, zoom and shift are all off.
    """
    if how.flip or how.scale or how.shift:
        side = (pictures.shape[2], pictures.shape[1])
        windows = [_window(side, how, generator) for _ in pictures]
        pictures = torch.stack([view(p, w) for p, w in zip(pictures, windows, strict=True)])
        if isinstance(targets, Targets):
            targets = moved(targets, windows, side)
    pixels = pictures.permute(0, 3, 1, 2).float()
    return _lit(pixels, how, generator), targets


def view(picture: Tensor, window: Window) -> Tensor:
    """The window of a picture uint8 [H,W,3] at the picture's size; its border is continued."""
    height, width = picture.shape[:2]
    left, top, wide, high, mirrored = window
    rows = torch.arange(top, top + high).clamp(0, height - 1)
    part = picture[:, max(left, 0) : max(left + wide, 0)].index_select(0, rows)
    before = part[:, :1].expand(-1, max(-left, 0), -1)
    after = part[:, -1:].expand(-1, max(left + wide - width, 0), -1)
    part = torch.cat((before, part, after), dim=1).permute(2, 0, 1)[None]
    made = F.interpolate(part, size=(height, width), mode="bilinear", align_corners=False)
    made = made.flip(-1) if mirrored else made
    return made[0].permute(1, 2, 0)


def moved(targets: Targets, windows: list[Window], side: tuple[int, int]) -> Targets:
    """Boxes go where their pixels went; one of which half has left becomes an ignore region."""
    width, height = side
    placed = torch.tensor(windows, dtype=torch.float32)[:, None]  # [N,1,5]
    corner, span, mirrored = placed[..., :2], placed[..., 2:4], placed[..., 4:] > 0
    full = torch.tensor([width, height], dtype=torch.float32)
    low = (targets.boxes[..., :2] - corner) / span * full
    high = (targets.boxes[..., 2:] - corner) / span * full
    x0 = torch.where(mirrored, width - high[..., :1], low[..., :1])
    x1 = torch.where(mirrored, width - low[..., :1], high[..., :1])
    low, high = torch.cat((x0, low[..., 1:]), -1), torch.cat((x1, high[..., 1:]), -1)
    area = (high - low).prod(-1).clamp(min=1e-6)
    low, high = low.clamp(min=0).minimum(full), high.clamp(min=0).minimum(full)
    kept = (high - low).prod(-1) / area
    return Targets(
        torch.cat((low, high), dim=-1),
        targets.labels,
        torch.where(kept > 0, targets.weights, 0.0),
        targets.ignore | (kept < 0.5),
    )


def _window(side: tuple[int, int], how: Augment, generator: torch.Generator) -> Window:
    zoom, shift_x, shift_y, mirror = torch.rand(4, generator=generator).tolist()
    share = 1 + how.scale * (2 * zoom - 1)
    wide, high = round(side[0] * share), round(side[1] * share)
    left = (side[0] - wide) / 2 + how.shift * (2 * shift_x - 1) * side[0]
    top = (side[1] - high) / 2 + how.shift * (2 * shift_y - 1) * side[1]
    return Window(round(left), round(top), wide, high, mirror < how.flip)


def _lit(pixels: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """Other light and noise; changes `pixels` in place."""
    if how.brightness or how.offset:
        gain = 1 + _uniform(len(pixels), how.brightness, generator)
        pixels.mul_(gain).add_(_uniform(len(pixels), how.offset, generator))
    if how.noise:
        pixels.add_(torch.randn(pixels.shape, generator=generator) * how.noise)
    return pixels.clamp_(0, 255)


def _uniform(count: int, spread: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1) * spread
