"""Small real recordings for tests: tones, chirps and noise as files, and tables of numbers."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def tone(hz: float, seconds: float = 0.5, rate: int = 16000, amplitude: float = 0.5) -> Floats:
    """A sine."""
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def noise(seconds: float = 0.5, rate: int = 16000, seed: int = 0) -> Floats:
    """White noise, well below full scale."""
    return np.clip(np.random.default_rng(seed).normal(0, 0.1, round(seconds * rate)), -1, 1)


def write_wav(path: Path, samples: Floats, rate: int = 16000) -> Path:
    """16 bits; `samples` [S], or [S, channels]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())
    return path


def write_sound(path: Path, codec: str, samples: Floats, rate: int = 16000) -> Path:
    """Whatever FFmpeg encodes, in the container that the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(
            np.rint(samples * 32767).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_csv(path: Path, rows: NDArray[np.generic], header: str = "") -> Path:
    """A table of numbers [T,F]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header] if header else []
    lines += [",".join(repr(float(v)) for v in row) for row in rows.tolist()]
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
