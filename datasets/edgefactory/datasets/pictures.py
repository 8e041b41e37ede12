"""Foreign image files become what a snapshot holds: upright 8-bit RGB or grey, as JPEG or PNG.

An upright JPEG or PNG of 8 bits is kept byte for byte. What can be put right without losing a
value (turned by EXIF, palette, opaque alpha, BMP, GIF, TIFF, WebP) becomes a PNG, and so does
CMYK, by the plain conversion that image viewers use. Everything else is refused.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from edgefactory.datasets.documents import Box
from edgefactory.datasets.errors import InputError
from edgefactory.datasets.files import read_bytes

if TYPE_CHECKING:
    from PIL import Image

MAX_PICTURE_BYTES: Final = 64 * 2**20
_MAX_SIDE: Final = 16384  # pixels, as the manifest has it
_FORMATS: Final = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP")
_ORIENTATION: Final = 274  # the EXIF tag
_BITS_PER_SAMPLE: Final = 258  # the TIFF tag
_PNG_DEPTH: Final = 24  # offset of the bit depth in a PNG file
# What Pillow's decoders raise over damaged files.
_DAMAGE: Final = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Upright:
    """An image file as a snapshot takes it, `width` x `height` pixels.

    `stored` is the size before it was turned, `orientation` the EXIF value (1 to 8) by which it
    was turned. `mended` says what was done to it; None: the bytes are those of the file.
    """

    content: bytes
    kind: Literal["jpg", "png"]
    width: int
    height: int
    stored: tuple[int, int]
    orientation: int = 1
    mended: str | None = None


def upright(path: Path) -> Upright:
    """The image file at `path`, put right where that loses nothing.

    Raises `MissingError` when it is not there, and `InputError`, naming it, for one that is empty,
    damaged, animated, transparent, of more than 8 bits a sample, or too large.
    """
    content = read_bytes(path, MAX_PICTURE_BYTES, "picture")
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Pillow warns about damage that it can live with; only a bomb must be refused.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                return _upright(image, content, path)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputError(f"picture {path} unpacks to too many pixels: {error}") from error
    except _DAMAGE as error:
        kinds = ", ".join(_FORMATS)
        raise InputError(
            f"picture {path} cannot be decoded ({damage(error)}); expected a whole {kinds} file"
        ) from error


def damage(error: Exception) -> str:
    """What Pillow says of a file that it cannot decode, without the addresses of its objects."""
    from PIL import UnidentifiedImageError

    return "it is of no known kind" if isinstance(error, UnidentifiedImageError) else str(error)


def turned(box: Box, orientation: int, stored: tuple[int, int]) -> Box:
    """A box of a stored picture of (width, height), where it lies after turning it upright.

    `orientation` is EXIF's: JEITA CP-3451, tag 274.
    """
    (width, height), (x0, y0, x1, y1) = stored, box
    places: dict[int, Box] = {
        2: (width - x1, y0, width - x0, y1),
        3: (width - x1, height - y1, width - x0, height - y0),
        4: (x0, height - y1, x1, height - y0),
        5: (y0, x0, y1, x1),
        6: (height - y1, x0, height - y0, x1),
        7: (height - y1, width - x1, height - y0, width - x0),
        8: (y0, width - x1, y1, width - x0),
    }
    return places.get(orientation, box)


def _upright(image: Image.Image, content: bytes, path: Path) -> Upright:
    stored = image.size
    if max(stored) > _MAX_SIDE:
        raise InputError(f"picture {path} has a side of {max(stored)} pixels, above {_MAX_SIDE}")
    photo = image.format in ("JPEG", "MPO")  # MPO: a JPEG with previews behind it
    if not photo and getattr(image, "is_animated", False):
        raise InputError(f"picture {path} is animated or has pages; import its frames one by one")
    if _is_deep(image, content):
        raise InputError(f"picture {path} has more than 8 bits a sample; scale it to 8 bits first")
    image.load()
    orientation = image.getexif().get(_ORIENTATION, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    clear = "transparency" in image.info or "A" in image.getbands() or "a" in image.getbands()
    if (photo or image.format == "PNG") and image.mode in ("L", "RGB"):
        if orientation == 1 and not clear:
            return Upright(content, "jpg" if photo else "png", *image.size, stored)
        mended = "turned upright"
    else:
        mended = "converted from CMYK" if image.mode == "CMYK" else "converted to PNG"
    pixels = _opaque(image, path) if clear else image
    return _png(pixels, stored, orientation, mended)


def _png(image: Image.Image, stored: tuple[int, int], orientation: int, mended: str) -> Upright:
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    pixels = image if image.mode == "L" else image.convert("RGB")
    if orientation in turns:
        pixels = pixels.transpose(turns[orientation])
    clean = Image.frombytes(pixels.mode, pixels.size, pixels.tobytes())  # without its metadata
    buffer = io.BytesIO()
    clean.save(buffer, "PNG")
    return Upright(buffer.getvalue(), "png", *clean.size, stored, orientation, mended)


def _is_deep(image: Image.Image, content: bytes) -> bool:
    if image.format == "PNG" and content[_PNG_DEPTH] == 16:
        return True  # Pillow would drop the low bytes of colours without a word
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    return max(bits) > 8 or image.mode.startswith(("I", "F"))


def _opaque(image: Image.Image, path: Path) -> Image.Image:
    whole = image.convert("RGBA")
    if whole.getchannel("A").getextrema() != (255, 255):
        raise InputError(f"picture {path} has transparent pixels; give it a background first")
    return whole
