"""A file that somebody gives becomes the pictures that a model is shown.

Of most models it is a picture. A model of sequences (`InputSpec.signal`) also takes the recording
itself: a WAV file of its sample rate, or a table of features as a `.npy` file. Every byte is
distrusted; nothing is unpickled, and no more is allocated than was given.
"""

import io
import re

import numpy as np
import numpy.typing as npt
import simplejpeg
from msgspec import UnsetType

from edge_runtime.contract import Audio, Features, InputSpec, audio_picture, features_picture
from edge_runtime.errors import InputError
from edge_runtime.pictures import decode_picture

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

_PCM16 = 2  # bytes of a sample
_NPY = re.compile(  # numpy's own reader evaluates the head, and allocates what it claims
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>]f[248])', 'fortran_order': False, "
    rb"'shape': \((\d{1,9}), (\d{1,9})\), \} *\n",
    re.DOTALL,
)


def is_picture(data: bytes) -> bool:
    """Whether `data` says that it is a JPEG or PNG file."""
    return bool(simplejpeg.is_jpeg(data)) or data.startswith(b"\x89PNG")


def shown(data: bytes, spec: InputSpec, source: str) -> UInt8:
    """The picture in the file `data`, uint8 [H,W,3], or the one that its sequence is.

    Raises InputError when it is none, or longer than one picture of the model.
    """
    if isinstance(spec.signal, UnsetType) or is_picture(data):
        return decode_picture(data, source)
    return sequence_picture(sequence(data, spec.signal, source), spec.signal)


def stretches(data: bytes, spec: InputSpec, source: str) -> list[tuple[float, UInt8]]:
    """The pictures in the file `data`, and at which second of its sequence each begins.

    A sequence is cut into stretches of one picture each, the last one filled up as the model knows
    it. A picture is one, at 0. Raises InputError.
    """
    signal = spec.signal
    if isinstance(signal, UnsetType) or is_picture(data):
        return [(0.0, decode_picture(data, source))]
    values = sequence(data, signal, source)
    length, rate = (
        (signal.samples, signal.rate) if isinstance(signal, Audio) else (signal.steps, signal.rate)
    )
    starts = range(0, len(values), length)
    return [(at / rate, sequence_picture(values[at : at + length], signal)) for at in starts]


def sequence_picture(values: Float32, signal: Audio | Features) -> UInt8:
    """The picture of samples f32 [S] or features f32 [T,F]. Raises InputError."""
    if isinstance(signal, Audio):
        return audio_picture(values, signal)
    return features_picture(values, signal)


def sequence(data: bytes, signal: Audio | Features, source: str) -> Float32:
    """The samples f32 [S] of a WAV file, or the features f32 [T,F] of a `.npy` file, at least one.

    Raises InputError, also when the file is of another rate or another number of features.
    """
    if isinstance(signal, Audio):
        return _samples(data, signal.rate, source)
    return _table(data, signal.rows, source)


def _samples(data: bytes, rate: int, source: str) -> Float32:
    import wave  # a model of pictures does without

    try:
        with wave.open(io.BytesIO(data)) as file:
            found = file.getparams()
            pcm = file.readframes(found.nframes)
    except (wave.Error, EOFError, RuntimeError) as error:  # bare ones, for a chunk past the end
        text = str(error) or "it breaks off"
        raise InputError(f"{source} is not a WAV file that can be read: {text}") from error
    if found.sampwidth != _PCM16 or found.framerate != rate:
        raise InputError(
            f"{source} has {8 * found.sampwidth} bits at {found.framerate} samples a second; "
            f"expected 16 bits at {rate}: convert it first"
        )
    whole = len(pcm) // (_PCM16 * found.nchannels) * found.nchannels
    if not whole:
        raise InputError(f"{source} holds no samples")
    samples = np.frombuffer(pcm, "<i2", whole).reshape(-1, found.nchannels)
    mixed: Float32 = (samples.mean(axis=1) / 32768).astype(np.float32)
    return mixed


def _table(data: bytes, features: int, source: str) -> Float32:
    head = _NPY.match(data)
    wanted = f"a .npy file of floats [steps, {features}], row by row, as numpy.save writes it"
    if head is None:
        raise InputError(f"{source} is no such file: expected {wanted}")
    kind, steps, columns = np.dtype(head[1].decode()), int(head[2]), int(head[3])
    found = len(data) - head.end()
    if columns != features or not steps or found != steps * columns * kind.itemsize:
        raise InputError(f"{source} says [{steps}, {columns}], {found} bytes; expected {wanted}")
    values = np.frombuffer(data, kind, offset=head.end()).reshape(steps, columns)
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        return values.astype(np.float32)
