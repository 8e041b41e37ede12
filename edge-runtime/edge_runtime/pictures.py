"""From the bytes of a picture to pixels, within bounds, whatever the bytes are."""

import io

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import PngImagePlugin

from edge_runtime.errors import InputError

UInt8 = npt.NDArray[np.uint8]

MAX_PIXELS = 64 * 1024 * 1024  # 192 MB as RGB; larger than any camera's picture


def decode_picture(data: bytes, source: str) -> UInt8:
    """The JPEG or PNG picture in `data` as uint8 [H,W,3] RGB; `source` names it in errors.

    Raises InputError when it is none, or has more than MAX_PIXELS.
    """
    if not simplejpeg.is_jpeg(data):
        return decode_png(data, source)
    try:
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        _check_size(width, height)
        decoded: UInt8 = simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError as error:
        raise _unreadable(source, error) from error
    return decoded


def decode_png(data: bytes, source: str, size: tuple[int, int] | None = None) -> UInt8:
    """The PNG picture in `data` as uint8 [H,W,3] RGB, of `size` (width, height) where it is given.

    Raises InputError as `decode_picture`.
    """
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as picture:  # loads no other decoder
            if size is not None and picture.size != size:
                raise InputError(f"{source} is {picture.size}; expected {size}")
            _check_size(*picture.size)
            return np.asarray(picture.convert("RGB"))
    # Pillow says that a PNG is broken by each of these, and has no base of its own for them.
    except (OSError, SyntaxError, ValueError) as error:
        raise _unreadable(source, error) from error


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ValueError(f"{width} × {height} pixels are more than {MAX_PIXELS}")


def _unreadable(source: str, error: Exception) -> InputError:
    text = " ".join(str(error).split())[:200]
    return InputError(f"{source} is not a picture that can be read: {text}")
