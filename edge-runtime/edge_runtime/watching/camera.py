"""Whether the camera is at fault, and how: decided on small pictures, against what it showed.

Pure. The first LEARN pictures without a fault of their own become the background, which then
follows slowly. A fault must hold for HOLD pictures (FREEZE for `frozen`) before it is believed, and
must be gone for HOLD before it is forgotten. In this order, the first that holds is it:

- `no signal`     nothing varies within the picture, or neighbours have nothing in common
- `frozen`        nothing changes from picture to picture, not even by noise
- `underexposed`  most is black, or all is far darker than the background but still shows it
- `overexposed`   much more is white than in the background
- `covered`       most of the background's texture is gone, and what is left does not fit it
- `moved`         the edges fit the background better elsewhere, or nowhere any more
- `blurred`       the fine detail is gone while the coarse still fits
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from edge_runtime.contract import Fault

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

LEARN = 15
HOLD = 5
FREEZE = 10

_WIDTH = 160  # of the small picture, at most
_ROWS = 72  # of the full picture, at most
_FOLLOW = 0.02  # how much a good picture changes the background
_BLOCK = 8

_FLAT = 1.0  # grey levels of spread, over all: a test picture, not even a covered sensor's noise
_SNOW = 0.5  # correlation of neighbours; of real pictures it is above 0.9
_SNOW_SPREAD = 20.0  # grey levels; a covered sensor's noise is far below
# Mean absolute difference; FFmpeg's freezedetect takes 0.26 (-60 dB), in which night scenes fall.
_STILL = 0.02
_BLACK, _WHITE = 16, 250
_MOSTLY_BLACK, _DARKER = 0.9, 0.4
_MORE_WHITE = 0.35
_FITS = 0.5  # correlation with the background, which neither gain nor offset changes
_TEXTURE, _LOST, _MOSTLY = 6.0, 0.3, 0.5
_HARDLY_FITS = 0.7  # a blurred picture fits better, however little texture it has
_SHIFT = 2  # pixels of the small picture
_EDGES_FIT, _BETTER = 0.35, 1.5
_SOFT = 0.45


@dataclass(frozen=True)
class View:
    """What is kept of a picture: small and grey (uint8 [h,w], w ≤ 160), and some of its full rows
    (uint8 [r,W])."""

    grey: UInt8
    rows: UInt8


@dataclass(frozen=True)
class Background:
    """The background: its grey levels [h,w], how sharp and how white it is, how well edges fit."""

    grey: Float32
    sharp: float
    white: float
    edges_fit: float


@dataclass(frozen=True)
class Camera:
    """What is known of a camera so far; `step` gives what is known after one more picture.

    `fault` is believed, `suspected` not yet; `held` is for how many pictures the latter holds. A
    camera whose `background` is known from before begins with it.
    """

    fault: Fault | None = None
    suspected: Fault | None = None
    held: int = 0
    pictures: int = 0
    seen: Mapping[Fault, int] = field(default_factory=dict)
    background: Background | None = None
    _learning: tuple[View, ...] = ()
    _last: View | None = None
    _still: int = 0

    def step(self, view: View) -> "Camera":
        """What is known after `view`. A picture of another size begins anew."""
        before = self._last if self._last is not None else self.background
        if before is not None and before.grey.shape != view.grey.shape:
            return Camera(pictures=self.pictures, seen=self.seen).step(view)
        still = self._still + 1 if self._last is not None and _same(self._last, view) else 0
        symptom = symptom_of(view, self.background)
        if symptom != "no signal" and still >= FREEZE:
            symptom = "frozen"
        held = self.held + 1 if symptom == self.suspected else 1
        fault = self.fault
        if held >= HOLD or symptom == "frozen":
            fault = symptom
        seen = {**self.seen, fault: self.seen.get(fault, 0) + 1} if fault else self.seen
        after = replace(
            self,
            fault=fault,
            suspected=symptom,
            held=held,
            pictures=self.pictures + 1,
            seen=seen,
            _last=view,
            _still=still,
        )
        return after if symptom or fault or still else after._learn(view)

    def _learn(self, view: View) -> "Camera":
        if self.background is None:
            learning = (*self._learning, view)
            if len(learning) < LEARN:
                return replace(self, _learning=learning)
            return replace(self, _learning=(), background=_background(learning))
        known = self.background
        grey = known.grey + np.float32(_FOLLOW) * (view.grey - known.grey)
        return replace(
            self,
            background=Background(
                grey,
                _follow(known.sharp, sharpness(view)),
                _follow(known.white, _share_white(view)),
                _follow(known.edges_fit, edges_fit(view.grey, known.grey)),
            ),
        )


def view_of(picture: UInt8) -> View:
    """What is kept of `picture` (uint8 [H,W,3], RGB); some 2 ms for 768 × 576."""
    factor = max(1, -(-picture.shape[1] // _WIDTH))
    small = Image.fromarray(picture).reduce(factor).convert("L")
    rows = picture[:: max(1, len(picture) // _ROWS)].astype(np.uint16)
    grey = (rows[..., 0] + 2 * rows[..., 1] + rows[..., 2]) // 4
    return View(np.asarray(small), grey.astype(np.uint8))


def symptom_of(view: View, known: Background | None) -> Fault | None:
    """What one picture looks like; without a background only what needs none."""
    spread = float(view.rows.std())
    if spread < _FLAT and float(view.rows.mean()) >= _BLACK:
        return "no signal"
    if spread >= _SNOW_SPREAD and _neighbours(view.rows) < _SNOW:
        return "no signal"
    if float((view.rows <= _BLACK).mean()) > _MOSTLY_BLACK:
        return "underexposed"
    return None if known is None else _against(view, known)


def _against(view: View, known: Background) -> Fault | None:
    fit = correlation(view.grey, known.grey)
    if fit >= _FITS and float(view.grey.mean()) < _DARKER * float(known.grey.mean()):
        return "underexposed"
    if _share_white(view) > known.white + _MORE_WHITE:
        return "overexposed"
    if fit < _HARDLY_FITS and texture_lost(view.grey, known.grey) > _MOSTLY:
        return "covered"
    if _has_moved(view.grey, known):
        return "moved"
    return "blurred" if sharpness(view) < _SOFT * known.sharp else None


def sharpness(view: View) -> float:
    """Energy of the second difference along full rows, over the grey levels' variance.

    After the energy of the Laplacian (Pertuz et al. 2013, LAP1); divided, so that neither light nor
    contrast changes it.
    """
    rows = view.rows.astype(np.float32)
    return float(np.mean(np.diff(rows, 2, axis=1) ** 2) / (rows.var() + 1))


def correlation(a: UInt8 | Float32, b: UInt8 | Float32) -> float:
    """Pearson's correlation of two pictures of one size; 0 where one is flat."""
    x, y = a - np.mean(a, dtype=np.float64), b - np.mean(b, dtype=np.float64)
    power = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    return float(np.sum(x * y)) / power if power > 1e-9 else 0.0


