"""A sequence becomes a picture, as `contract.signals` says how. The one implementation.

What comes out is a picture as every other: `contract.preprocess` brings it to the graph's input.

A column depends on its own samples only, so the picture of a stretch of sound is the same whether
it was cut from a file or comes out of a microphone. What is too short is filled up at its end
with the darkest level.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from edge_runtime.contract.signals import Audio, Features, band_edges, transform_size
from edge_runtime.errors import InputError

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def audio_picture(samples: Float32, spec: Audio) -> UInt8:
    """The log-mel spectrogram of `samples`, f32 [S] in -1..1: uint8 [bands, steps, 3].

    S is at most `spec.samples`; fewer are followed by silence. The lowest band is the last row,
    as spectrograms are drawn. With w the periodic Hann window, n the next power of two from
    `window` up and x_t the samples of column t, zero beyond the window:

        X_t = DFT_n(w · x_t)
        E_b,t = Σ_k H_b(k · rate / n) · 4 |X_t,k|² / (n · Σ w²)
        grey = round(255 · (1 − 10 log10(E) / floor)), clipped to 0..255

    H_b is a triangle of height 1 over Hz (Davis and Mermelstein 1980) whose corners are
    neighbouring points of `band_edges`. The factor makes the energies of a sine of full scale add
    up to 1 (Parseval). No pre-emphasis, no dither, nothing relative to the loudest: a quiet sound
    is a dark picture. Computed in f64. Raises InputError for what are no such samples.
    """
    if samples.ndim != 1 or samples.dtype.kind != "f" or not 1 <= len(samples) <= spec.samples:
        raise InputError(
            f"expected 1 to {spec.samples} samples as f32 in -1..1, found {samples.dtype} "
            f"{list(samples.shape)}"
        )
    _require_finite(samples, "samples")
    padded = np.zeros(spec.samples, np.float64)
    padded[: len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, spec.window)[:: spec.hop]
    size = transform_size(spec)
    window, filters = _hann(spec.window), _filters(spec)
    spectrum = np.fft.rfft(frames * window, size, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) * (4 / (size * np.sum(window**2)))
    energy = np.maximum(filters @ power.T, 10 ** (spec.floor / 10))
    return _grey(1 - 10 * np.log10(energy[::-1]) / spec.floor)


def features_picture(values: Float32, spec: Features) -> UInt8:
    """The features `values`, f32 [T,F], as a picture uint8 [F, steps, 3]; row f is feature f.

    T is at most `steps`; what is missing is grey 0. grey = round(255 · (v − low) / (high − low)),
    clipped to 0..255, computed in f64. Raises InputError for what are no such features.
    """
    wanted = f"expected features as f32 [1 to {spec.steps}, {spec.rows}]"
    if values.ndim != 2 or values.dtype.kind != "f" or values.shape[1] != spec.rows:
        raise InputError(f"{wanted}, found {values.dtype} {list(values.shape)}")
    if not 1 <= len(values) <= spec.steps:
        raise InputError(f"{wanted}, found {len(values)} steps")
    _require_finite(values, "features")
    low, high = np.asarray(spec.low, np.float64), np.asarray(spec.high, np.float64)
    levels = np.zeros((spec.rows, spec.steps), np.float64)
    levels[:, : len(values)] = ((values.astype(np.float64) - low) / (high - low)).T
    return _grey(levels)


@lru_cache(maxsize=8)
def _hann(window: int) -> Float64:
    """The periodic Hann window: 0.5 − 0.5 cos(2πi / window)."""
    hann: Float64 = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return hann


@lru_cache(maxsize=8)
def _filters(spec: Audio) -> Float64:
    """The triangles at the frequencies of the transform: [bands, n / 2 + 1]."""
    hz = np.arange(transform_size(spec) // 2 + 1) * (spec.rate / transform_size(spec))
    edges = np.asarray(band_edges(spec))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    up, down = (hz - left) / (centre - left), (right - hz) / (right - centre)
    filters: Float64 = np.maximum(np.minimum(up, down), 0)
    return filters


def _grey(levels: Float64) -> UInt8:
    grey = np.rint(255 * np.clip(levels, 0, 1)).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _require_finite(values: Float32, what: str) -> None:
    if not np.isfinite(values).all():
        place = [int(i) for i in np.argwhere(~np.isfinite(values))[0]]
        raise InputError(f"{what} must be finite numbers, found {values[tuple(place)]} at {place}")
