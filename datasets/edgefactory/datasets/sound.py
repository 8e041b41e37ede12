"""Reading recordings of sound: one channel, at the rate that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edgefactory.datasets.errors import InputError
from edgefactory.datasets.media import opened

if TYPE_CHECKING:
    from av import AudioFrame
    from av.container import InputContainer

_FORMATS: Final = "wav,flac,mp3,ogg"
_MAX_SAMPLES: Final = 2**26  # 70 minutes at 16 kHz; 256 MiB


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording: `samples` f32 [S] in -1..1 at the asked rate; `rate` and `channels` were the
    file's own."""

    samples: NDArray[np.float32]
    rate: int
    channels: int


def read_sound(path: Path, rate: int) -> Sound:
    """The recording at `path` (WAV, FLAC, MP3, Ogg), resampled to `rate` samples a second.

    Several channels are mixed to their mean. Raises `MissingError` if the file is not there and
    `InputError` if it is no recording, an empty one, or longer than 2^26 samples.
    """
    with opened(path, "recording", _FORMATS) as container:
        if not container.streams.audio:
            raise InputError(f"recording {path} holds no sound")
        own = container.streams.audio[0].codec_context
        blocks: list[NDArray[np.float32]] = []
        count = 0
        for block in _blocks(container, rate, path):
            count += len(block)
            if count > _MAX_SAMPLES:
                raise InputError(
                    f"recording {path} is longer than {_MAX_SAMPLES / rate / 60:.0f} minutes at "
                    f"{rate} Hz; cut it first"
                )
            blocks.append(block)
        if not count:
            raise InputError(f"recording {path} is empty: it holds no samples")
        samples = np.concatenate(blocks)
        if not np.isfinite(samples).all():
            raise InputError(f"recording {path} holds samples that are no finite numbers")
        return Sound(samples, own.sample_rate, own.channels)


def _blocks(container: InputContainer, rate: int, path: Path) -> Iterator[NDArray[np.float32]]:
    import av

    # FFmpeg's own mix to one channel is louder than the mean where the samples are floats.
    floats = av.AudioResampler(format="fltp")
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    kinds = set()
    for frame in container.decode(container.streams.audio[0]):
        kinds.add((frame.format.name, frame.layout.name, frame.sample_rate))
        if len(kinds) > 1:
            raise InputError(
                f"recording {path} changes its rate or channels half-way; cut it there"
            )
        for planes in floats.resample(frame):
            yield from _arrays(resampler.resample(_mixed(planes)))
    yield from _arrays(resampler.resample(None))


def _mixed(frame: AudioFrame) -> AudioFrame:
    import av

    mean = frame.to_ndarray().mean(axis=0, keepdims=True)
    mixed = av.AudioFrame.from_ndarray(mean, format="fltp", layout="mono")
    mixed.sample_rate = frame.sample_rate
    return mixed


def _arrays(frames: list[AudioFrame]) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        yield frame.to_ndarray()[0].astype(np.float32, copy=False)
