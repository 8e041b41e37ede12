"""A JPEG or PNG file becomes a picture. What is posted and what lies in a folder are read alike."""

import io

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from edge_runtime.errors import InputError

UInt8 = npt.NDArray[np.uint8]

MAX_PIXELS = 64_000_000  # 192 MB of RGB; a file of a few kB can claim more than any box has


def decode_picture(data: bytes, what: str) -> UInt8:
    """The picture in `data` (JPEG or PNG) as uint8 [H,W,3] RGB.

    Raises InputError, which calls it `what`, when it is none, or one of over MAX_PIXELS.
    """
    try:
        if simplejpeg.is_jpeg(data):
            height, width = simplejpeg.decode_jpeg_header(data)[:2]
            _require_size(width, height, what)
            decoded: UInt8 = simplejpeg.decode_jpeg(data, colorspace="RGB")
            return decoded
        return _decode_png(data, what)
    except (ValueError, SyntaxError, UnidentifiedImageError, OSError) as error:
        line = " ".join(str(error).split())[:200]
        raise InputError(f"{what} is not a picture that can be read: {line}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{what} is too large: {error}") from error


def _decode_png(data: bytes, what: str) -> UInt8:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
        _require_size(*picture.size, what)
        return np.asarray(picture.convert("RGB"))


def _require_size(width: int, height: int, what: str) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(f"{what} has {width}×{height} pixels; at most {MAX_PIXELS} are decoded")