def texture_lost(grey: UInt8, background: Float32) -> float:
    """The share of the background's textured blocks that are flat in `grey` (after Ribnick et al.
    2006 and Saglam and Temizel 2009, who compare histograms and edges); 0 where it has none."""
    before, now = _blocks(background), _blocks(grey.astype(np.float32))
    textured = before >= _TEXTURE
    return float((now[textured] < _LOST * before[textured]).mean()) if textured.any() else 0.0


def edges_fit(grey: UInt8, background: Float32) -> float:
    """Correlation of the edges of two pictures, which light hardly changes."""
    return correlation(_edges(grey.astype(np.float32)), _edges(background))


def shift_of(grey: UInt8, background: Float32) -> tuple[int, int]:
    """By how many pixels (down, right) the edges of `grey` lie elsewhere than in `background`:
    the peak of the phase correlation (Kuglin and Hines 1975)."""
    a, b = _edges(grey.astype(np.float32)), _edges(background)
    window = np.outer(np.hanning(a.shape[0]), np.hanning(a.shape[1]))
    spectrum = np.fft.rfft2((a - a.mean()) * window) * np.conj(
        np.fft.rfft2((b - b.mean()) * window)
    )
    spectrum /= np.abs(spectrum) + 1e-9
    surface = np.fft.irfft2(spectrum, a.shape)
    down, right = (int(place) for place in np.unravel_index(np.argmax(surface), a.shape))
    height, width = a.shape
    return (down - height if down > height // 2 else down), (
        right - width if right > width // 2 else right
    )


def _has_moved(grey: UInt8, known: Background) -> bool:
    fit = edges_fit(grey, known.grey)
    if fit >= 0.8 * known.edges_fit:
        return False
    down, right = shift_of(grey, known.grey)
    if max(abs(down), abs(right)) >= _SHIFT:
        height, width = grey.shape
        here = grey[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
        there = known.grey[
            max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
        ]
        if min(here.shape) >= 3 * _BLOCK and edges_fit(here, there) > _BETTER * max(fit, 0.05):
            return True
    return fit < _EDGES_FIT * known.edges_fit


def _background(views: tuple[View, ...]) -> Background:
    grey = np.median(np.stack([view.grey for view in views]), axis=0).astype(np.float32)
    return Background(
        grey,
        float(np.median([sharpness(view) for view in views])),
        float(np.median([_share_white(view) for view in views])),
        float(np.median([edges_fit(view.grey, grey) for view in views])),
    )


def _follow(before: float, now: float) -> float:
    return before + _FOLLOW * (now - before)


def _share_white(view: View) -> float:
    return float((view.rows >= _WHITE).mean())


def _same(a: View, b: View) -> bool:
    return float(np.mean(np.abs(a.rows.astype(np.int16) - b.rows))) <= _STILL


def _neighbours(rows: UInt8) -> float:
    values = rows.astype(np.float32)
    return 1 - float(np.mean(np.diff(values, axis=1) ** 2)) / (2 * float(values.var()) + 1e-9)


def _blocks(grey: Float32) -> Float32:
    """The standard deviation of each whole block of 8 × 8."""
    height, width = (side // _BLOCK * _BLOCK for side in grey.shape)
    cut = grey[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    spread: Float32 = cut.std(axis=(1, 3))
    return spread


def _edges(grey: Float32) -> Float32:
    """The gradient's length, by central differences; [h-2,w-2]."""
    across = grey[1:-1, 2:] - grey[1:-1, :-2]
    along = grey[2:, 1:-1] - grey[:-2, 1:-1]
    length: Float32 = np.hypot(across, along)
    return length
