"""Small recordings, and the signals that models are shown of them."""

import io
import wave

import numpy as np
import numpy.typing as npt

from edge_runtime.contract import Audio, Features

AUDIO = Audio(8000, 256, 128, 8, 100.0, 4000.0, -80.0, 8)
FEATURES = Features(10.0, (0.0, -1.0), (1.0, 1.0), 6)


def tone(samples: int, channels: int = 1, rate: int = 8000, width: int = 2) -> bytes:
    """A WAV file of a tone of 1000 Hz, twice as loud in the second channel as in the first."""
    wanted = np.sin(np.arange(samples) * 2 * np.pi * 1000 / rate)
    loud = wanted[:, None] * np.arange(1, channels + 1) * 5000
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((channels, width, rate, 0, "NONE", ""))
        out.writeframes(loud.astype("<i2").tobytes())
    return file.getvalue()


def npy(values: npt.NDArray[np.generic]) -> bytes:
    """A `.npy` file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()
