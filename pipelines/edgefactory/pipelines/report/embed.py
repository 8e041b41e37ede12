"""Files as data URIs, so that the page needs nothing beside itself."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from edgefactory.datasets.errors import InputError


def jpeg_uri(picture: npt.NDArray[np.uint8], quality: int = 80) -> str:
    """An RGB picture [H,W,3] as a JPEG in a data URI."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return data_uri("image/jpeg", buffer.getvalue())


def picture_uri(path: Path) -> str:
    """The picture file at `path`, of any size that Pillow accepts, as a JPEG in a data URI."""
    try:
        with Image.open(path) as image:
            return jpeg_uri(np.asarray(image.convert("RGB")), quality=84)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not a picture that can be read: {error}") from error


def file_uri(path: Path, media_type: str, most: int) -> str | None:
    """The file's bytes as a data URI, or None when there are more than `most`."""
    with path.open("rb") as file:
        content = file.read(most + 1)
    return data_uri(media_type, content) if len(content) <= most else None


def data_uri(media_type: str, content: bytes) -> str:
    """`content` in a `data:` URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
