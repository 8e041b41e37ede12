"""Camera faults as they are seeded into real pictures, each of known kind and strength."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

UInt8 = npt.NDArray[np.uint8]
Seed = Callable[[UInt8, np.random.Generator], UInt8]


def _scaled(gain: float, offset: float = 0.0) -> Seed:
    def seed(picture: UInt8, draw: np.random.Generator) -> UInt8:
        noise = draw.normal(0, 1, picture.shape[:2])[..., None]
        return np.clip(picture.astype(np.float64) * gain + offset + noise, 0, 255).astype(np.uint8)

    return seed


def _blurred(radius: float) -> Seed:
    def seed(picture: UInt8, draw: np.random.Generator) -> UInt8:
        soft = Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))
        return _scaled(1)(np.asarray(soft), draw)

    return seed


def _covered(share: float) -> Seed:
    """Something soft and grey lies over the left `share` of the picture."""

    def seed(picture: UInt8, draw: np.random.Generator) -> UInt8:
        out = picture.astype(np.float64)
        height, width = picture.shape[:2]
        edge = round(width * share)
        hand = 60 + 40 * np.linspace(0, 1, height)[:, None] + 20 * np.linspace(0, 1, edge)[None]
        out[:, :edge] = hand[..., None] + draw.normal(0, 2, (height, edge, 1))
        return np.clip(out, 0, 255).astype(np.uint8)

    return seed


def _moved(right: float, down: float) -> Seed:
    """The view lies elsewhere by shares of its sides; what comes in is the picture mirrored."""

    def seed(picture: UInt8, draw: np.random.Generator) -> UInt8:
        height, width = picture.shape[:2]
        by = (round(height * down), round(width * right))
        big = np.pad(picture, ((by[0], by[0]), (by[1], by[1]), (0, 0)), mode="symmetric")
        return _scaled(1)(big[2 * by[0] :, 2 * by[1] :][:height, :width], draw)

    return seed


def _turned(picture: UInt8, draw: np.random.Generator) -> UInt8:
    """Another view altogether: the picture's lower half upside down and mirrored, magnified."""
    height, width = picture.shape[:2]
    part = Image.fromarray(np.ascontiguousarray(picture[height // 2 :, : width // 2][::-1, ::-1]))
    return _scaled(1)(np.asarray(part.resize((width, height))), draw)


def _blue(picture: UInt8, draw: np.random.Generator) -> UInt8:  # noqa: ARG001 - as all
    return np.broadcast_to(np.array([20, 30, 160], np.uint8), picture.shape).copy()


def _snow(picture: UInt8, draw: np.random.Generator) -> UInt8:
    grey = draw.integers(0, 256, (*picture.shape[:2], 1), np.uint8)
    return np.repeat(grey, 3, axis=2)


FAULTS: Final[dict[str, dict[str, Seed]]] = {
    "blurred": {"radius 1.5": _blurred(1.5), "radius 3": _blurred(3), "radius 12": _blurred(12)},
    "covered": {"all": _covered(1), "80 %": _covered(0.8), "60 %": _covered(0.6)},
    "moved": {
        "2 %": _moved(0.02, 0),
        "8 %, 5 %": _moved(0.08, 0.05),
        "turned away": _turned,
    },
    "no signal": {"blue": _blue, "snow": _snow},
    "overexposed": {"gain 2.5": _scaled(2.5, 20), "gain 4": _scaled(4, 40)},
    "underexposed": {"gain 0.25": _scaled(0.25), "gain 0.08": _scaled(0.08)},
}
"""By kind, then by strength. A frozen picture needs no seed: it is the same one again."""

LIGHT: Final[dict[str, Seed]] = {
    "darker": _scaled(0.6),
    "brighter": _scaled(1.25, 10),
    "low contrast": _scaled(0.6, 60),
}
"""Changes of light that are no fault."""
