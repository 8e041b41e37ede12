"""Where people stood: foot points gathered, blurred, and laid over the empty scene."""

import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_runtime.streams.tracker import TrackView

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

BACKGROUND_FRAMES = 9
OPACITY = 0.75
# Colours from cold to hot, evenly spaced: dark blue, violet, red, orange, pale yellow.
_RAMP = np.array(
    [[10, 10, 60], [95, 20, 130], [205, 45, 85], [250, 140, 30], [252, 250, 190]], np.float32
)


class HeatMap:
    """Gathers foot points in pictures of `width` × `height`; people in view a frame, in effect."""

    def __init__(self, width: int, height: int) -> None:
        self._sum = np.zeros((height, width), np.float32)
        self._background: list[UInt8] = []  # grey
        self._seen, self._stride = 0, 1

    def step(self, picture: UInt8, tracks: list[TrackView]) -> None:
        """Take one frame: its foot points count, and it may become part of the background."""
        height, width = self._sum.shape
        for view in tracks:
            x, y = round(view.foot[0]), min(round(view.foot[1]), height - 1)
            if view.confirmed and 0 <= x < width and y >= 0:
                self._sum[y, x] += 1
        if self._seen % self._stride == 0:
            self._background.append(picture.mean(axis=2).astype(np.uint8))
            if len(self._background) > 2 * BACKGROUND_FRAMES:  # evenly spread, of any length
                self._background = self._background[::2]
                self._stride *= 2
        self._seen += 1

    def png(self) -> bytes:
        """The map over the median of some frames, in which who moves has vanished, as a PNG."""
        height, width = self._sum.shape
        heat = blur(self._sum, sigma=max(2.0, width / 64))
        share = np.sqrt(heat / max(float(heat.max()), 1e-9))[..., None]
        picks = self._background[:: max(1, math.ceil(len(self._background) / BACKGROUND_FRAMES))]
        scenes = np.stack(picks) if picks else np.zeros((1, height, width), np.uint8)
        grey = np.sort(scenes, axis=0)[len(scenes) // 2][..., None].astype(np.float32)
        opacity = OPACITY * np.minimum(1.0, share * 2)
        mixed = grey * (1 - opacity) + _colour(share[..., 0]) * opacity
        file = io.BytesIO()
        Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)).save(file, "PNG", optimize=True)
        return file.getvalue()


def blur(values: Float32, sigma: float) -> Float32:
    """`values` [H,W] after a Gaussian of `sigma` pixels, cut at 3 sigma; zero beyond the edge."""
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for _ in range(2):  # along rows, then, transposed, along columns
        padded = np.pad(values, ((0, 0), (reach, reach)))
        width = values.shape[1]
        smooth = np.zeros_like(values)
        for offset, weight in enumerate(kernel):
            smooth += weight * padded[:, offset : offset + width]
        values = np.ascontiguousarray(smooth.T)
    return values


def _colour(share: Float32) -> Float32:
    place = np.clip(share, 0, 1) * (len(_RAMP) - 1)
    low = np.minimum(place.astype(np.int64), len(_RAMP) - 2)
    rest = (place - low)[..., None].astype(np.float32)
    mixed: Float32 = _RAMP[low] * (1 - rest) + _RAMP[low + 1] * rest
    return mixed
