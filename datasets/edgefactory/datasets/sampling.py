"""Which frames of a video are kept: every so many, by time, by motion, by scene.

The rules look at frames of 64x36 pixels and keep what they need of the frames before; none of
them looks ahead, so a video is read once and in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.video import Frame, Look, choose_frames

By = Literal["step", "time", "motion", "scene"]

_STIRRED: Final = 16  # grey levels by which a pixel must differ to count as changed
_BINS: Final = 4  # of each colour in a scene's histogram
_THRESHOLDS: Final = {"motion": 0.02, "scene": 0.4}


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """Which frames are kept; `threshold` None stands for 0.02 (motion) or 0.4 (scene).

    `step`: every `step`-th frame. `time`: the first frame of every `seconds`. `motion`: when at
    least the share `threshold` of the picture has changed since the frame kept last, at most one
    every `seconds`. `scene`: the first frame, and the first after each cut, where the share
    `threshold` of the pixels has another colour than in the frame before.
    """

    by: By = "step"
    step: int = 1
    seconds: float = 1.0
    threshold: float | None = None  # 0..1, a share of the picture

    def __post_init__(self) -> None:
        if self.by not in _RULES:
            raise InputError(f"sampling by {self.by!r}: use {', '.join(_RULES)}")
        if self.step < 1 or not 0 <= self.seconds < float("inf"):
            raise InputError("sampling: step starts at 1, seconds at 0")
        if self.by == "time" and self.seconds == 0:
            raise InputError("sampling by time needs seconds above 0")
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise InputError(f"sampling: threshold {self.threshold} is not above 0 and up to 1")

    @property
    def share(self) -> float:
        """The threshold that holds."""
        return _THRESHOLDS.get(self.by, 1.0) if self.threshold is None else self.threshold


def sample(
    path: Path, settings: SamplingSettings, always: frozenset[int] = frozenset()
) -> Iterator[Frame]:
    """The kept frames of the video at `path`, in order, and those whose index is in `always`.

    Raises `MissingError` if the file is not there and `InputError` if it is no video.
    """
    rule = _RULES[settings.by](settings)
    return choose_frames(path, lambda look: rule(look) or look.index in always)


Rule = Callable[[Look], bool]


def _steps(settings: SamplingSettings) -> Rule:
    return lambda look: look.index % settings.step == 0


def _times(settings: SamplingSettings) -> Rule:
    due: float | None = None

    def chosen(look: Look) -> bool:
        nonlocal due
        if due is not None and look.seconds < due - 1e-6:
            return False
        start = look.seconds if due is None else due
        passed = (look.seconds - start + 1e-6) // settings.seconds
        due = start + (passed + 1) * settings.seconds
        return True

    return chosen


def _motion(settings: SamplingSettings) -> Rule:
    kept: tuple[float, NDArray[np.int16]] | None = None

    def chosen(look: Look) -> bool:
        nonlocal kept
        grey = look.pixels.mean(axis=2).astype(np.int16)
        if kept is not None:
            changed = float((np.abs(grey - kept[1]) > _STIRRED).mean())
            if look.seconds - kept[0] < settings.seconds - 1e-6 or changed < settings.share:
                return False
        kept = (look.seconds, grey)
        return True

    return chosen


def _scenes(settings: SamplingSettings) -> Rule:
    before: NDArray[np.float64] | None = None

    def chosen(look: Look) -> bool:
        nonlocal before
        colours, previous = _histogram(look.pixels), before
        before = colours
        return previous is None or float(np.abs(colours - previous).sum()) / 2 >= settings.share

    return chosen


def _histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The shares of the pixels in each of 64 colours; sums to 1."""
    level = (pixels.astype(np.intp) * _BINS) // 256
    number = (level[..., 0] * _BINS + level[..., 1]) * _BINS + level[..., 2]
    return np.bincount(number.ravel(), minlength=_BINS**3) / number.size


_RULES: Final[Mapping[str, Callable[[SamplingSettings], Rule]]] = {
    "step": _steps,
    "time": _times,
    "motion": _motion,
    "scene": _scenes,
}
